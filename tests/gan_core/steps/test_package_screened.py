"""The zip of images that a screen has chosen."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gan_core.features import FeatureExtractor
from gan_core.gans import registry
from gan_core.generating import TrainedGenerator
from gan_core.packaging import models_in, regenerator, verify_zip
from gan_core.phantoms import draw_phantoms
from gan_core.progress import ignore_progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.screening import near_copies
from gan_core.screening.features import drawn_features
from gan_core.screening.told import Screening
from gan_core.steps import StepContext, StepSettings, run_step

LABEL = "infogan-10-s0"
SCREEN = {
    "near_copies": True,
    "near_copy_rms": 8.0,
    "label": False,
    "off_manifold": False,
    "diverse": True,
}
SPEC: dict[str, Any] = {
    "rare_class": "malignant",
    "upscale": {"engine": "lanczos", "size": 48},
    "output": {"format": "png", "size": None, "limit": None},
    "screen": SCREEN | {"draw": 2.0},
}


class House:
    """Runs steps on one data set and one model; each leaves its outputs under its own name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        counts = {"train": {"benign": 12, "malignant": 12}, "test": {"benign": 2, "malignant": 2}}
        draw_phantoms(root / "phantoms", counts=counts, image_size=64)
        pack(root / "phantoms", root / "dataset", image_size=64)
        self.dataset = PackedDataset.open(root / "dataset")
        torch.manual_seed(0)
        gan = registry.create("infogan", image_size=32)
        model = TrainedGenerator(
            gan="infogan",
            settings=gan.settings_dict(),
            weights={name: value.clone() for name, value in gan.generator.state_dict().items()},
            weights_kind="raw",
            real_count=10,
            step=5,
            data_digest=self.dataset.digest,
        )
        for name in ("train", "features"):
            (root / name).mkdir()
        model.save(root / "train" / f"model-{LABEL}.safetensors")
        card = {**model.card(), "training": {"real_count": 10, "subset": 0}}
        (root / "train" / f"model-{LABEL}.json").write_text(json.dumps(card))

    def run(self, name: str, kind: str, params: dict[str, Any], inputs: dict[str, str]) -> Path:
        home = self.root / f"step-{name}"
        for folder in (home, home / "checkpoints", self.root / name):
            folder.mkdir()
        context = StepContext(
            name=name,
            kind=kind,
            key="k",
            params=params,
            inputs={label: self.root / folder for label, folder in inputs.items()},
            outputs=self.root / name,
            checkpoints=home / "checkpoints",
            settings=StepSettings(device="cpu", cache_dir=self.root / "cache"),
            job={"created_at": "2026-01-01T00:00:00+00:00"},
            on_progress=ignore_progress,
            should_stop=never_stop,
        )
        run_step(context)
        return context.outputs


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("house"))
    house.run("generate", "generate", {"count": 12, "first_seed": 0}, {"train": "train"})

    real = house.root / "features" / "train.npy"
    drawn_features(real, house.dataset.images("train"), "train", FeatureExtractor())
    params = {"count": 6, "rare_class": "malignant", "real_count": 10, "subset": 0, **SCREEN}
    inputs = {name: name for name in ("dataset", "generate", "train", "features")}
    house.run("screen", "screen", params, inputs)
    house.run("upscale", "upscale", SPEC["upscale"], {"generate": "screen"})
    return house


def packed(house: House, name: str, spec: dict[str, Any]) -> Path:
    inputs = {"dataset": "dataset"} | {
        f"{kind}-{LABEL}": kind for kind in ("train", "screen", "upscale")
    }
    return house.run(name, "package", {"spec": spec}, inputs) / "synthetic.zip"


def lines(path: Path, name: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        return [json.loads(line) for line in archive.read(name).splitlines()]


def test_every_drawn_image_is_in_the_zip_or_listed_with_its_reason(house: House) -> None:
    path = packed(house, "package", SPEC)
    told = Screening.read(house.root / "screen")
    here, gone = lines(path, "metadata.jsonl"), lines(path, "rejected.jsonl")
    assert here
    assert gone
    assert sorted(line["seed"] for line in here + gone) == list(range(12))
    assert {line["seed"]: line["reason"] for line in gone} == {
        image.seed: image.reason for image in told.images if image.reason is not None
    }
    for line in here:
        known = told.images[line["seed"]].scores
        assert line["screening"]["distance"] == known["distance"]
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        card = archive.read("dataset-card.md").decode()
    (model,) = manifest["models"]
    assert (model["screening"]["drawn"], model["screening"]["kept"]) == (12, told.kept)
    assert {left["reason"]: left["count"] for left in manifest["images"]["left_out"]} == (
        told.rejected
    )
    assert f"{told.kept} images were chosen among 12 that were drawn" in card


def test_it_is_sound_and_its_images_can_be_made_again(house: House, tmp_path: Path) -> None:
    report = verify_zip(
        packed(house, "package-2", SPEC),
        models=models_in(house.root / "train"),
        sample=99,
        regenerate=regenerator(cache_dir=tmp_path),
    )
    assert [check.detail for check in report.checks if check.outcome != "passed"] == []
    assert report.regenerated == report.images == len(np.load(house.root / "screen" / "seeds.npy"))


def test_near_copies_among_the_final_images_are_listed_beside_the_others(house: House) -> None:
    final = np.load(house.root / "upscale" / "images.npy")
    distances, _ = near_copies(final, house.dataset.images("train"))
    # A limit that the nearest one, and it alone, is within.
    limit = float(np.sort(distances)[:2].mean())
    strict = SPEC | {"screen": SPEC["screen"] | {"near_copy_rms": limit}}
    path = packed(house, "package-3", strict)
    gone = [line for line in lines(path, "rejected.jsonl") if line["reason"] == "near-copy"]
    assert len(gone) == 1
    assert gone[0]["screening"]["near_copy_rms"] <= limit
    assert "distance" in gone[0]["screening"]
    assert verify_zip(path).is_sound
