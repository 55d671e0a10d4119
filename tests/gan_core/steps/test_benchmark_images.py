"""What the steps leave that make the benchmark's images and features, on images of a few pixels."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_core.augmenting import augmented_uint8
from gan_core.benchmark.subsets import nested_subset
from gan_core.features import FeatureExtractor
from gan_core.leaks import training_images_of_test
from gan_core.matching import matched
from gan_core.phantoms import draw_phantoms
from gan_core.progress import Stopped, ignore_progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.spec.errors import GraftError
from gan_core.spec.findings import UpscalerFidelity
from gan_core.steps import StepContext, StepSettings, run_step
from gan_core.training.fit import fit_to_size
from gan_core.upscaling import create

COUNTS = {"train": {"benign": 5, "malignant": 9}, "test": {"benign": 2, "malignant": 2}}
SIDE = 48


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    draw_phantoms(folder / "phantoms", counts=COUNTS, image_size=SIDE)
    # One training image of the rare class is a test image.
    shown = min((folder / "phantoms/test/malignant").iterdir())
    target = min((folder / "phantoms/train/malignant").iterdir())
    with Image.open(shown) as image:
        image.point(lambda level: min(level + 2, 255)).save(target)
    pack(folder / "phantoms", folder / "packed", image_size=SIDE)
    return folder / "packed"


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return FeatureExtractor()


def step(
    folder: Path, kind: str, params: dict[str, Any], inputs: dict[str, Path], **changes: Any
) -> StepContext:
    for name in ("outputs", "checkpoints"):
        (folder / name).mkdir(parents=True)
    context = StepContext(
        name=kind,
        kind=kind,
        key="k",
        params=params,
        inputs=inputs,
        outputs=folder / "outputs",
        checkpoints=folder / "checkpoints",
        settings=StepSettings(device="cpu", cache_dir=folder / "cache"),
        job={},
        on_progress=ignore_progress,
        should_stop=never_stop,
    )
    return replace(context, **changes)


def stop_after(calls: int) -> Callable[[], bool]:
    asked = iter(range(calls))
    return lambda: next(asked, None) is None


def files_of(context: StepContext) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in context.outputs.iterdir()}


def test_features_are_those_of_matched_images(
    data: Path, tmp_path: Path, extractor: FeatureExtractor
) -> None:
    context = step(tmp_path, "features", {}, {"dataset": data})
    described = run_step(context)
    assert [output["name"] for output in described] == ["train.npy", "test.npy", "extractor.json"]
    dataset = PackedDataset.open(data)
    for split in ("train", "test"):
        expected = extractor.extract(matched(dataset.images(split)))  # type: ignore[arg-type]
        assert np.array_equal(np.load(context.outputs / f"{split}.npy"), expected)
    assert json.loads((context.outputs / "extractor.json").read_text())["name"] == extractor.name


def test_features_at_a_gans_size_are_of_training_images_that_were_brought_there(
    data: Path, tmp_path: Path, extractor: FeatureExtractor
) -> None:
    context = step(tmp_path, "features", {"image_size": 32}, {"dataset": data})
    described = run_step(context)
    assert [output["name"] for output in described] == ["train.npy", "extractor.json"]
    small = fit_to_size(PackedDataset.open(data).images("train"), 32)
    large = create("lanczos", cache_dir=tmp_path).upscale(small, size=224)
    expected = extractor.extract(matched(large))
    assert np.array_equal(np.load(context.outputs / "train.npy"), expected)


def test_features_of_another_steps_images_are_matched_as_well(
    tmp_path: Path, extractor: FeatureExtractor
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    (tmp_path / "fakes").mkdir()
    np.save(tmp_path / "fakes" / "images.npy", images)
    context = step(tmp_path, "features", {}, {"images": tmp_path / "fakes"})
    described = run_step(context)
    assert [output["name"] for output in described] == ["features.npy", "extractor.json"]
    found = np.load(context.outputs / "features.npy")
    assert np.array_equal(found, extractor.extract(matched(images)))


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("features", {}),
        ("features", {"image_size": 32}),
        ("augment", {"copies": 2}),
        (
            "control",
            {
                "image_size": 32,
                "most": 9,
                "subsets": [0],
                "rare_class": "malignant",
                "upscale": {"engine": "lanczos", "size": 64},
            },
        ),
    ],
)
def test_a_step_that_was_stopped_goes_on_and_leaves_the_same_bytes(
    kind: str, params: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    undisturbed = step(tmp_path / "a", kind, params, {"dataset": data})
    run_step(undisturbed)
    told: list[float] = []
    disturbed = step(
        tmp_path / "b",
        kind,
        params,
        {"dataset": data},
        on_progress=lambda progress: told.append(progress.fraction),
    )
    # One batch an attempt at first; without going on, none would end in so few.
    attempts: list[int] = []
    for questions in (1, 1, 1, 2, 2, 2):
        attempts.append(questions)
        with contextlib.suppress(Stopped):
            run_step(replace(disturbed, should_stop=stop_after(questions)))
            break
        # As it is before every attempt.
        for path in disturbed.outputs.iterdir():
            path.unlink()
    assert len(attempts) > 1
    assert files_of(disturbed) == files_of(undisturbed)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_each_copy_is_augmented_in_its_own_way_and_then_matched(
    data: Path, tmp_path: Path, extractor: FeatureExtractor
) -> None:
    context = step(tmp_path, "augment", {"copies": 2}, {"dataset": data})
    run_step(context)
    found = np.load(context.outputs / "train.npy", allow_pickle=False)
    images = PackedDataset.open(data).images("train")
    assert found.dtype == np.float32
    assert found.shape == (2, len(images), 1280)
    for copy in range(2):
        seeds = (copy << 32) + np.arange(len(images))
        expected = extractor.extract(matched(augmented_uint8(images, seeds)))
        assert np.array_equal(found[copy], expected)
    assert not np.array_equal(found[0], found[1])


def control_of(data: Path, folder: Path, **changes: Any) -> StepContext:
    params = {
        "image_size": 32,
        "most": 3,
        "subsets": [0, 1],
        "rare_class": "malignant",
        "upscale": {"engine": "realesr-compact-x2", "size": 64},
        **changes,
    }
    context = step(folder, "control", params, {"dataset": data})
    run_step(context)
    return context


def test_the_control_takes_the_way_of_synthetic_images(
    data: Path, tmp_path: Path, extractor: FeatureExtractor
) -> None:
    context = control_of(data, tmp_path)
    dataset = PackedDataset.open(data)
    labels, rare = dataset.labels("train"), dataset.classes.index("malignant")
    subsets = [nested_subset(labels, rare, 3, subset) for subset in (0, 1)]
    rows = np.load(context.outputs / "rows.npy")
    assert rows.dtype == np.int64
    assert rows.tolist() == sorted({*subsets[0].tolist(), *subsets[1].tolist()})
    assert len(rows) > 3  # two subsets that differ
    small = fit_to_size(dataset.images("train")[rows], 32)
    upscaler = create("realesr-compact-x2", cache_dir=tmp_path / "cache")
    expected = upscaler.upscale(small, size=64)
    found = np.load(context.outputs / "images.npy")
    assert np.array_equal(found, expected)
    features = np.load(context.outputs / "features.npy")
    assert np.array_equal(features, extractor.extract(matched(expected)))
    told = UpscalerFidelity.model_validate_json((context.outputs / "fidelity.json").read_text())
    assert (told.engine, told.size_from, told.size_to) == ("realesr-compact-x2", 32, 64)
    assert told.n == len(rows)
    assert 15 < told.psnr.mean < 100


def test_the_control_leaves_out_what_is_left_out_of_every_training(
    data: Path, tmp_path: Path
) -> None:
    dataset = PackedDataset.open(data)
    (leak,) = training_images_of_test(dataset)
    lanczos = {"engine": "lanczos", "size": 48}
    everything = control_of(data, tmp_path / "a", most=100, upscale=lanczos)
    assert leak in np.load(everything.outputs / "rows.npy")
    without = control_of(data, tmp_path / "b", most=100, upscale=lanczos, leaks="leave-out")
    rows = np.load(without.outputs / "rows.npy")
    assert leak not in rows
    assert len(rows) == COUNTS["train"]["malignant"] - 1


def test_the_control_refuses_weights_that_are_not_the_planned_ones(
    data: Path, tmp_path: Path
) -> None:
    upscale = {"engine": "realesrgan", "size": 64, "weights_sha256": "0" * 64}
    with pytest.raises(GraftError) as refused:
        control_of(data, tmp_path, upscale=upscale)
    assert refused.value.code == "weights_mismatch"


def test_of_a_steps_images_the_first_so_many_can_be_upscaled(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    (tmp_path / "drawn").mkdir()
    np.save(tmp_path / "drawn" / "images.npy", images)
    found = []
    for name, more in (("all", {}), ("some", {"first": 3})):
        params = {"engine": "lanczos", "size": 16, **more}
        context = step(tmp_path / name, "upscale", params, {"generate": tmp_path / "drawn"})
        run_step(context)
        found.append(np.load(context.outputs / "images.npy"))
    assert [len(upscaled) for upscaled in found] == [5, 3]
    assert np.array_equal(found[1], found[0][:3])
