from __future__ import annotations

import hashlib
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_core.packaging import PackageFacts, RejectedImage, SyntheticImage, write_zip
from gan_core.packaging.cards import dataset_card
from gan_core.packaging.data import Counts
from gan_core.progress import Progress, Stopped
from gan_core.spec.errors import GraftError

Make = Callable[..., SyntheticImage]


def lines(archive: zipfile.ZipFile) -> list[dict]:
    return [json.loads(line) for line in archive.read("metadata.jsonl").splitlines()]


def test_the_zip_holds_every_image_with_its_pixels_and_a_line_about_it(
    package: Path, draw: Callable[[int], np.ndarray]
) -> None:
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
        described = lines(archive)
        assert [line["seed"] for line in described] == list(range(12))
        for line in described:
            data = archive.read(line["file_name"])
            assert hashlib.sha256(data).hexdigest() == line["sha256"]
            with Image.open(BytesIO(data)) as image:
                np.testing.assert_array_equal(np.asarray(image), draw(line["seed"]))
        assert described[3]["file_name"] == "malignant/infogan-10-s0-000003.png"
        assert described[3]["screening"] == {"near_copy_rms": 23.5}


def test_the_same_job_gives_the_same_bytes(
    tmp_path: Path, facts: PackageFacts, make_image: Make
) -> None:
    written = []
    for name in ("a.zip", "b.zip"):
        summary = write_zip(tmp_path / name, images=[make_image(1), make_image(2)], facts=facts)
        data = (tmp_path / name).read_bytes()
        assert summary.sha256 == hashlib.sha256(data).hexdigest()
        assert summary.size == len(data)
        written.append(data)
    assert written[0] == written[1]


