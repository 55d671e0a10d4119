"""Sets of DICOM files become packed arrays, and nothing else of them does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dicom_files as files
import numpy as np
import pytest

from gan_core.reading import DatasetIndex, PackedDataset, ReadOptions, pack
from gan_core.spec.errors import GraftError

MakeZip = Callable[..., Path]
SIDE = 40


def read(source: Path, out: Path, **options: Any) -> DatasetIndex:
    return pack(source, out, image_size=SIDE, options=ReadOptions(**options))


def people(patients: dict[str, list[str]], seed: int = 0) -> dict[str, bytes]:
    """Return files of patients: patient → the class of each of their images."""
    members: dict[str, bytes] = {}
    for patient, classes in patients.items():
        for k, name in enumerate(classes):
            seed += 1
            members[f"{name}/{patient}-{k}.dcm"] = files.dicom_file(
                files.blocks(seed), PatientID=patient, StudyInstanceUID=f"1.2.{seed}"
            )
    return members


def codes(index: DatasetIndex) -> list[str]:
    return [problem.code for problem in index.problems]


def test_dicom_files_and_others_make_one_set(make_zip: MakeZip, tmp_path: Path) -> None:
    members = {}
    for k in range(6):
        one = files.blocks(k)
        members[f"train/common/{k}.dcm"] = files.dicom_file(one)
        members[f"train/rare/{k}.png"] = files.pillow_frame(one[::-1], "PNG")
        members[f"test/common/1.2.840.{k}"] = files.dicom_file(255 - one)
        members[f"test/rare/{k}"] = files.compressed(255 - one[::-1], files.JPEG_LS)
    index = read(make_zip(members), tmp_path / "out")
    assert index.counts == {"common": {"train": 6, "test": 6}, "rare": {"train": 6, "test": 6}}
    assert codes(index) == []
    packed = PackedDataset.open(tmp_path / "out")
    assert (packed.images("train")[0][..., 0] == files.blocks(0)).all()


def test_names_do_not_count(make_zip: MakeZip, tmp_path: Path) -> None:
    members = {f"{c}/{k}.jpg": files.dicom_file(files.blocks(9 * k + len(c)))
               for k in range(5) for c in ("a", "bb")}  # fmt: skip
    members["a/no.dcm"] = b"\0" * 400
    index = read(make_zip(members), tmp_path / "out", unreadable_share=0.5)
    assert sum(sum(s.values()) for s in index.counts.values()) == 10
    assert codes(index) == ["not_an_image"]


def test_nothing_of_the_header_is_packed(make_zip: MakeZip, tmp_path: Path) -> None:
    members = {}
    for k in range(10):
        data, count = files.full_of_names(files.blocks(k))
        assert count >= 20
        members[f"{'ab'[k % 2]}/{k}.dcm"] = data
    read(make_zip(members), tmp_path / "out")
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.name for path in written} == {"train.npy", "test.npy", "index.json"}
    for path in written:
        content = path.read_bytes()
        for identifier in (files.PLANTED, "678901234", "19620817", "101112", "example.org"):
            assert identifier.encode() not in content
            assert identifier.encode("utf-16-le") not in content
    arrays = [np.load(tmp_path / "out" / f"{split}.npy") for split in ("train", "test")]
    rows = np.concatenate(arrays)
    originals = np.stack([files.blocks(k) for k in range(10)])
    # The arrays hold the pixels, and not a byte besides: each row is one of the images.
    assert sorted(row[..., 0].tobytes() for row in rows) == sorted(o.tobytes() for o in originals)
    for split, array in zip(("train", "test"), arrays, strict=True):
        assert (tmp_path / "out" / f"{split}.npy").stat().st_size == 128 + array.nbytes


def test_burned_in_text_is_told_and_not_removed(make_zip: MakeZip, tmp_path: Path) -> None:
    members = people({f"p{k}": ["a", "b"] for k in range(8)})
    members["a/x.dcm"] = files.dicom_file(files.blocks(90), BurnedInAnnotation="YES", PatientID="x")
    index = read(make_zip(members), tmp_path / "out")
    (problem,) = [p for p in index.problems if p.code == "burned_in_annotation"]
    assert problem.detail.startswith("1 DICOM files")
    assert "not removed" in problem.detail
    assert index.unreadable == 0


def test_synthetic_images_are_told(make_zip: MakeZip, tmp_path: Path) -> None:
    members = {f"{c}/{k}.dcm": files.dicom_file(files.blocks(9 * k + len(c)), SyntheticData="YES")
               for k in range(5) for c in ("a", "bb")}  # fmt: skip
    index = read(make_zip(members), tmp_path / "out")
    assert codes(index) == ["synthetic_images"]


def test_one_patient_is_on_one_side_of_a_drawn_split(make_zip: MakeZip, tmp_path: Path) -> None:
    # Most patients have images of both classes, as with moles.
    patients = {f"p{k}": ["common", "common", "rare", "common"][: 2 + k % 3] for k in range(24)}
    members = people(patients)
    for seed in range(3):
        source = make_zip(members, f"{seed}.zip")
        index = read(source, tmp_path / str(seed), split_seed=seed)
        names = list(members)
        side = {}
        for split, rows in index.splits.items():
            for entry in rows.entries:
                patient = names[entry - 1].split("/")[1].split("-")[0]
                assert side.setdefault(patient, split) == split
        assert codes(index) == []
        for counts in index.counts.values():
            share = counts["test"] / (counts["test"] + counts["train"])
            assert 0.05 <= share <= 0.25


def test_the_same_set_is_split_in_the_same_way_whatever_the_salt(
    make_zip: MakeZip, tmp_path: Path
) -> None:
    source = make_zip(people({f"p{k}": ["a", "b", "a"] for k in range(9)}))
    assert read(source, tmp_path / "1").digest == read(source, tmp_path / "2").digest


def test_a_patient_in_train_and_test_of_an_own_split_is_told(
    make_zip: MakeZip, tmp_path: Path
) -> None:
    members = {}
    for split, start in (("train", 0), ("test", 100)):
        for k in range(6):
            for name in ("a", "b"):
                # Patient 5 is on both sides.
                patient = f"p{k}" if k == 5 else f"{split}-{k}"
                members[f"{split}/{name}/{k}.dcm"] = files.dicom_file(
                    files.blocks(start + 10 * k + ord(name)), PatientID=patient
                )
    index = read(make_zip(members), tmp_path / "out")
    (problem,) = index.problems
    assert problem.code == "patient_across_splits"
    assert problem.detail.startswith("1 patients")
    assert "(2 test images)" in problem.detail


def test_a_placeholder_for_all_patients_says_nothing(make_zip: MakeZip, tmp_path: Path) -> None:
    members = {
        f"{name}/{k}.dcm": files.dicom_file(
            files.blocks(10 * k + ord(name)), PatientID="CASE", StudyInstanceUID=f"1.2.{k}"
        )
        for k in range(10)
        for name in ("a", "b")
    }
    index = read(make_zip(members), tmp_path / "out")
    assert codes(index) == []
    # Each study has one image of each class, and its two are together.
    assert index.counts == {"a": {"train": 8, "test": 2}, "b": {"train": 8, "test": 2}}


def test_frames_are_images_and_stay_together(make_zip: MakeZip, tmp_path: Path) -> None:
    members = {
        f"{name}/{k}.dcm": files.dicom_file(
            np.stack([files.blocks(100 * k + 10 * f + ord(name)) for f in range(3)]), frames=True
        )
        for k in range(8)
        for name in ("a", "b")
    }
    index = read(make_zip(members), tmp_path / "out")
    assert index.counts == {"a": {"train": 21, "test": 3}, "b": {"train": 21, "test": 3}}
    assert codes(index) == ["frames_as_images"]
    sides = [set(rows.entries) for rows in index.splits.values()]
    assert sides[0] & sides[1] == set()
    packed = PackedDataset.open(tmp_path / "out")
    for k in range(3):
        assert (packed.images("test")[k][..., 0] != packed.images("test")[k - 1][..., 0]).any()


def test_frames_beyond_the_limit_of_images_are_refused(make_zip: MakeZip, tmp_path: Path) -> None:
    members = {
        f"{name}/0.dcm": files.dicom_file(np.zeros((9, 16, 16), np.uint8), frames=True)
        for name in ("a", "b")
    }
    with pytest.raises(GraftError) as caught:
        read(make_zip(members), tmp_path / "out", max_entries=15)
    assert caught.value.code == "archive_too_many_entries"
    assert not (tmp_path / "out").exists()
    with pytest.raises(GraftError) as caught:
        read(make_zip(members), tmp_path / "out", max_frames=8)
    assert caught.value.code == "too_many_unreadable"


def test_what_cannot_be_decoded_is_an_unreadable_entry(make_zip: MakeZip, tmp_path: Path) -> None:
    members = people({f"p{k}": ["a", "b"] for k in range(10)})
    members["a/large.dcm"] = files.dicom_file(files.blocks(1), Rows=60000, Columns=60000)
    members["a/report.dcm"] = files.dicom_file(files.blocks(1), PixelData=None)
    members["b/bomb.dcm"] = files.deflate_bomb(2**20)
    index = read(make_zip(members), tmp_path / "out", unreadable_share=0.5, max_entry_bytes=2**19)
    assert sorted(codes(index)) == ["image_too_large", "image_too_large", "not_an_image"]
    assert index.unreadable == 3


def test_a_directory_of_a_medium_is_nobodys_problem(make_zip: MakeZip, tmp_path: Path) -> None:
    members = people({f"p{k}": ["a", "b"] for k in range(10)}) | {"a/DICOMDIR": b"\0" * 200}
    assert codes(read(make_zip(members), tmp_path / "out")) == []
