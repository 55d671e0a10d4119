"""A GAN trained with differential privacy by a job's own steps, and what its card says of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from gan_core.generating import TrainedGenerator, generate
from gan_core.phantoms import draw_phantoms
from gan_core.progress import ignore_progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.report.learning import how_it_learnt
from gan_core.spec import DatasetFacts, StudySpec, plan_study, resolve
from gan_core.steps import StepContext, StepSettings, run_step
from gan_core.steps import train as train_step
from gan_core.training.privacy import PrivateTraining

COUNTS = {"train": {"benign": 9, "malignant": 8}, "test": {"benign": 3, "malignant": 3}}


def test_a_private_training_ends_within_epsilon_says_so_on_its_card_and_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_phantoms(tmp_path / "phantoms", counts=COUNTS, image_size=32)
    pack(tmp_path / "phantoms", tmp_path / "packed", image_size=32)
    dataset = PackedDataset.open(tmp_path / "packed")
    gan = {"name": "dcgan", "image_size": 32, "epochs": 2, "batch_size": 4, "ema_decay": 0.9}
    gan |= {"settings": {"width": 4, "latent_dim": 8}, "snapshots": 2}
    gan |= {"privacy": {"epsilon": 6.0, "discriminator_steps": 2, "clip": 0.7}}
    study = {"rare_class": "malignant", "real_counts": [6], "gans": [gan]}
    study |= {"benchmark": {"classifiers": ["probe"], "subsets": [0]}}
    classes = {name: {s: COUNTS[s][name] for s in COUNTS} for name in ("benign", "malignant")}
    facts = DatasetFacts(digest=dataset.digest, image_size=32, classes=classes)
    plan = plan_study(resolve(StudySpec.model_validate(study), facts.train_counts()), facts)
    (step,) = [step for step in plan.steps if step.kind == "train"]

    def no_judge(*_: object) -> None:
        raise AssertionError("a judge looks at the real images")

    monkeypatch.setattr(train_step, "_judge", no_judge)
    for name in ("outputs", "checkpoints"):
        (tmp_path / name).mkdir()
    run_step(
        StepContext(
            name=step.name,
            kind=step.kind,
            key=step.key,
            params=step.params,
            inputs={"dataset": tmp_path / "packed"},
            outputs=tmp_path / "outputs",
            checkpoints=tmp_path / "checkpoints",
            settings=StepSettings(device="cpu", cache_dir=tmp_path / "cache"),
            job={},
            on_progress=ignore_progress,
            should_stop=never_stop,
        )
    )
    outputs = tmp_path / "outputs"
    card = json.loads((outputs / "model-dcgan-6-s0.json").read_text())
    promise = card["privacy"]
    # 2 epochs of 2 steps.
    terms = PrivateTraining(promise["noise_multiplier"], 0.7, 4 / 6, 4, 1 / 60)
    assert promise["steps"] == 4
    assert terms.epsilon(4) <= promise["epsilon"] <= 6.0
    assert promise["delta"] == pytest.approx(1 / 60)
    assert (promise["clip"], promise["accountant"]) == (0.7, "rdp")
    assert promise["covers"] == "real images of the rare class"
    assert "quality" not in card
    assert json.loads((outputs / "judgements.json").read_text()) == []
    history = json.loads((outputs / "history.json").read_text())
    assert set(history[-1]) == {"epoch", "generator", "discriminator on fakes"}
    said = how_it_learnt(card)["differential privacy"]
    assert f"ε = {promise['epsilon']:.4f}" in said
    assert "not covered" in said

    model = TrainedGenerator.load(outputs / "model-dcgan-6-s0.safetensors")
    images = generate(model, [0, 1])
    assert images.shape == (2, 32, 32, 3)
    assert not np.array_equal(images[0], images[1])
