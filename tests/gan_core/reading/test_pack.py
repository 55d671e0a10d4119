"""A set is packed as a whole or not at all, and says what it holds."""

import errno
import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_core.progress import Progress, Stopped
from gan_core.reading import PackedDataset, ReadOptions, pack
from gan_core.spec.errors import GraftError

Members = dict[str, bytes]
MakeZip = Callable[..., Path]
MakeImage = Callable[..., bytes]


def _refused(source: Path, out: Path, **options: Any) -> GraftError:
    before = set(out.parent.rglob("*"))
    size = options.pop("image_size", 32)
    with pytest.raises(GraftError) as caught:
        pack(source, out, image_size=size, options=ReadOptions(**options))
    assert set(out.parent.rglob("*")) == before, "something was left half-done"
    return caught.value


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "packed"


def test_a_packed_set_holds_every_image_with_its_label(
    members: Members, make_zip: MakeZip, out: Path
) -> None:
    source = make_zip(members)
    index = pack(source, out, image_size=40)
    dataset = PackedDataset.open(out)
    assert sorted(child.name for child in out.iterdir()) == ["index.json", "test.npy", "train.npy"]
    assert dataset.index == index
    assert dataset.classes == ["common", "rare"]
    assert dataset.counts == {"common": {"train": 6, "test": 3}, "rare": {"train": 6, "test": 3}}
    assert (dataset.image_size, dataset.is_phantom, index.has_own_split) == (40, False, True)
    names = list(members)
    for split in ("train", "test"):
        images, labels = dataset.images(split), dataset.labels(split)
        assert isinstance(images, np.memmap)
        assert not images.flags.writeable
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
        for row, entry in enumerate(index.splits[split].entries):
            name = names[entry - 1]
            with zipfile.ZipFile(source) as archive, archive.open(name) as file:
                np.testing.assert_array_equal(images[row], np.asarray(Image.open(file)))
            assert name.startswith(f"{split}/{dataset.classes[labels[row]]}/")
            digest = hashlib.sha256(images[row].tobytes()).hexdigest()
            assert digest == index.splits[split].sha256[row]


def test_a_folder_gives_the_same_set_as_its_zip(
    members: Members, make_zip: MakeZip, out: Path, tmp_path: Path
) -> None:
    for name, data in members.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    from_folder = pack(tmp_path / "folder", out, image_size=32)
    from_zip = pack(make_zip(members), tmp_path / "other", image_size=32)
    assert from_folder.digest == from_zip.digest


def test_the_digest_depends_on_what_the_set_holds_and_not_on_the_archive(
    members: Members, make_zip: MakeZip, make_image: MakeImage, tmp_path: Path
) -> None:
    def digest(changed: Members, size: int = 32) -> str:
        out = tmp_path / f"packed-{len(list(tmp_path.iterdir()))}"
        return pack(make_zip(changed, method=8), out, image_size=size).digest

    plain = digest(members)
    assert digest(dict(reversed(members.items()))) == plain
    assert digest({f"root/{name}": data for name, data in members.items()}) == plain
    assert digest({**members, "README.txt": b"hello"}) == plain
    assert digest(members, size=33) != plain
    assert digest({**members, "train/rare/0.png": make_image(99)}) != plain
    assert digest({n.replace("rare", "scarce"): d for n, d in members.items()}) != plain
    moved = dict(members)
    moved["train/rare/9.png"] = moved.pop("train/common/5.png")
    assert digest(moved) != plain


