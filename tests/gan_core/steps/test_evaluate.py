"""The step evaluate, on features that are given."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_core.benchmark import finetune_trials
from gan_core.classifiers.finetune import FinetuneConfig
from gan_core.phantoms import draw_phantoms
from gan_core.progress import Stopped, ignore_progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.steps import StepContext, StepSettings, run_step
from gan_core.steps.evaluate import near_duplicates

WIDTH = 8


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A data set and what the steps before would have left."""
    root = tmp_path_factory.mktemp("inputs")
    counts = {"train": {"benign": 12, "malignant": 8}, "test": {"benign": 4, "malignant": 4}}
    draw_phantoms(root / "phantoms", counts=counts, image_size=32)
    pack(root / "phantoms", root / "dataset", image_size=32)
    dataset, rng = PackedDataset.open(root / "dataset"), np.random.default_rng(0)
    rare = dataset.labels("train") == dataset.classes.index("malignant")

    def keep(folder: str, **arrays: np.ndarray) -> None:
        (root / folder).mkdir()
        for name, array in arrays.items():
            np.save(root / folder / f"{name}.npy", array)

    def features(*shape: int) -> np.ndarray:
        return rng.normal(size=(*shape, WIDTH)).astype(np.float32)

    keep("features", train=features(20), test=features(8))
    keep("augmented", train=features(2, 20))
    rows = np.flatnonzero(rare)
    images = np.zeros((8, 32, 32, 3), np.uint8)
    keep("control-32", images=images, rows=rows, features=features(8))
    keep("fakes", images=images)
    keep("fakes-features", features=features(8))
    return {path.name: path for path in root.iterdir() if path.name != "phantoms"}


def ran(folder: Path, inputs: dict[str, Path], arms: dict[str, list[str]], **more: Any) -> Path:
    for name in ("outputs", "checkpoints"):
        (folder / name).mkdir(parents=True)
    params = {
        "arms": arms,
        "rare_class": "malignant",
        "real_count": 4,
        "real_count_label": "4",
        "subset": 0,
        "seeds": [0, 1],
        "folds": 2,
        "fill_to": 10,
    }
    context = StepContext(
        name="evaluate",
        kind="evaluate",
        key="0" * 64,
        params=params | more,
        inputs=inputs,
        outputs=folder / "outputs",
        checkpoints=folder / "checkpoints",
        settings=StepSettings(device="cpu", cache_dir=folder),
        job={},
        on_progress=ignore_progress,
        should_stop=never_stop,
    )
    run_step(context)
    return context.outputs


def test_every_arm_whose_images_are_there_has_its_rows(
    tmp_path: Path, inputs: dict[str, Path]
) -> None:
    arms = ["real-only", "classic-augment", "upscale-control:32", "upscale-control:64"]
    arms += ["gan:x", "gan:x@ratio", "gan:x-unscreened", "synthetic-only:x"]
    found = ran(tmp_path, inputs, {"probe": arms}, ratios=[0, 0.5, 2, 5])
    rows = json.loads((found / "rows.json").read_text())
    there = [name for name in arms if name not in {"upscale-control:64", "gan:x-unscreened"}]
    assert [row["arm"] for row in rows[::2]] == there
    assert [row["n_fake"] for row in rows[::2]][:4] == [0, 0, 6, 6]
    assert all(row["threshold"] is not None for row in rows)
    assert np.load(found / "scores.npy").shape == (len(rows), 8)
    assert json.loads((found / "curves.json").read_text()) == []
    ratios = json.loads((found / "ratios.json").read_text())
    assert [(point["ratio"], point["n_fake"]) for point in ratios[:3]] == [(0, 0), (0.5, 2), (2, 8)]
    assert sum(point["is_chosen"] for point in ratios) == 2


def test_the_fine_tuned_network_gets_matched_images_and_each_arm_s_settings(
    tmp_path: Path, inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, ...]] = []

    def refuse(images: Any, labels: Any, config: FinetuneConfig, **given: Any) -> None:
        seen.append((images.shape, labels, config, given))
        raise Stopped

    monkeypatch.setattr(finetune_trials, "train_finetune", refuse)
    with pytest.raises(Stopped):
        ran(tmp_path, inputs, {"finetune": ["upscale-control:32"]}, finetune={"epochs": 3})
    ((shape, labels, config, given),) = seen
    assert shape == (22, 224, 224, 3)
    assert (config.epochs, config.seed, config.augment) == (3, 0, False)
    assert given["is_real"].sum() == 16
    assert (given["copy_of"][:16] == -1).all()
    assert labels[given["copy_of"][16:]].all()


def test_training_images_that_are_the_same_are_one_group(inputs: dict[str, Path]) -> None:
    dataset = PackedDataset.open(inputs["dataset"])
    groups = near_duplicates(dataset)
    assert groups.shape == (20,)
    pairs = [
        (pair.first.index, pair.second.index)
        for pair in dataset.index.duplicates.pairs
        if pair.first.split == pair.second.split == "train"
    ]
    assert all(groups[one] == groups[other] for one, other in pairs)
    assert len(np.unique(groups)) >= 20 - len(pairs)