def test_the_checksums_are_those_of_all_other_files(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        sums = dict(
            reversed(line.split("  ", 1))
            for line in archive.read("SHA256SUMS").decode().splitlines()
        )
        assert set(sums) == set(archive.namelist()) - {"SHA256SUMS"}
        for name, sha256 in sums.items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == sha256


def test_images_with_a_reason_are_left_out_and_counted(
    tmp_path: Path, facts: PackageFacts, make_image: Make
) -> None:
    images = [make_image(0), make_image(1, left_out="near-copy"), make_image(2)]
    summary = write_zip(tmp_path / "out.zip", images=images, facts=facts)
    assert (summary.written, summary.left_out) == (2, {"near-copy": 1})
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert [line["seed"] for line in lines(archive)] == [0, 2]
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["images"]["written"] == 2
        assert manifest["images"]["left_out"] == [
            {"model": facts.models[0].sha256, "reason": "near-copy", "count": 1}
        ]
        card = archive.read("dataset-card.md").decode()
        assert "Left out: 1 (nearly equal to a training image)." in card
        assert json.loads(archive.read("rejected.jsonl")) == {
            "model": facts.models[0].sha256,
            "seed": 1,
            "reason": "near-copy",
            "screening": {"near_copy_rms": 21.5},
        }


def test_images_that_were_left_out_before_are_listed_and_counted(
    tmp_path: Path, facts: PackageFacts, make_image: Make
) -> None:
    model = facts.models[0].sha256
    rejected = [
        RejectedImage(model=model, seed=seed, reason=reason, screening={"confidence": 0.25})
        for seed, reason in ((7, "wrong-class"), (8, "alike"), (9, "alike"))
    ]
    out = tmp_path / "out.zip"
    summary = write_zip(out, images=[make_image(0)], rejected=rejected, facts=facts)
    assert (summary.written, summary.left_out) == (1, {"alike": 2, "wrong-class": 1})
    with zipfile.ZipFile(out) as archive:
        listed = [json.loads(line) for line in archive.read("rejected.jsonl").splitlines()]
        assert [(line["seed"], line["reason"]) for line in listed] == [
            (7, "wrong-class"),
            (8, "alike"),
            (9, "alike"),
        ]
        assert listed[0]["screening"] == {"confidence": 0.25}
        card = archive.read("dataset-card.md").decode()
        assert "Left out: 1 (a classifier takes it for another class)." in card


def test_an_image_left_out_of_no_known_model_is_refused(
    tmp_path: Path, facts: PackageFacts, make_image: Make
) -> None:
    rejected = [RejectedImage(model="00" * 32, seed=1, reason="alike")]
    with pytest.raises(ValueError, match="unknown model"):
        write_zip(tmp_path / "o.zip", images=[make_image(0)], rejected=rejected, facts=facts)


def test_the_card_says_when_fewer_images_passed_than_were_needed(facts: PackageFacts) -> None:
    screening = {"drawn": 40, "kept": 7, "needed": 10, "is_short": True}
    model = replace(facts.models[0], screening=screening)
    card = dataset_card(replace(facts, models=[model]), Counts(), {})
    assert "7 images were chosen among 40 that were drawn" in card
    assert "10 were needed, and no more passed." in card
    enough = replace(model, screening=screening | {"is_short": False})
    assert "needed" not in dataset_card(replace(facts, models=[enough]), Counts(), {})


def test_the_manifest_says_what_it_takes_to_make_the_images_again(
    package: Path, facts: PackageFacts
) -> None:
    with zipfile.ZipFile(package) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["dataset"]["digest"] == facts.dataset_digest
    assert manifest["spec"] == facts.spec
    assert manifest["steps"] == facts.steps
    assert manifest["environment"] == facts.environment
    assert manifest["models"] == [facts.models[0].as_json()]


def test_the_card_says_its_limits_and_never_that_anything_is_anonymous(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        card = archive.read("dataset-card.md").decode()
    assert "No privacy analysis was made beyond the near-copy check" in card
    assert "Every image here is synthetic" in card
    assert "It is not known whether they help." in card
    assert "anonym" not in card.lower()


def test_a_package_without_a_screen_says_so(
    tmp_path: Path, facts: PackageFacts, make_image: Make
) -> None:
    out = tmp_path / "out.zip"
    write_zip(out, images=[make_image(0)], facts=replace(facts, near_copy_rms=None))
    with zipfile.ZipFile(out) as archive:
        assert (
            "near-copies of training images were not looked for"
            in archive.read("dataset-card.md").decode()
        )
        assert json.loads(archive.read("manifest.json"))["screening"]["near_copies"] is False


def test_class_names_are_shown_but_never_used_as_paths_or_markup(
    tmp_path: Path, facts: PackageFacts, make_image: Make
) -> None:
    name = "../<b>evil</b> | *n*"
    hostile = replace(facts, rare_class=name, dataset_classes={name: {"train": 2, "test": 1}})
    write_zip(tmp_path / "out.zip", images=[make_image(0, class_name=name)], facts=hostile)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert lines(archive)[0]["file_name"] == "b-evil-b-n/infogan-10-s0-000000.png"
        assert lines(archive)[0]["class"] == name
        assert "<b>" not in archive.read("dataset-card.md").decode().split("---", 2)[2]


@pytest.mark.parametrize(
    "changes",
    [{"id": "../up"}, {"id": "a/b"}, {"id": ""}, {"class_name": "other"}, {"model": "00" * 32}],
)
def test_an_image_that_does_not_fit_is_refused_and_nothing_is_left(
    tmp_path: Path, facts: PackageFacts, make_image: Make, changes: dict
) -> None:
    with pytest.raises(ValueError, match=r"image|file name"):
        write_zip(tmp_path / "out.zip", images=[make_image(0, **changes)], facts=facts)
    assert list(tmp_path.iterdir()) == []


def test_two_images_cannot_share_an_id(
    tmp_path: Path, facts: PackageFacts, make_image: Make
) -> None:
    with pytest.raises(ValueError, match="two images"):
        write_zip(tmp_path / "out.zip", images=[make_image(0), make_image(0)], facts=facts)


def test_a_full_disk_is_said_in_a_sentence_and_leaves_the_old_zip_alone(
    tmp_path: Path, facts: PackageFacts, make_image: Make
) -> None:
    out = tmp_path / "out.zip"
    out.write_bytes(b"before")

    def images():
        yield make_image(0)
        raise OSError(28, "No space left on device")

    with pytest.raises(GraftError) as caught:
        write_zip(out, images=images(), facts=facts)
    assert caught.value.code == "zip_not_written"
    assert "No space left" in caught.value.detail
    assert out.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [out]


def test_packing_can_be_stopped_and_leaves_nothing(
    tmp_path: Path, facts: PackageFacts, make_image: Make
) -> None:
    asked = iter([False, False, True])
    with pytest.raises(Stopped):
        write_zip(
            tmp_path / "out.zip",
            images=(make_image(seed) for seed in range(9)),
            facts=facts,
            should_stop=lambda: next(asked),
        )
    assert list(tmp_path.iterdir()) == []


def test_progress_rises_to_one(tmp_path: Path, facts: PackageFacts, make_image: Make) -> None:
    heard: list[Progress] = []
    images = (make_image(seed) for seed in range(200))
    write_zip(
        tmp_path / "out.zip", images=images, facts=facts, expected=200, on_progress=heard.append
    )
    fractions = [progress.fraction for progress in heard]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) > 3


def test_memory_does_not_grow_with_the_pixels(
    tmp_path: Path, facts: PackageFacts, make_image: Make
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    tracemalloc.start()
    try:
        write_zip(
            tmp_path / "out.zip",
            images=(make_image(seed, pixels=pixels) for seed in range(150)),
            facts=facts,
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The images are 7 MB; the directory and the checksums of 150 files are well under 1 MB.
    assert (tmp_path / "out.zip").stat().st_size > 6e6
    assert peak < 2e6


def test_a_package_without_images_is_whole(tmp_path: Path, facts: PackageFacts) -> None:
    summary = write_zip(tmp_path / "out.zip", images=[], facts=facts)
    assert summary.written == 0
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.read("metadata.jsonl") == b""


def test_the_card_says_what_a_gan_learnt_from_other_classes(facts: PackageFacts) -> None:
    alone = dataset_card(facts, Counts(), {})
    assert "other classes" not in alone
    model = replace(facts.models[0], learnt_from={"benign": 40, "malignant": 10})
    card = dataset_card(replace(facts, models=[model]), Counts(), {})
    assert "Learnt from other classes' training images, too (40 of benign): infogan at 10." in card
