"""Synthetic images as DICOM files."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
import subprocess
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dicom_files
import httpx
import numpy as np
import orthanc_server
import pytest
from pydicom import dcmread
from pydicom.uid import UID

from gan_core.packaging import (
    PackageFacts,
    Regenerate,
    SyntheticImage,
    VerifyReport,
    greyed,
    verify_zip,
    write_zip,
)
from gan_core.packaging.dicom import Origin, labelled_dicom, read_labelled_dicom
from gan_core.packaging.labels import source_text
from gan_core.reading import PackedDataset, pack
from gan_core.reading.images import PHANTOM_NOTE

MODEL = "ab" * 32
AT_HAND = {MODEL: Path("model.safetensors")}
ORIGIN = Origin(
    source=source_text("infogan", MODEL, 12),
    gan="infogan",
    model=MODEL,
    real_count=50,
    version="0.1.0",
    created_at="2026-01-02T03:04:05Z",
)
COLOUR = np.random.default_rng(0).integers(0, 256, (33, 33, 3), dtype=np.uint8)
GREY = np.repeat(COLOUR[..., :1], 3, axis=2)


def changed(data: bytes, **attributes: Any) -> bytes:
    found = dcmread(io.BytesIO(data))
    for name, value in attributes.items():
        if value is None:
            delattr(found, name)
        else:
            setattr(found, name, value)
    file = io.BytesIO()
    found.save_as(file)
    return file.getvalue()


# --- one file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", [COLOUR, GREY], ids=["colour", "grey"])
def test_pixels_and_label_come_back_bit_for_bit(pixels: np.ndarray) -> None:
    data = labelled_dicom(pixels, ORIGIN)
    back, label = read_labelled_dicom(data)
    assert np.array_equal(back, pixels)
    assert label.is_synthetic
    assert label.source == ORIGIN.source
    assert data == labelled_dicom(pixels, ORIGIN)


def test_the_file_says_that_it_is_synthetic_and_names_no_one() -> None:
    found = dcmread(io.BytesIO(labelled_dicom(COLOUR, ORIGIN)))
    assert found[0x0008, 0x001C].value == "YES"
    assert list(found.ImageType) == ["DERIVED", "SECONDARY", "SYNTHETIC"]
    assert found.ConversionType == "WSD"
    assert found.BurnedInAnnotation == "NO"
    assert found.LossyImageCompression == "00"
    (equipment,) = found.ContributingEquipmentSequence
    (purpose,) = equipment.PurposeOfReferenceCodeSequence
    assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("109100", "DCM")
    assert equipment.Manufacturer == "Graft"
    assert "infogan" in found.DerivationDescription
    assert "50 real images" in found.DerivationDescription
    assert found.PatientName == "SYNTHETIC^GRAFT"
    assert found.PatientID.startswith("SYNTHETIC-")
    assert found.PatientBirthDate == ""
    assert found.StudyDate == "20260102"
    assert not [element for element in found.iterall() if element.tag.is_private]


def test_grey_is_written_as_grey_and_shown_as_it_is() -> None:
    found = dcmread(io.BytesIO(labelled_dicom(GREY, ORIGIN)))
    assert found.PhotometricInterpretation == "MONOCHROME2"
    assert len(found.PixelData) == 33 * 33 + 1
    from pydicom.pixels import apply_windowing

    assert np.array_equal(np.rint(apply_windowing(GREY[..., 0], found)), GREY[..., 0])


def test_what_differs_has_another_name_and_another_patient() -> None:
    files = [
        labelled_dicom(COLOUR, ORIGIN),
        labelled_dicom(255 - COLOUR, ORIGIN),
        labelled_dicom(COLOUR, dataclasses.replace(ORIGIN, source="infogan, seed 13")),
        labelled_dicom(COLOUR, dataclasses.replace(ORIGIN, created_at="2027-01-02T03:04:05Z")),
    ]
    found = [dcmread(io.BytesIO(data)) for data in files]
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID"):
        assert len({str(getattr(one, name)) for one in found}) == len(files)
    for one in found:
        for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            value = getattr(one, name)
            assert UID(value).is_valid
            assert uuid.UUID(int=int(value.removeprefix("2.25."))).version == 5
        assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID


def test_without_a_time_the_dates_are_empty() -> None:
    found = dcmread(io.BytesIO(labelled_dicom(COLOUR, dataclasses.replace(ORIGIN, created_at=""))))
    assert (found.StudyDate, found.StudyTime) == ("", "")
    assert "ContentDate" not in found


def test_images_of_phantoms_say_so() -> None:
    of_phantoms = dataclasses.replace(ORIGIN, is_phantom=True)
    for origin, says in ((of_phantoms, True), (ORIGIN, False)):
        found = dcmread(io.BytesIO(labelled_dicom(COLOUR, origin)))
        assert (PHANTOM_NOTE in found.DerivationDescription) is says


@pytest.mark.parametrize(
    "attributes",
    [
        {"Rows": 34},
        {"Rows": 65535, "Columns": 65535},
        {"PhotometricInterpretation": "YBR_FULL"},
        {"BitsStored": 7},
        {"PixelRepresentation": 1},
        {"PlanarConfiguration": 1},
        {"NumberOfFrames": "2"},
        {"PixelData": b"ab"},
        {"PixelData": None},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"},
    ],
)
def test_files_that_are_not_as_ours_are_refused(attributes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="DICOM"):
        read_labelled_dicom(changed(labelled_dicom(COLOUR, ORIGIN), **attributes))


def test_damaged_files_are_refused() -> None:
    whole = labelled_dicom(COLOUR, ORIGIN)
    for end in (0, 100, 132, 140, 400, 900, len(whole) - 1):
        with pytest.raises(ValueError, match="DICOM"):
            read_labelled_dicom(whole[:end])


def test_a_deflated_file_is_not_unpacked() -> None:
    with pytest.raises(ValueError, match="as this software writes"):
        read_labelled_dicom(dicom_files.deflate_bomb(2**24))


@pytest.mark.parametrize("pixels", [COLOUR, GREY], ids=["colour", "grey"])
def test_a_validator_finds_no_error(pixels: np.ndarray, tmp_path: Path) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed here (Debian: dicom3tools)")
    path = tmp_path / "image.dcm"
    path.write_bytes(labelled_dicom(pixels, ORIGIN))
    done = subprocess.run([program, "-new", path], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert "SCImage" in said
    # SyntheticData is younger (2023) than Debian's validator (2022).
    errors = [line for line in said if line.startswith("Error") and "(0008,001c)" not in line]
    assert errors == []
    warned = [line for line in said if line.startswith("Warning") and "(0008,001c)" not in line]
    assert [line for line in warned if "Laterality" not in line] == []


# --- in the zip -----------------------------------------------------------------------------------


@pytest.fixture
def dicom_package(
    tmp_path: Path, facts: PackageFacts, make_image: Callable[..., SyntheticImage]
) -> Path:
    path = tmp_path / "synthetic.zip"
    images = (make_image(seed) for seed in range(6))
    write_zip(path, images=images, facts=dataclasses.replace(facts, output_format="dicom"))
    return path


def outcomes(report: VerifyReport) -> dict[str, str]:
    return {check.name: check.outcome for check in report.checks}


def test_a_zip_of_dicom_files_verifies_pixels_and_all(
    dicom_package: Path, redraw: Regenerate
) -> None:
    report = verify_zip(dicom_package, models=AT_HAND, sample=9, regenerate=redraw)
    assert set(outcomes(report).values()) == {"passed"}
    assert (report.images, report.regenerated) == (6, 6)


def test_cards_and_metadata_speak_of_dicom(dicom_package: Path) -> None:
    with zipfile.ZipFile(dicom_package) as archive:
        lines = [json.loads(line) for line in archive.read("metadata.jsonl").splitlines()]
        for line in lines:
            data = archive.read(line["file_name"])
            assert line["file_name"].endswith(".dcm")
            assert line["sop_instance_uid"] == dcmread(io.BytesIO(data)).SOPInstanceUID
            assert line["sha256"] == hashlib.sha256(data).hexdigest()
        card = archive.read("dataset-card.md").decode()
        assert "(0008,001C)" in card
        assert "IPTC" not in card
        assert json.loads(archive.read("manifest.json"))["images"]["format"] == "dicom"
        croissant = json.loads(archive.read("croissant.json"))
        files = croissant["distribution"][1]
        assert files["encodingFormat"] == "application/dicom"
        assert files["includes"] == ["malignant/*.dcm"]


def test_the_same_images_give_the_same_zip(
    dicom_package: Path, facts: PackageFacts, make_image: Callable[..., SyntheticImage]
) -> None:
    again = dicom_package.with_name("again.zip")
    write_zip(
        again,
        images=(make_image(seed) for seed in range(6)),
        facts=dataclasses.replace(facts, output_format="dicom"),
    )
    assert again.read_bytes() == dicom_package.read_bytes()


def test_a_file_that_no_longer_says_that_it_is_synthetic_is_found_out(dicom_package: Path) -> None:
    forged = dicom_package.with_name("forged.zip")
    with zipfile.ZipFile(dicom_package) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    lines = [json.loads(line) for line in members["metadata.jsonl"].splitlines()]
    name = lines[0]["file_name"]
    members[name] = changed(members[name], SyntheticData="NO")
    lines[0]["sha256"] = hashlib.sha256(members[name]).hexdigest()
    members["metadata.jsonl"] = "".join(json.dumps(line) + "\n" for line in lines).encode()
    manifest = json.loads(members["manifest.json"])
    manifest["metadata_sha256"] = hashlib.sha256(members["metadata.jsonl"]).hexdigest()
    members["manifest.json"] = json.dumps(manifest).encode()
    members["SHA256SUMS"] = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {member}\n"
        for member, data in members.items()
        if member != "SHA256SUMS"
    ).encode()
    with zipfile.ZipFile(forged, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    report = verify_zip(forged)
    assert outcomes(report)["labels"] == "failed"
    assert "synthetic" in report.checks[-1].detail


def test_grey_images_are_verified_as_grey(
    tmp_path: Path, facts: PackageFacts, make_image: Callable[..., SyntheticImage]
) -> None:
    (model,) = facts.models
    grey = dataclasses.replace(
        facts, output_format="dicom", models=[dataclasses.replace(model, is_grey=True)]
    )
    made = [make_image(seed) for seed in range(3)]
    images = [dataclasses.replace(image, pixels=greyed(image.pixels[None])[0]) for image in made]
    path = tmp_path / "grey.zip"
    write_zip(path, images=images, facts=grey)
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("manifest.json"))["models"][0]["is_grey"] is True
        name = next(n for n in archive.namelist() if n.endswith(".dcm"))
        found = dcmread(io.BytesIO(archive.read(name)))
        assert found.PhotometricInterpretation == "MONOCHROME2"
    assert "is_grey" not in model.as_json()


def test_our_own_files_are_a_data_set_again(
    dicom_package: Path, tmp_path: Path, facts: PackageFacts
) -> None:
    source = tmp_path / "again.zip"
    with zipfile.ZipFile(dicom_package) as archive, zipfile.ZipFile(source, "w") as out:
        lines = [json.loads(line) for line in archive.read("metadata.jsonl").splitlines()]
        pixels = set()
        for number, line in enumerate(lines):
            data = archive.read(line["file_name"])
            out.writestr(f"{'ab'[number % 2]}/{number}.dcm", data)
            pixels.add(read_labelled_dicom(data)[0].tobytes())
    index = pack(source, tmp_path / "packed", image_size=32)
    assert [problem.code for problem in index.problems] == ["synthetic_images"]
    packed = PackedDataset.open(tmp_path / "packed")
    rows = [row.tobytes() for split in ("train", "test") for row in packed.images(split)]
    assert set(rows) == pixels


# --- an archive of images -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def orthanc() -> Iterator[orthanc_server.Orthanc]:
    with orthanc_server.orthanc_server() as started:
        yield started


def look_up(orthanc: orthanc_server.Orthanc, uid: str) -> bytes:
    """Return a file as the archive holds it."""
    with httpx.Client(base_url=orthanc.url, trust_env=False, timeout=60) as client:
        query = {"Level": "Instance", "Query": {"SOPInstanceUID": uid}}
        (found,) = client.post("/tools/find", json=query).json()
        return client.get(f"/instances/{found}/file").content


def assert_survived(stored: bytes, sent: bytes) -> None:
    pixels, label = read_labelled_dicom(stored)
    assert np.array_equal(pixels, read_labelled_dicom(sent)[0])
    assert label.is_synthetic
    one, other = dcmread(io.BytesIO(stored)), dcmread(io.BytesIO(sent))
    assert one[0x0008, 0x001C].value == "YES"
    assert one == other


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_archive_takes_them_by_c_store(orthanc: orthanc_server.Orthanc) -> None:
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
    from pynetdicom import AE

    sent = [labelled_dicom(COLOUR, ORIGIN), labelled_dicom(GREY, ORIGIN)]
    entity = AE(ae_title="GRAFT")
    entity.add_requested_context(SecondaryCaptureImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", orthanc.dicom_port, ae_title="ORTHANC")
    assert association.is_established
    try:
        for data in sent:
            status = association.send_c_store(dcmread(io.BytesIO(data)))
            assert status.Status == 0x0000
    finally:
        association.release()
    for data in sent:
        uid = str(dcmread(io.BytesIO(data)).SOPInstanceUID)
        assert_survived(look_up(orthanc, uid), data)


@pytest.mark.slow
def test_an_archive_takes_them_by_stow_rs(orthanc: orthanc_server.Orthanc) -> None:
    if not orthanc.has_dicomweb:
        pytest.skip("Orthanc has no DICOMweb here (Debian: orthanc-dicomweb)")
    other = dataclasses.replace(ORIGIN, source=source_text("infogan", MODEL, 77))
    sent = [labelled_dicom(COLOUR, other), labelled_dicom(GREY, other)]
    # DICOM PS3.18 10.5: multipart/related, a part for each instance.
    body = b"".join(
        b"--part\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n" for data in sent
    )
    answer = httpx.post(
        f"{orthanc.url}/dicom-web/studies",
        content=body + b"--part--\r\n",
        headers={
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=part',
            "Accept": "application/dicom+json",
        },
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert not answer.json().get("00081198", {}).get("Value")  # FailedSOPSequence
    assert len(answer.json()["00081199"]["Value"]) == len(sent)
    for data in sent:
        found = dcmread(io.BytesIO(data))
        assert_survived(look_up(orthanc, str(found.SOPInstanceUID)), data)
        search = httpx.get(
            f"{orthanc.url}/dicom-web/studies/{found.StudyInstanceUID}/metadata",
            headers={"Accept": "application/dicom+json"},
            trust_env=False,
            timeout=60,
        )
        assert search.json()[0]["00100010"]["Value"] == [{"Alphabetic": "SYNTHETIC^GRAFT"}]
        assert search.json()[0]["0008001C"]["Value"] == ["YES"]