def test_no_name_of_a_file_and_no_metadata_is_kept(
    members: Members, make_zip: MakeZip, out: Path, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Mrs Patient"
    path = tmp_path / "camera.jpg"
    Image.new("RGB", (40, 40), "red").save(path, exif=exif, comment=b"Mrs Patient")
    members["train/rare/Mrs-Patient-1950.jpg"] = path.read_bytes()
    pack(make_zip(members), out, image_size=32)
    for child in out.iterdir():
        assert b"Patient" not in child.read_bytes()


def test_unreadable_images_are_skipped_and_named_by_their_number(
    members: Members, make_zip: MakeZip, out: Path
) -> None:
    members["train/rare/broken.png"] = members["train/rare/0.png"][:100]
    members["train/rare/text.png"] = b"no image"
    index = pack(make_zip(members), out, image_size=32, options=ReadOptions(unreadable_share=0.2))
    assert index.unreadable == 2
    assert [(problem.code, problem.entry) for problem in index.problems] == [
        ("image_damaged", 19),
        ("not_an_image", 20),
    ]
    assert index.counts["rare"] == {"train": 6, "test": 3}


def test_too_many_unreadable_images_reject_the_set_and_the_first_are_named(
    members: Members, make_zip: MakeZip, out: Path
) -> None:
    members["train/rare/broken.png"] = b"no image"
    error = _refused(make_zip(members), out)
    assert error.code == "too_many_unreadable"
    assert "entries 19" in error.detail
    assert "5%" in error.detail


@pytest.mark.parametrize(
    ("kept", "code"),
    [
        ("train/rare/0", "rare_class_too_small"),
        ("train/rare/none", "class_missing_in_train"),
    ],
)
def test_a_rare_class_with_fewer_than_two_training_images_is_refused(
    members: Members, make_zip: MakeZip, out: Path, kept: str, code: str
) -> None:
    few = {
        name: data
        for name, data in members.items()
        if not name.startswith("train/rare") or name.startswith(kept)
    }
    assert _refused(make_zip(few), out).code == code


def test_a_class_whose_test_images_are_all_unreadable_is_refused(
    members: Members, make_zip: MakeZip, out: Path
) -> None:
    for k in range(3):
        members[f"test/rare/{k}.png"] = b"no image"
    assert _refused(make_zip(members), out, unreadable_share=0.5).code == "class_missing_in_test"


@pytest.mark.parametrize("size", [31, 513, 0, -5])
def test_a_size_out_of_range_is_refused(
    members: Members, make_zip: MakeZip, out: Path, size: int
) -> None:
    assert _refused(make_zip(members), out, image_size=size).code == "image_size_out_of_range"


def test_a_limit_that_is_exceeded_in_a_decoding_thread_refuses_the_set(
    members: Members, make_zip: MakeZip, out: Path
) -> None:
    assert _refused(make_zip(members), out, max_unpacked_bytes=999).code == "archive_too_large"


def test_an_output_that_holds_something_is_left_alone(
    members: Members, make_zip: MakeZip, out: Path
) -> None:
    out.mkdir()
    (out / "mine").write_text("mine")
    assert _refused(make_zip(members), out).code == "output_not_empty"


def test_an_empty_output_folder_is_filled_and_a_killed_attempt_is_cleared_away(
    members: Members, make_zip: MakeZip, out: Path
) -> None:
    out.mkdir()
    stale = out.with_name(".packed.partial")
    stale.mkdir()
    (stale / "scratch").write_bytes(b"half")
    pack(make_zip(members), out, image_size=32)
    assert PackedDataset.open(out).counts["rare"]["train"] == 6
    assert not stale.exists()


def test_a_stop_leaves_nothing(members: Members, make_zip: MakeZip, out: Path) -> None:
    source = make_zip(members)
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    with pytest.raises(Stopped):
        pack(source, out, image_size=32, should_stop=should_stop)
    assert [child.name for child in out.parent.iterdir()] == ["set.zip"]


def test_progress_rises_to_one_and_counts_the_images(
    members: Members, make_zip: MakeZip, out: Path
) -> None:
    told: list[Progress] = []
    pack(make_zip(members), out, image_size=32, on_progress=told.append)
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert "reading images, 12/18" in [progress.detail for progress in told]


def test_a_full_disk_says_so_and_leaves_nothing(
    members: Members, make_zip: MakeZip, out: Path
) -> None:
    source = make_zip(members)
    # A limit on the size of files is the nearest to a full disk that needs no disk of its own.
    script = """
import resource, sys
from pathlib import Path
from gan_core.reading import pack
from gan_core.spec.errors import GraftError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    pack(Path(sys.argv[1]), Path(sys.argv[2]), image_size=64)
except GraftError as error:
    print(error.code)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(source), str(out)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == "disk_full"
    assert [child.name for child in out.parent.iterdir()] == ["set.zip"]


def test_another_error_of_the_disk_is_not_called_a_full_one(
    members: Members, make_zip: MakeZip, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="broken disk"):
        pack(make_zip(members), out, image_size=32)
    assert [child.name for child in out.parent.iterdir()] == ["set.zip"]


def test_duplicates_are_found_inside_and_across_splits_and_classes(
    members: Members, make_zip: MakeZip, out: Path, tmp_path: Path
) -> None:
    members["test/common/9.png"] = members["train/common/0.png"]
    members["train/rare/9.png"] = members["train/rare/1.png"]
    path = tmp_path / "near.jpg"
    pixels = np.random.default_rng(7).integers(0, 200, (4, 4, 3), dtype=np.uint8)
    smooth = Image.fromarray(pixels).resize((40, 40), Image.Resampling.BICUBIC)
    smooth.save(path, quality=95)
    members["train/rare/near.jpg"] = path.read_bytes()
    Image.fromarray(np.asarray(smooth) + np.uint8(3)).save(path, quality=95)
    members["train/common/near.jpg"] = path.read_bytes()
    duplicates = pack(make_zip(members), out, image_size=40).duplicates
    assert (duplicates.exact, duplicates.near) == (2, 1)
    assert (duplicates.across_splits, duplicates.across_classes) == (1, 1)
    assert duplicates.is_complete
    numbers = {name: number for number, name in enumerate(members, 1)}
    found = {
        (pair.kind, frozenset((pair.first.entry, pair.second.entry))) for pair in duplicates.pairs
    }
    assert found == {
        ("exact", frozenset((numbers["test/common/9.png"], numbers["train/common/0.png"]))),
        ("exact", frozenset((numbers["train/rare/9.png"], numbers["train/rare/1.png"]))),
        ("near", frozenset((numbers["train/rare/near.jpg"], numbers["train/common/near.jpg"]))),
    }
    dataset = PackedDataset.open(out)
    for pair in duplicates.pairs:
        first, second = (dataset.images(ref.split)[ref.index] for ref in (pair.first, pair.second))
        assert np.array_equal(first, second) == (pair.kind == "exact")


class TestWithoutASplit:
    """A set of class folders alone is split here."""

    @pytest.fixture
    def unsplit(self, make_image: MakeImage) -> Members:
        return {
            f"{name}/{k:02}.png": make_image(100 * len(name) + k)
            for name, count in (("common", 20), ("rare", 10))
            for k in range(count)
        }

    def test_a_fifth_of_each_class_becomes_the_test_split(
        self, unsplit: Members, make_zip: MakeZip, out: Path
    ) -> None:
        index = pack(make_zip(unsplit), out, image_size=32)
        assert not index.has_own_split
        assert index.counts == {
            "common": {"train": 16, "test": 4},
            "rare": {"train": 8, "test": 2},
        }

    def test_the_split_follows_its_seed(
        self, unsplit: Members, make_zip: MakeZip, tmp_path: Path
    ) -> None:
        source = make_zip(unsplit)

        def tested(out: str, seed: int) -> list[int]:
            options = ReadOptions(split_seed=seed)
            return (
                pack(source, tmp_path / out, image_size=32, options=options).splits["test"].entries
            )

        assert tested("a", 0) == tested("b", 0) != tested("c", 1)

    def test_copies_never_lie_on_both_sides(
        self, unsplit: Members, make_zip: MakeZip, out: Path
    ) -> None:
        for k in range(0, 20, 2):
            unsplit[f"common/{k + 1:02}.png"] = unsplit[f"common/{k:02}.png"]
        unsplit["common/99.png"] = unsplit["rare/00.png"]
        index = pack(make_zip(unsplit), out, image_size=32)
        assert index.duplicates.exact == 11
        assert index.duplicates.across_splits == 0
        assert index.counts["common"]["test"] == 4

    def test_a_class_of_copies_alone_is_split_all_the_same_and_the_index_tells(
        self, unsplit: Members, make_zip: MakeZip, out: Path
    ) -> None:
        for k in range(10):
            unsplit[f"rare/{k:02}.png"] = unsplit["rare/00.png"]
        index = pack(make_zip(unsplit), out, image_size=32)
        assert index.counts["rare"] == {"train": 8, "test": 2}
        assert index.duplicates.across_splits == 16

    def test_two_images_of_a_class_are_too_few(
        self, unsplit: Members, make_zip: MakeZip, out: Path
    ) -> None:
        few = {n: d for n, d in unsplit.items() if n.startswith("common") or n[5:7] in {"00", "01"}}
        assert _refused(make_zip(few), out).code == "rare_class_too_small"


class TestOpening:
    """A packed set that is damaged is not opened."""

    @pytest.fixture
    def packed(self, members: Members, make_zip: MakeZip, out: Path) -> Path:
        pack(make_zip(members), out, image_size=32)
        return out

    def test_the_rare_class_is_the_smallest_in_training(
        self, members: Members, make_zip: MakeZip, make_image: MakeImage, out: Path
    ) -> None:
        members["train/common/more.png"] = make_image(5)
        pack(make_zip(members), out, image_size=32)
        assert PackedDataset.open(out).rare_class() == "rare"

    @pytest.mark.parametrize("name", ["train.npy", "test.npy", "index.json"])
    def test_a_missing_or_cut_file_is_found(self, packed: Path, name: str) -> None:
        path = packed / name
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(GraftError, match="damaged"):
            PackedDataset.open(packed)
        path.unlink()
        with pytest.raises(GraftError, match="damaged"):
            PackedDataset.open(packed)

    def test_arrays_that_do_not_fit_the_index_are_found(self, packed: Path) -> None:
        path = packed / "index.json"
        index = json.loads(path.read_text())
        index["splits"]["train"]["labels"].pop()
        path.write_text(json.dumps(index))
        with pytest.raises(GraftError) as caught:
            PackedDataset.open(packed)
        assert caught.value.code == "dataset_damaged"
