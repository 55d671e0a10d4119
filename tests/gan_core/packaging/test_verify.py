from __future__ import annotations

import hashlib
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_core.packaging import Regenerate, VerifyReport, models_in, verify_zip
from gan_core.packaging.labels import labelled_png, source_text
from gan_core.progress import Stopped
from gan_core.spec.errors import GraftError

MODEL = "ab" * 32
AT_HAND = {MODEL: Path("model.safetensors")}


def outcomes(report: VerifyReport) -> dict[str, str]:
    return {check.name: check.outcome for check in report.checks}


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None], *, mend: bool) -> Path:
    """Change the files of a zip; ``mend`` sets its checksums right again, as a forger would."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    if mend:
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        files["SHA256SUMS"] = "".join(
            f"{sums[name]}  {name}\n" for name in files if name != "SHA256SUMS"
        ).encode()
    out = path.with_name("changed.zip")
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out


def with_metadata(files: dict[str, bytes], lines: list[dict[str, Any]]) -> None:
    files["metadata.jsonl"] = "".join(json.dumps(line) + "\n" for line in lines).encode()
    manifest = json.loads(files["manifest.json"])
    manifest["metadata_sha256"] = hashlib.sha256(files["metadata.jsonl"]).hexdigest()
    files["manifest.json"] = json.dumps(manifest).encode()


def metadata(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files["metadata.jsonl"].splitlines()]


def test_a_sound_zip_passes_every_check(package: Path, redraw: Regenerate) -> None:
    report = verify_zip(package, models=AT_HAND, sample=5, regenerate=redraw)
    assert report.is_sound
    assert set(outcomes(report).values()) == {"passed"}
    assert (report.images, report.regenerated) == (12, 5)


def test_without_models_the_pixels_are_skipped_and_it_says_so(package: Path) -> None:
    report = verify_zip(package)
    assert report.is_sound
    assert outcomes(report)["pixels"] == "skipped"
    assert "none of the models" in report.checks[-1].detail


def test_a_sample_larger_than_the_zip_takes_every_image(package: Path, redraw: Regenerate) -> None:
    assert verify_zip(package, models=AT_HAND, sample=99, regenerate=redraw).regenerated == 12


def test_the_sample_is_drawn_by_seed(package: Path, draw: Callable[[int], np.ndarray]) -> None:
    asked: list[list[int]] = []

    def regenerate(_: Path, seeds: Any, __: Any) -> np.ndarray:
        asked.append(list(seeds))
        return np.stack([draw(seed) for seed in seeds])

    for seed in (0, 0, 1):
        verify_zip(package, models=AT_HAND, sample=4, regenerate=regenerate, seed=seed)
    assert asked[0] == asked[1] != asked[2]


def test_a_changed_pixel_fails(package: Path, draw: Callable[[int], np.ndarray]) -> None:
    def regenerate(_: Path, seeds: Any, __: Any) -> np.ndarray:
        made = np.stack([draw(seed) for seed in seeds])
        made[0, 5, 5, 1] ^= 1
        return made

    report = verify_zip(package, models=AT_HAND, sample=3, regenerate=regenerate)
    assert not report.is_sound
    assert "by up to 1 of 255" in report.checks[-1].detail


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("weights_missing", "skipped"),
        ("upscaler_differs", "failed"),
        ("model_unreadable", "failed"),
    ],
)
def test_what_cannot_be_made_again_is_skipped_or_failed_by_its_reason(
    package: Path, code: str, outcome: str
) -> None:
    def regenerate(*_: Any) -> np.ndarray:
        raise GraftError(code, "It did not work.")

    report = verify_zip(package, models=AT_HAND, regenerate=regenerate)
    assert outcomes(report)["pixels"] == outcome


def test_one_changed_byte_fails_the_checksums(package: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        name = next(n for n in files if n.endswith("000004.png"))
        files[name] = files[name][:-1] + b"x"

    report = verify_zip(rewritten(package, change, mend=False))
    assert outcomes(report) == {"contents": "passed", "checksums": "failed"}
    assert "000004.png" in report.checks[-1].detail


def test_damaged_data_fails_the_checksums(package: Path) -> None:
    data = bytearray(package.read_bytes())
    data[200] ^= 255
    package.write_bytes(data)
    report = verify_zip(package)
    assert not report.is_sound


def test_an_image_without_its_label_fails_even_with_right_checksums(package: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        lines = metadata(files)
        name = lines[2]["file_name"]
        source = source_text("infogan", MODEL, lines[2]["seed"])
        pixels = np.zeros((32, 32, 3), np.uint8)
        bare = labelled_png(pixels, source=source, software="x").replace(
            b"trainedAlgorithmicMedia", b"digitalCapture---------"
        )
        # The chunk's own checksum has to be right, or the image could not be read at all.
        import struct
        import zlib

        start = bare.index(b"iTXt")
        length = int.from_bytes(bare[start - 4 : start])
        end = start + 4 + length
        crc = struct.pack(">I", zlib.crc32(bare[start:end]))
        files[name] = bare[:end] + crc + bare[end + 4 :]
        lines[2]["sha256"] = hashlib.sha256(files[name]).hexdigest()
        with_metadata(files, lines)

    report = verify_zip(rewritten(package, change, mend=True))
    assert outcomes(report)["manifest"] == "passed"
    assert outcomes(report)["labels"] == "failed"
    assert "does not say that it is synthetic" in report.checks[-1].detail


def test_metadata_that_names_another_seed_fails(package: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        lines = metadata(files)
        lines[0]["seed"] = 999
        with_metadata(files, lines)

    report = verify_zip(rewritten(package, change, mend=True))
    assert outcomes(report)["labels"] == "failed"


def dropped_line(files: dict[str, bytes]) -> None:
    with_metadata(files, metadata(files)[1:])


def doubled_line(files: dict[str, bytes]) -> None:
    lines = metadata(files)
    with_metadata(files, [*lines, lines[0]])


def unknown_model(files: dict[str, bytes]) -> None:
    lines = metadata(files)
    lines[0]["model"] = "00" * 32
    with_metadata(files, lines)


def not_synthetic(files: dict[str, bytes]) -> None:
    lines = metadata(files)
    lines[0]["synthetic"] = False
    with_metadata(files, lines)


def other_metadata(files: dict[str, bytes]) -> None:
    files["metadata.jsonl"] += b"{}\n"


def foreign_manifest(files: dict[str, bytes]) -> None:
    files["manifest.json"] = b'{"format": "something else"}'


def newer_manifest(files: dict[str, bytes]) -> None:
    manifest = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps(manifest | {"format_version": 99}).encode()


def no_json(files: dict[str, bytes]) -> None:
    files["manifest.json"] = b"\xff\xfe"


def deep_json(files: dict[str, bytes]) -> None:
    files["manifest.json"] = b"[" * 200_000


def vast_upscale(files: dict[str, bytes]) -> None:
    manifest = json.loads(files["manifest.json"])
    manifest["models"][0]["upscale"]["size"] = 10**9
    files["manifest.json"] = json.dumps(manifest).encode()


@pytest.mark.parametrize(
    "change",
    [
        dropped_line,
        doubled_line,
        unknown_model,
        not_synthetic,
        other_metadata,
        foreign_manifest,
        newer_manifest,
        no_json,
        deep_json,
        vast_upscale,
    ],
)
def test_a_manifest_that_does_not_fit_fails_even_with_right_checksums(
    package: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    report = verify_zip(rewritten(package, change, mend=True))
    assert outcomes(report)["checksums"] == "passed"
    assert outcomes(report)["manifest"] == "failed"


@pytest.mark.parametrize(
    "name",
    ["../up.png", "/etc/x.png", "malignant/../../x.png", "a\\b.png", "notes.txt", "x/run\n.png"],
)
def test_entries_that_do_not_belong_fail_and_nothing_is_unpacked(
    package: Path, tmp_path: Path, name: str
) -> None:
    changed = rewritten(package, lambda files: files.update({name: b"x"}), mend=True)
    before = sorted(tmp_path.rglob("*"))
    report = verify_zip(changed)
    assert outcomes(report) == {"contents": "failed"}
    assert "\n" not in report.checks[0].detail
    assert sorted(tmp_path.rglob("*")) == before


def test_two_entries_of_one_name_fail(package: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(package, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("manifest.json", b"{}")
    report = verify_zip(package)
    assert outcomes(report) == {"contents": "failed"}


def test_a_missing_manifest_fails(package: Path) -> None:
    changed = rewritten(package, lambda files: files.pop("manifest.json"), mend=True)
    assert "manifest.json" in verify_zip(changed).checks[0].detail


def test_what_is_no_zip_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"not a zip at all")
    for path in (tmp_path / "x.zip", tmp_path / "absent.zip"):
        with pytest.raises(GraftError) as caught:
            verify_zip(path)
        assert caught.value.code == "zip_unreadable"


def test_verifying_can_be_stopped(package: Path) -> None:
    with pytest.raises(Stopped):
        verify_zip(package, should_stop=lambda: True)


def test_models_are_found_by_what_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    path = tmp_path / "any name.safetensors"
    path.write_bytes(b"weights")
    (tmp_path / "other.bin").write_bytes(b"weights")
    (tmp_path / "below" / "deeper.safetensors").write_bytes(b"other weights")
    assert models_in(tmp_path) == {hashlib.sha256(b"weights").hexdigest(): path}


def with_rejected(files: dict[str, bytes], line: dict[str, Any], *, counted: bool = True) -> None:
    files["rejected.jsonl"] = json.dumps(line).encode() + b"\n"
    manifest = json.loads(files["manifest.json"])
    if counted:
        reason = {"model": line.get("model"), "reason": line.get("reason"), "count": 1}
        manifest["images"]["left_out"] = [reason]
    files["manifest.json"] = json.dumps(manifest).encode()


GONE = {"model": MODEL, "seed": 77, "reason": "alike", "screening": {}}


def test_what_is_listed_as_left_out_is_no_fault(package: Path) -> None:
    changed = rewritten(package, lambda files: with_rejected(files, GONE), mend=True)
    assert verify_zip(changed).is_sound


def test_a_zip_of_before_without_such_a_list_is_sound(package: Path) -> None:
    changed = rewritten(package, lambda files: files.pop("rejected.jsonl"), mend=True)
    assert verify_zip(changed).is_sound


@pytest.mark.parametrize(
    ("line", "counted", "said"),
    [
        (GONE, False, "counts other images as left out"),
        (GONE | {"seed": 3}, True, "is listed as left out"),
        (GONE | {"model": "00" * 32}, True, "names a model that the manifest does not"),
        (GONE | {"seed": "3"}, True, "without a seed"),
        (GONE | {"reason": None}, True, "without a reason"),
    ],
)
def test_a_list_of_images_left_out_that_contradicts_the_rest_fails(
    package: Path, line: dict[str, Any], counted: bool, said: str
) -> None:
    changed = rewritten(
        package, lambda files: with_rejected(files, line, counted=counted), mend=True
    )
    report = verify_zip(changed)
    assert not report.is_sound
    assert said in report.checks[-1].detail
