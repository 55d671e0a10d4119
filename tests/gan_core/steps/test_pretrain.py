"""What a GAN learns from before it turns to the rare class, and what it must never see."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.benchmark.subsets import nested_subset
from gan_core.gans.base import Gan
from gan_core.generating import TrainedGenerator, generate
from gan_core.phantoms import draw_phantoms
from gan_core.progress import ignore_progress, never_stop
from gan_core.reading import PackedDataset, pack
from gan_core.spec import DatasetFacts, Plan, StudySpec, plan_study, resolve
from gan_core.steps import StepContext, StepSettings, run_step
from gan_core.steps import pretrain as pretrain_step
from gan_core.steps import train as train_step
from gan_core.training.loop import train
from gan_core.training.start import Start

COUNTS = {"train": {"benign": 9, "malignant": 8}, "test": {"benign": 3, "malignant": 3}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    draw_phantoms(folder / "phantoms", counts=COUNTS, image_size=32)
    pack(folder / "phantoms", folder / "packed", image_size=32)
    return folder / "packed"


def planned(data: Path, **fields: Any) -> Plan:
    gan = {"name": "dcgan", "image_size": 32, "epochs": 1, "batch_size": 4, "ema_decay": 0.9}
    gan |= {"settings": {"width": 4, "latent_dim": 8}, **fields}
    spec = StudySpec.model_validate(
        {
            "rare_class": "malignant",
            "real_counts": [3, 5],
            "gans": [gan],
            "balance_to": "full-class",
            "benchmark": {"classifiers": ["probe"], "subsets": [0, 1]},
        }
    )
    dataset = PackedDataset.open(data)
    classes = {
        name: {split: COUNTS[split][name] for split in COUNTS} for name in ("benign", "malignant")
    }
    facts = DatasetFacts(digest=dataset.digest, image_size=32, classes=classes)
    return plan_study(resolve(spec, facts.train_counts()), facts)


def pretrainings(plan: Plan) -> list[str]:
    return [step.name for step in plan.steps if step.kind == "pretrain"]


def test_other_classes_are_learnt_once_for_all_columns_and_all_classes_once_for_each(
    data: Path,
) -> None:
    assert pretrainings(planned(data)) == []
    others = planned(data, pretrain="other-classes")
    assert pretrainings(others) == ["pretrain:dcgan"]
    trainings = [step for step in others.steps if step.kind == "train"]
    assert len(trainings) == 4
    assert {step.inputs["pretrain"].step for step in trainings} == {"pretrain:dcgan"}
    everything = planned(data, pretrain="all-classes")
    assert pretrainings(everything) == [
        f"pretrain:dcgan:{count}:s{subset}" for count in (3, 5) for subset in (0, 1)
    ]
    steps = {step.name: step for step in everything.steps}
    for name in pretrainings(everything):
        needing = steps[name.replace("pretrain", "train", 1)]
        assert needing.inputs["pretrain"].step == name
        assert needing.key != steps[name].key


def test_how_long_it_takes_follows_the_schedule_unless_it_is_said(data: Path) -> None:
    schedule = [{"up_to": 5, "batch_size": 2, "epochs": 9}, {"batch_size": 8, "epochs": 4}]
    fields = {"pretrain": "other-classes", "schedule": schedule, "epochs": None, "batch_size": None}
    (step,) = [s for s in planned(data, **fields).steps if s.kind == "pretrain"]
    assert (step.params["batch_size"], step.params["epochs"]) == (8, 4)
    (step,) = [s for s in planned(data, **fields, pretrain_epochs=2).steps if s.kind == "pretrain"]
    assert (step.params["batch_size"], step.params["epochs"]) == (8, 2)


def test_a_plan_without_any_of_this_has_the_parameters_that_it_always_had(data: Path) -> None:
    step = next(s for s in planned(data, settings={}).steps if s.kind == "train")
    assert not {"settings", "pretrain", "freeze_d"} & step.params.keys()
    assert set(step.inputs) == {"dataset"}


def carried_out(plan: Plan, name: str, data: Path, folder: Path) -> Path:
    """Run a step and what it needs; return its outputs."""
    step = next(s for s in plan.steps if s.name == name)
    own = folder / step.key
    if own.exists():
        return own / "outputs"
    inputs = {
        label: data if given.step is None else carried_out(plan, given.step, data, folder)
        for label, given in step.inputs.items()
    }
    for part in ("outputs", "checkpoints"):
        (own / part).mkdir(parents=True)
    run_step(
        StepContext(
            name=name,
            kind=step.kind,
            key=step.key,
            params=step.params,
            inputs=inputs,
            outputs=own / "outputs",
            checkpoints=own / "checkpoints",
            settings=StepSettings(device="cpu", cache_dir=folder / "cache"),
            job={},
            on_progress=ignore_progress,
            should_stop=never_stop,
        )
    )
    return own / "outputs"


@pytest.mark.parametrize("images", ["other-classes", "all-classes"])
def test_no_training_on_the_way_sees_a_rare_image_beyond_the_subset_or_a_test_image(
    images: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[NDArray[np.uint8]] = []
    begun_from: list[Start | None] = []

    def watched(gan: Gan, given: NDArray[np.uint8], *rest: Any, **more: Any) -> Any:
        seen.append(given)
        begun_from.append(more.get("begins"))
        return train(gan, given, *rest, **more)

    for module in (pretrain_step, train_step):
        monkeypatch.setattr(module, "train", watched)
    plan = planned(data, pretrain=images, freeze_d=1)
    outputs = carried_out(plan, "train:dcgan:3:s1", data, tmp_path)

    dataset = PackedDataset.open(data)
    labels, rare = dataset.labels("train"), dataset.classes.index("malignant")
    subset = {dataset.images("train")[row].tobytes() for row in nested_subset(labels, rare, 3, 1)}
    others = {image.tobytes() for image in dataset.images("train")[labels != rare]}
    first, second = ({image.tobytes() for image in given} for given in seen)
    assert first == (others if images == "other-classes" else others | subset)
    assert second == subset

    card = json.loads((outputs / "model-dcgan-3-s1.json").read_text())
    rare_seen = 0 if images == "other-classes" else 3
    assert card["pretrained"]["images"] == {"benign": 9, "malignant": rare_seen}
    assert card["training"]["freeze_d"] == 1
    assert card["real_count"] == 3
    (training,) = [step for step in plan.steps if step.name == "train:dcgan:3:s1"]
    pretrain_outputs = carried_out(plan, str(training.inputs["pretrain"].step), data, tmp_path)
    networks = Start.load(pretrain_outputs / pretrain_step.NETWORKS)
    assert begun_from[0] is None
    assert begun_from[1] is not None
    assert begun_from[1].digest == networks.digest
    assert sorted(path.name for path in pretrain_outputs.iterdir()) == [
        "course.json",
        pretrain_step.NETWORKS,
        pretrain_step.NOTE,
    ]


def test_labels_come_with_the_same_images_and_samples_are_of_the_rare_class(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[NDArray[np.uint8], NDArray[np.int64]]] = []

    def watched(gan: Gan, given: NDArray[np.uint8], *rest: Any, **more: Any) -> Any:
        seen.append((given, more["labels"]))
        return train(gan, given, *rest, **more)

    monkeypatch.setattr(train_step, "train", watched)
    settings = {"width": 4, "latent_dim": 8, "blend_start": 0.1}
    plan = planned(data, conditional="late", settings=settings)
    assert pretrainings(plan) == []
    outputs = carried_out(plan, "train:dcgan:3:s1", data, tmp_path)

    dataset = PackedDataset.open(data)
    labels, rare = dataset.labels("train"), dataset.classes.index("malignant")
    allowed = {
        dataset.images("train")[row].tobytes(): int(labels[row])
        for row in [*nested_subset(labels, rare, 3, 1), *np.flatnonzero(labels != rare)]
    }
    ((images, given),) = seen
    assert {
        image.tobytes(): int(label) for image, label in zip(images, given, strict=True)
    } == allowed
    card = json.loads((outputs / "model-dcgan-3-s1.json").read_text())
    assert card["classes"] == ["benign", "malignant"]
    assert card["classes"][card["settings"]["drawn_class"]] == "malignant"
    assert card["settings"]["blend_start"] == 0.1
    assert card["real_count"] == 3
    model = TrainedGenerator.load(outputs / "model-dcgan-3-s1.safetensors")
    assert generate(model, [1]).shape == (1, 32, 32, 3)


def test_all_classes_need_a_column(data: Path) -> None:
    labels = PackedDataset.open(data).labels("train")
    with pytest.raises(ValueError, match="real count"):
        pretrain_step.rows_to_learn_from(labels, 1, "all-classes")


def test_networks_that_were_damaged_on_the_way_are_refused(data: Path, tmp_path: Path) -> None:
    plan = planned(data, pretrain="other-classes")
    networks = carried_out(plan, "pretrain:dcgan", data, tmp_path) / pretrain_step.NETWORKS
    networks.write_bytes(networks.read_bytes()[:-1])
    with pytest.raises(Exception, match="whole networks"):
        carried_out(plan, "train:dcgan:3:s0", data, tmp_path)
