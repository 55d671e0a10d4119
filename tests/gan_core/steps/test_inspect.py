"""Planted generators through the whole step, on phantoms.

With features that cost nothing: means and spreads of pixels in cells.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.benchmark.subsets import nested_subset
from gan_core.phantoms import draw_phantoms
from gan_core.progress import Progress, Stopped, ignore_progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.reading.dataset import Split
from gan_core.spec.findings import Privacy, SetQuality, Shortcut
from gan_core.steps import StepContext, StepSettings, run_step
from gan_core.steps import inspected as inspected_module
from gan_core.training.fit import fit_to_size
from gan_core.upscaling.lanczos import LanczosUpscaler

SIZE, LARGE, MEMBERS, FAKES, RARE = 32, 64, 12, 20, 1
SPLITS: tuple[Split, ...] = ("train", "test")
COUNTS = {"train": {"benign": 4, "malignant": 40}, "test": {"benign": 2, "malignant": 4}}
Images = NDArray[np.uint8]


class PixelFeatures:
    """Mean and spread of the colours in 8 x 8 cells of an image."""

    dimensions = 384
    fingerprint = "pixels"

    def __init__(self, **_: object) -> None:
        pass

    def extract(self, images: Images) -> NDArray[np.float32]:
        side = images.shape[1] // 8
        cells = images.reshape(len(images), 8, side, 8, side, 3).astype(np.float32)
        found = [cells.mean((2, 4)), cells.std((2, 4))]
        return np.concatenate([part.reshape(len(images), 192) for part in found], axis=1)


@pytest.fixture(autouse=True)
def by_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspected_module, "FeatureExtractor", PixelFeatures)


@dataclass(frozen=True)
class House:
    """The inputs that all sets have in common, and which training rows are what."""

    folder: Path
    dataset: PackedDataset
    members: NDArray[np.int64]
    new: Images
    """Images of the very same kind that stand nowhere in the data set."""

    def small_and_large(self, rows: NDArray[np.int64]) -> Images:
        small = fit_to_size(self.dataset.images("train")[rows], SIZE)
        return LanczosUpscaler().upscale(small, size=LARGE)


def packed(folder: Path, counts: dict[str, dict[str, int]], seed: int) -> PackedDataset:
    draw_phantoms(folder / "phantoms", counts=counts, image_size=LARGE, seed=seed)
    pack(folder / "phantoms", folder / "packed", image_size=LARGE)
    return PackedDataset.open(folder / "packed")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("inspected")
    dataset = packed(folder, COUNTS, 0)
    few = {"benign": 2, "malignant": 2}
    more = packed(folder / "more", {"train": {**few, "malignant": FAKES}, "test": few}, 99)
    members = nested_subset(dataset.labels("train"), RARE, MEMBERS, 0)
    new = more.images("train")[more.labels("train") == RARE]
    (folder / "train").mkdir()
    (folder / "train" / "model-dcgan-12-s0.safetensors").touch()
    (folder / "train" / "model-dcgan-12-s0.json").write_text(
        json.dumps({"training": {"real_count": MEMBERS}, "privacy": {"epsilon": 8, "delta": 1e-4}})
    )
    random = np.random.default_rng(0)
    np.savez(
        folder / "train" / "membership.npz",
        members=random.normal(size=MEMBERS) + 9,
        others=random.normal(size=28),
        source=np.array("held-out"),
    )
    return House(folder, dataset, members, new)


def context_of(
    house: House, folder: Path, fakes: Images, train: str = "train", **params: Any
) -> StepContext:
    own = {name: folder / name for name in ("features", "control", "fakes", "fakes-features")}
    for path in (folder / "outputs", folder / "checkpoints", *own.values()):
        path.mkdir(parents=True)
    extract = inspected_module.FeatureExtractor(device="cpu").extract
    for split in SPLITS:
        np.save(own["features"] / f"{split}.npy", extract(house.dataset.images(split)))
    np.save(own["control"] / "rows.npy", house.members)
    np.save(own["control"] / "features.npy", extract(house.small_and_large(house.members)))
    np.save(own["fakes"] / "images.npy", fakes)
    np.save(own["fakes-features"] / "features.npy", extract(fakes))
    return StepContext(
        name="inspect:dcgan:12:s0",
        kind="inspect",
        key="k",
        params={
            "gan": "dcgan",
            "image_size": SIZE,
            "rare_class": "malignant",
            "real_count": MEMBERS,
            "real_count_label": "12",
            "subset": 0,
            "near_copy_rms": 8.0,
            **params,
        },
        inputs={"dataset": house.folder / "packed", "train": house.folder / train, **own},
        outputs=folder / "outputs",
        checkpoints=folder / "checkpoints",
        settings=StepSettings(device="cpu", cache_dir=folder / "cache"),
        job={},
        on_progress=ignore_progress,
        should_stop=never_stop,
    )


@dataclass(frozen=True)
class Found:
    quality: SetQuality
    privacy: Privacy
    shortcut: Shortcut
    neighbours: dict[str, NDArray[Any]]


def findings(context: StepContext) -> Found:
    made = json.loads((context.outputs / "findings.json").read_text())
    return Found(
        SetQuality.model_validate(made["quality"]),
        Privacy.model_validate(made["privacy"]),
        Shortcut.model_validate(made["shortcut"]),
        dict(np.load(context.outputs / "neighbours.npz", allow_pickle=False)),
    )


def inspected(house: House, folder: Path, fakes: Images, **params: Any) -> Found:
    context = context_of(house, folder, fakes, **params)
    run_step(context)
    return findings(context)


def test_a_generator_that_copies_is_found_out(house: House, tmp_path: Path) -> None:
    rows = np.tile(house.members, 2)[:FAKES]
    fakes = house.small_and_large(rows).astype(np.int16)
    fakes += np.random.default_rng(0).integers(-1, 2, fakes.shape, np.int16)
    found = inspected(house, tmp_path, np.clip(fakes, 0, 255).astype(np.uint8))
    privacy = found.privacy
    assert (privacy.n_fake, privacy.n_members, privacy.n_others) == (FAKES, MEMBERS, 28)
    assert privacy.others == "held-out"
    assert privacy.near_copies == FAKES
    assert privacy.nearest_ratio < 0.5
    assert privacy.share_below_first_percentile > 0.9
    assert privacy.attack_by_distance is not None
    assert privacy.attack_by_distance.mean > 0.95
    assert privacy.attack_by_discriminator is not None
    assert privacy.attack_by_discriminator.mean == 1.0
    assert (privacy.epsilon, privacy.delta) == (8, 1e-4)
    # Whom they are copies of is there to be shown.
    near = found.neighbours
    np.testing.assert_array_equal(near["fakes"], np.arange(16))
    np.testing.assert_array_equal(near["rows"][:, 0], rows[:16])
    assert (np.diff(near["distances"], axis=1) >= 0).all()
    np.testing.assert_array_equal(rows[near["copy_fakes"]], near["copy_rows"])
    assert (near["copy_rms"] <= 8).all()
    assert (np.diff(near["copy_rms"]) >= 0).all()


def test_a_training_images_twin_among_unseen_ones_hides_no_copies(
    house: House, tmp_path: Path
) -> None:
    folder = tmp_path / "house"
    shutil.copytree(house.folder, folder, ignore=shutil.ignore_patterns("phantoms", "more"))
    images = np.load(folder / "packed" / "train.npy")
    rare = np.flatnonzero(house.dataset.labels("train") == RARE)
    twin = np.setdiff1d(rare, house.members)[0]
    images[twin] = images[house.members[0]]
    np.save(folder / "packed" / "train.npy", images)
    twins = replace(house, folder=folder, dataset=PackedDataset.open(folder / "packed"))
    copies = twins.small_and_large(np.tile(house.members, 2)[:FAKES]).astype(np.int16)
    copies += np.random.default_rng(0).integers(-1, 2, copies.shape, np.int16)
    found = inspected(twins, tmp_path / "step", np.clip(copies, 0, 255).astype(np.uint8))
    assert found.privacy.n_others == 27
    assert found.privacy.share_below_first_percentile > 0.9
    assert found.privacy.attack_by_discriminator is not None


def test_an_honest_generator_is_told_from_neither_real_images_nor_chance(
    house: House, tmp_path: Path
) -> None:
    found = inspected(house, tmp_path, house.new)
    assert found.privacy.near_copies == 0
    assert found.privacy.nearest_ratio == pytest.approx(1.0, abs=0.3)
    assert found.privacy.share_below_first_percentile <= 0.1
    assert found.quality.features == "EfficientNet-Lite0 (ImageNet), matched images"
    assert found.quality.against == "held-out"
    assert found.quality.n_real == found.quality.n_fake == FAKES
    assert found.quality.chance_kid is not None
    assert found.quality.diversity == pytest.approx(1.0, abs=0.25)


def test_noise_is_no_lesion(house: House, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (FAKES, LARGE, LARGE, 3), dtype=np.uint8)
    found = inspected(house, tmp_path, noise)
    assert found.quality.precision == 0.0
    assert found.quality.coverage == 0.0
    assert found.quality.chance_kid is not None
    assert found.quality.kid > 10 * abs(found.quality.chance_kid)
    assert found.privacy.nearest_ratio > 1
    assert found.shortcut.is_warning


def test_one_image_over_and_over_has_no_diversity(house: House, tmp_path: Path) -> None:
    one = np.repeat(house.new[:1], FAKES, axis=0)
    found = inspected(house, tmp_path, one)
    assert found.quality.diversity < 0.01
    assert found.quality.recall == 0.0


def marked(images: Images) -> Images:
    images = images.copy()
    images[:, ::4] //= 2
    return images


@pytest.mark.parametrize(
    ("make", "is_warning"), [(marked, True), (lambda images: images, False)], ids=["mark", "none"]
)
def test_a_mark_on_synthetic_images_is_a_shortcut(
    house: House, tmp_path: Path, make: Callable[[Images], Images], is_warning: bool
) -> None:
    found = inspected(house, tmp_path, make(house.new)).shortcut
    assert found.n_real == found.n_fake == FAKES
    assert found.is_warning is is_warning
    if is_warning:
        assert min(found.raw.mean, found.matched.mean) > 0.95
    else:
        assert found.raw.low is not None
        assert found.raw.low < 0.5


def test_an_inspection_that_was_stopped_goes_on_and_leaves_the_same(
    house: House, tmp_path: Path
) -> None:
    fakes = house.new
    whole = context_of(house, tmp_path / "whole", fakes)
    run_step(whole)
    told: list[Progress] = []
    context = context_of(house, tmp_path / "stopped", fakes)
    stopped = replace(context, on_progress=told.append, should_stop=lambda: len(told) == 2)
    with pytest.raises(Stopped):
        run_step(stopped)
    assert sorted(path.name for path in context.checkpoints.glob("*.npy")) == [
        "small-fakes.npy",
        "small-training.npy",
        "small-unseen.npy",
    ]
    run_step(replace(stopped, should_stop=never_stop))
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(told) == 5
    for name in ("findings.json", "neighbours.npz"):
        assert (context.outputs / name).read_bytes() == (whole.outputs / name).read_bytes()


def test_a_gan_that_learnt_other_classes_is_compared_with_these_too(
    house: House, tmp_path: Path
) -> None:
    benign = np.flatnonzero(house.dataset.labels("train") == 0)
    (house.folder / "pretrained").mkdir()
    (house.folder / "pretrained" / "model-dcgan-12-s0.safetensors").touch()
    (house.folder / "pretrained" / "model-dcgan-12-s0.json").write_text(
        json.dumps({"training": {"pretrain": "other-classes"}})
    )
    fakes = np.repeat(house.small_and_large(benign), 2, axis=0)
    alone = inspected(house, tmp_path / "alone", fakes)
    assert not np.isin(alone.neighbours["rows"], benign).any()
    assert alone.privacy.near_copies == 0
    found = inspected(house, tmp_path / "both", fakes, train="pretrained")
    np.testing.assert_array_equal(found.neighbours["rows"][:, 0], np.repeat(benign, 2))
    assert found.privacy.near_copies == len(fakes)
    assert found.privacy.nearest_ratio < alone.privacy.nearest_ratio
    # Whoever kept no scores of a discriminator has no attack by them.
    assert found.privacy.attack_by_discriminator is None
    assert found.privacy.epsilon is None


def test_of_no_image_nothing_is_said(house: House, tmp_path: Path) -> None:
    context = context_of(house, tmp_path, np.empty((0, LARGE, LARGE, 3), np.uint8))
    run_step(context)
    made = json.loads((context.outputs / "findings.json").read_text())
    assert made == {"quality": None, "privacy": None, "shortcut": None}
    assert not (context.outputs / "neighbours.npz").exists()
