"""Images that were planted among those drawn: each is left out for what it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_core.benchmark.subsets import nested_subset
from gan_core.features import FeatureExtractor
from gan_core.phantoms import draw_phantoms
from gan_core.progress import Progress, Stopped, ignore_progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.screening.features import drawn_features
from gan_core.screening.told import Screening
from gan_core.spec.errors import GraftError
from gan_core.steps import StepContext, StepSettings, run_step, screen

COUNT = 10
SIZE = 64
RULES = {"near_copies": True, "near_copy_rms": 4.0} | dict.fromkeys(
    ("label", "off_manifold", "diverse"), False
)
ALL_RULES = RULES | dict.fromkeys(("label", "off_manifold", "diverse"), True)


@dataclass
class Bench:
    """A data set with ten real images of the rare class, images as drawn, and what they are."""

    root: Path
    drawn: np.ndarray
    kinds: list[str]

    def context(self, folder: Path, **changes: Any) -> StepContext:
        for name in ("outputs", "checkpoints"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        names = ("dataset", "generate", "train", "features")
        params = {"count": 10, "rare_class": "malignant", "real_count": COUNT, "subset": 3}
        return StepContext(
            name="screen:fastgan:10:s3",
            kind="screen",
            key="k",
            params=params | RULES | changes,
            inputs={name: self.root / name for name in names},
            outputs=folder / "outputs",
            checkpoints=folder / "checkpoints",
            settings=StepSettings(device="cpu", cache_dir=folder / "cache"),
            job={},
            on_progress=ignore_progress,
            should_stop=never_stop,
        )

    def run(self, folder: Path, **changes: Any) -> Screening:
        # The features of the same images are reckoned once, for all tests.
        context = self.context(folder, **changes)
        shutil.copytree(self.root / "known", context.checkpoints, dirs_exist_ok=True)
        run_step(context)
        return Screening.read(context.outputs)

    def of(self, kind: str) -> list[int]:
        return [row for row, other in enumerate(self.kinds) if other == kind]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    root = tmp_path_factory.mktemp("screen")
    counts = {"train": {"benign": 24, "malignant": 20}, "test": {"benign": 6, "malignant": 8}}
    draw_phantoms(root / "phantoms", counts=counts, image_size=SIZE)
    pack(root / "phantoms", root / "dataset", image_size=SIZE)
    dataset = PackedDataset.open(root / "dataset")
    labels, rare = dataset.labels("train"), dataset.classes.index("malignant")
    subset = nested_subset(labels, rare, COUNT, 3)
    test, test_labels = dataset.images("test"), dataset.labels("test")
    new = test[test_labels == rare]
    planted = {
        "new": new[:4],
        "copy": dataset.images("train")[subset[:3]],
        "noise": np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8),
        "other": test[test_labels != rare],
        "same": np.repeat(new[4:5], 5, axis=0),
        "later": new[5:],
    }
    drawn = np.concatenate(list(planted.values()))
    kinds = [kind for kind, images in planted.items() for _ in images]
    for name in ("generate", "train", "features", "known"):
        (root / name).mkdir()
    np.save(root / "generate" / "images.npy", drawn)
    np.save(root / "generate" / "seeds.npy", np.arange(100, 100 + len(drawn)))
    (root / "train" / "model-fastgan-10-s3.safetensors").write_bytes(b"a generator")
    (root / "train" / "model-fastgan-10-s3.json").write_text(json.dumps({"training": {}}))
    real = root / "features" / "train.npy"
    drawn_features(real, dataset.images("train"), "train", FeatureExtractor())
    bench = Bench(root, drawn, kinds)
    context = bench.context(root / "once")
    run_step(context)
    for path in context.checkpoints.glob("features.npy*"):
        shutil.copy(path, root / "known")
    shutil.copy(context.checkpoints / "step.key", root / "known")
    return bench


def reasons(told: Screening, rows: list[int]) -> list[str | None]:
    return [told.images[row].reason for row in rows]


def test_copies_of_training_images_are_near_copies(bench: Bench, tmp_path: Path) -> None:
    told = bench.run(tmp_path, count=99)
    assert told.rejected == {"near-copy": 3}
    assert reasons(told, bench.of("copy")) == ["near-copy"] * 3
    assert bench.run(tmp_path, count=99, near_copies=False).rejected == {}


def test_noise_is_off_the_manifold_and_new_real_images_are_not(
    bench: Bench, tmp_path: Path
) -> None:
    told = bench.run(tmp_path, count=99, off_manifold=True)
    assert reasons(told, bench.of("noise")) == ["off-manifold"] * 3
    assert reasons(told, bench.of("new")) == [None] * 4


def test_images_of_the_other_class_are_of_the_wrong_class(bench: Bench, tmp_path: Path) -> None:
    told = bench.run(tmp_path, count=99, label=True)
    assert reasons(told, bench.of("other")).count("wrong-class") >= 3
    assert reasons(told, bench.of("new")).count(None) >= 3
    assert {"confidence", "distance", "near_copy_rms"} == set(told.images[0].scores)


def test_of_identical_images_the_diverse_pick_takes_one(bench: Bench, tmp_path: Path) -> None:
    told = bench.run(tmp_path, count=99, diverse=True)
    assert reasons(told, bench.of("same")) == [None] + ["alike"] * 4
    assert told.is_short


def test_without_it_the_first_drawn_are_taken(bench: Bench, tmp_path: Path) -> None:
    told = bench.run(tmp_path, count=6)
    assert [image.reason for image in told.images[:9]] == [
        *[None] * 4,
        *["near-copy"] * 3,
        *[None] * 2,
    ]
    assert told.rejected == {"near-copy": 3, "not-needed": len(bench.drawn) - 9}
    assert not told.is_short


def test_what_is_kept_are_the_drawn_images_with_their_seeds_in_order(
    bench: Bench, tmp_path: Path
) -> None:
    told = bench.run(tmp_path, **ALL_RULES)
    images = np.load(tmp_path / "outputs" / "images.npy")
    seeds = np.load(tmp_path / "outputs" / "seeds.npy")
    assert images.dtype == np.uint8
    assert len(images) == len(seeds) == told.kept
    assert seeds.tolist() == [image.seed for image in told.images if image.reason is None]
    np.testing.assert_array_equal(images, bench.drawn[seeds - 100])


def test_the_same_step_leaves_the_same_bytes(bench: Bench, tmp_path: Path) -> None:
    for name in ("one", "two"):
        bench.run(tmp_path / name, **ALL_RULES)
    for name in ("images.npy", "seeds.npy", "screening.json"):
        one, two = (tmp_path / way / "outputs" / name for way in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_step_that_was_stopped_goes_on_where_it_was(bench: Bench, tmp_path: Path) -> None:
    context = bench.context(tmp_path, **ALL_RULES)
    asked = iter([False, True])
    with pytest.raises(Stopped):
        run_step(replace(context, should_stop=lambda: next(asked)))
    record = json.loads((context.checkpoints / "features.npy.progress.json").read_text())
    assert 0 < record["done"] < len(bench.drawn)
    heard: list[Progress] = []
    run_step(replace(context, on_progress=heard.append))
    fractions = [progress.fraction for progress in heard]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    undisturbed = bench.run(tmp_path / "other", **ALL_RULES)
    assert Screening.read(context.outputs) == undisturbed


def test_what_it_learns_from_are_the_columns_images_alone(bench: Bench, tmp_path: Path) -> None:
    dataset = PackedDataset.open(bench.root / "dataset")
    labels, rare = dataset.labels("train"), dataset.classes.index("malignant")
    subset = nested_subset(labels, rare, COUNT, 3)
    unseen = np.setdiff1d(np.flatnonzero(labels == rare), subset)
    path = bench.root / "features" / "train.npy"
    kept = path.read_bytes()
    before = bench.run(tmp_path / "before", **ALL_RULES)
    try:
        changed = np.load(path)
        changed[unseen] = np.random.default_rng(1).normal(size=(len(unseen), changed.shape[1]))
        np.save(path, changed)
        assert bench.run(tmp_path / "after", **ALL_RULES) == before
    finally:
        path.write_bytes(kept)


def test_images_that_must_be_left_out_are_not_learnt_from(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = PackedDataset.open(bench.root / "dataset")
    labels, rare = dataset.labels("train"), dataset.classes.index("malignant")
    subset = nested_subset(labels, rare, COUNT, 3)
    gone = np.sort(np.append(subset[:2], np.flatnonzero(labels != rare)[:2]))
    nothing = np.empty(0, np.int64)
    monkeypatch.setattr(
        screen, "left_out", lambda _, params: gone if "leaks" in params else nothing
    )
    path = bench.root / "features" / "train.npy"
    kept = path.read_bytes()
    rules = ALL_RULES | {"leaks": "leave-out"}
    before = bench.run(tmp_path / "before", **rules)
    assert before != bench.run(tmp_path / "with-all", **ALL_RULES)
    try:
        changed = np.load(path)
        changed[gone] = np.random.default_rng(1).normal(size=(4, changed.shape[1]))
        np.save(path, changed)
        assert bench.run(tmp_path / "after", **rules) == before
    finally:
        path.write_bytes(kept)


def test_when_nothing_passes_the_step_fails_with_what_left_them_out(
    bench: Bench, tmp_path: Path
) -> None:
    with pytest.raises(GraftError) as caught:
        bench.run(tmp_path, near_copy_rms=255.0)
    assert caught.value.code == "nothing_passed"
    assert f"near-copy {len(bench.drawn)}" in caught.value.detail
