"""A few images at once, and the same images step by step."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core.gans import registry
from gan_core.generating import TrainedGenerator
from gan_core.packaging import models_in, regenerator, verify_zip
from gan_core.packaging.labels import read_png
from gan_core.phantoms import draw_phantoms
from gan_core.progress import ignore_progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.spec import DatasetFacts, ImagesSpec, ModelSource, Plan, plan_images
from gan_core.steps import StepContext, StepSettings, run_step
from gan_core.steps.run import KEY_FILE

NAME = "train:infogan:10:s0"
PARAMS = {
    "gan": "infogan",
    "image_size": 32,
    "rare_class": "malignant",
    "real_count": 10,
    "subset": 0,
}


@dataclass
class Studio:
    """A data set and a model, and ways to run the steps of an images plan on them."""

    dataset: Path
    trained: Path
    facts: DatasetFacts

    def plan(self, asked: dict[str, Any]) -> Plan:
        settings = {"categories": 10, "codes": 2}
        model = ModelSource(train_step=NAME, key="k", params=PARAMS, settings=settings)
        return plan_images(ImagesSpec.model_validate(asked), model, self.facts)

    def run(self, folder: Path, asked: dict[str, Any]) -> Path:
        """Run the plan's steps, but for the training; return the last one's outputs."""
        plan = self.plan(asked)
        left = {NAME: self.trained}
        for step in plan.steps[1:]:
            home = folder / step.kind
            for name in ("outputs", "checkpoints"):
                (home / name).mkdir(parents=True, exist_ok=True)
            inputs = {
                label: self.dataset if given.step is None else left[given.step]
                for label, given in step.inputs.items()
            }
            context = StepContext(
                name=step.name,
                kind=step.kind,
                key=step.key,
                params=step.params,
                inputs=inputs,
                outputs=home / "outputs",
                checkpoints=home / "checkpoints",
                settings=StepSettings(device="cpu", cache_dir=folder / "cache"),
                job={"created_at": "2026-01-01T00:00:00+00:00"},
                on_progress=ignore_progress,
                should_stop=never_stop,
            )
            run_step(context)
            left[step.name] = context.outputs
        return left[plan.steps[-1].name]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    root = tmp_path_factory.mktemp("studio")
    counts = {"train": {"benign": 6, "malignant": 12}, "test": {"benign": 2, "malignant": 2}}
    draw_phantoms(root / "phantoms", counts=counts, image_size=64)
    pack(root / "phantoms", root / "dataset", image_size=64)
    dataset = PackedDataset.open(root / "dataset")
    torch.manual_seed(0)
    gan = registry.create("infogan", image_size=32)
    model = TrainedGenerator(
        gan="infogan",
        settings=gan.settings_dict(),
        weights={name: value.clone() for name, value in gan.generator.state_dict().items()},
        weights_kind="raw",
        real_count=10,
        step=5,
        data_digest=dataset.digest,
    )
    trained = root / "trained"
    trained.mkdir()
    model.save(trained / "model-infogan-10-s0.safetensors")
    card = {**model.card(), "training": PARAMS}
    (trained / "model-infogan-10-s0.json").write_text(json.dumps(card))
    facts = DatasetFacts(digest=dataset.digest, image_size=64, classes=dataset.counts)
    return Studio(root / "dataset", trained, facts)


def lines_of(path: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        return [json.loads(line) for line in archive.read("metadata.jsonl").splitlines()]


ASKED: list[dict[str, Any]] = [
    {"count": 5, "first_seed": 40},
    {"seeds": [9, 4_000_000_000, 2], "truncation": 0.6},
    {"count": 3, "category": 4, "codes": [0.5, -1.0], "upscale": {"size": 48}},
    {"interpolate": {"from_seed": 3, "to_seed": 8, "steps": 4}, "output": {"size": 40}},
    {"count": 3, "upscale": {"size": 48}, "output": {"format": "dicom", "size": 40}},
]


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_drawn_can_be_verified_and_made_again_bit_for_bit(
    studio: Studio, asked: dict[str, Any], tmp_path: Path
) -> None:
    made = studio.run(tmp_path, asked) / "synthetic.zip"
    report = verify_zip(
        made,
        models=models_in(studio.trained),
        sample=99,
        regenerate=regenerator(cache_dir=tmp_path / "cache"),
    )
    assert [(c.name, c.outcome) for c in report.checks if c.outcome != "passed"] == []
    assert report.regenerated == report.images == ImagesSpec.model_validate(asked).total()


def test_another_way_of_drawing_than_the_manifests_is_found_out(
    studio: Studio, tmp_path: Path
) -> None:
    made = studio.run(tmp_path, {"count": 3, "category": 4}) / "synthetic.zip"
    with zipfile.ZipFile(made) as archive:
        model = json.loads(archive.read("manifest.json"))["models"][0]
        pixels, _ = read_png(archive.read(lines_of(made)[0]["file_name"]))
    again = regenerator(cache_dir=tmp_path / "cache")
    (file,) = models_in(studio.trained).values()
    assert model["drawing"] == {"category": 4}
    assert np.array_equal(again(file, [0], model)[0], pixels)
    assert not np.array_equal(again(file, [0], {**model, "drawing": {"category": 5}})[0], pixels)


def test_in_one_step_and_in_three_the_same_images_come_out(studio: Studio, tmp_path: Path) -> None:
    few = studio.run(tmp_path / "few", {"count": 4, "upscale": {"size": 48}})
    many = studio.run(tmp_path / "many", {"count": 65, "upscale": {"size": 48}})
    assert (tmp_path / "few" / "draw").is_dir()
    assert (tmp_path / "many" / "generate").is_dir()
    assert lines_of(few / "synthetic.zip") == lines_of(many / "synthetic.zip")[:4]
    assert not (many / "samples.png").exists()


def test_the_sheet_shows_what_is_in_the_zip_and_says_that_it_is_synthetic(
    studio: Studio, tmp_path: Path
) -> None:
    made = studio.run(tmp_path, {"count": 9})
    pixels, label = read_png((made / "samples.png").read_bytes())
    assert pixels.shape == (32 + 2 + 32, 8 * 34 - 2, 3)
    assert label.is_synthetic
    with zipfile.ZipFile(made / "synthetic.zip") as archive:
        name = lines_of(made / "synthetic.zip")[8]["file_name"]
        ninth = np.asarray(Image.open(io.BytesIO(archive.read(name))))
    assert np.array_equal(pixels[34:66, :32], ninth)
    told = json.loads((made / "samples.json").read_text("utf-8"))
    assert (told["columns"], told["gap"], told["size"]) == (8, 2, 32)
    assert told["images"] == [{"seed": seed} for seed in range(9)]
    assert told["is_synthetic"]
    assert told["left_out"] == []


def test_a_sheet_of_a_way_tells_the_places_on_it(studio: Studio, tmp_path: Path) -> None:
    made = studio.run(tmp_path, {"interpolate": {"from_seed": 4, "to_seed": 9, "steps": 3}})
    told = json.loads((made / "samples.json").read_text("utf-8"))
    assert told["images"] == [{"seed": 4, "position": place} for place in range(3)]


def test_a_near_copy_is_on_no_sheet_and_in_no_zip(studio: Studio, tmp_path: Path) -> None:
    asked = {"count": 3, "screen": {"near_copy_rms": 255.0}}
    made = studio.run(tmp_path, asked)
    assert sorted(path.name for path in made.iterdir()) == ["samples.json", "synthetic.zip"]
    told = json.loads((made / "samples.json").read_text("utf-8"))
    assert told["images"] == []
    assert told["left_out"] == [{"seed": seed, "reason": "near-copy"} for seed in range(3)]
    assert lines_of(made / "synthetic.zip") == []
    with zipfile.ZipFile(made / "synthetic.zip") as archive:
        left_out = json.loads(archive.read("manifest.json"))["images"]["left_out"]
    assert [(entry["reason"], entry["count"]) for entry in left_out] == [("near-copy", 3)]


def test_an_attempt_after_one_that_was_killed_goes_on(studio: Studio, tmp_path: Path) -> None:
    asked = {"count": 4, "upscale": {"size": 48}}
    undisturbed = studio.run(tmp_path / "a", asked)
    left_behind = tmp_path / "b" / "draw" / "checkpoints"
    for name in ("generate", "upscale", "upscale-checkpoints"):
        (left_behind / name).mkdir(parents=True)
        (left_behind / name / "images.npy").write_bytes(b"half")
    (left_behind / KEY_FILE).write_text(studio.plan(asked).steps[-1].key)
    again = studio.run(tmp_path / "b", asked)
    assert lines_of(again / "synthetic.zip") == lines_of(undisturbed / "synthetic.zip")
