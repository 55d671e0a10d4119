"""The steps that images from a model take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gan_core.spec import (
    DatasetFacts,
    DeviceFacts,
    GraftError,
    ImagesSpec,
    ModelSource,
    Plan,
    Speed,
    Speeds,
    StudySpec,
    plan_images,
    plan_study,
    resolve,
)
from gan_core.spec.steps import STEP_VERSIONS

FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=224,
    classes={"benign": {"train": 100, "test": 9}, "malignant": {"train": 80, "test": 9}},
)
STUDY = plan_study(resolve(StudySpec(real_counts=[50], balance_to=60), FACTS.train_counts()), FACTS)
TRAIN = next(step for step in STUDY.steps if step.kind == "train")
MODEL = ModelSource(
    train_step=TRAIN.name,
    key=TRAIN.key,
    code_version=TRAIN.code_version,
    params=TRAIN.params,
    settings={"categories": 10, "codes": 2},
)


def planned(asked: dict[str, Any], model: ModelSource = MODEL) -> Plan:
    return plan_images(ImagesSpec.model_validate(asked), model, FACTS)


def test_a_few_images_are_one_step_behind_the_training() -> None:
    train, draw = planned({"count": 16}).steps
    assert (train.name, train.key, train.estimate_seconds) == (TRAIN.name, TRAIN.key, 0.0)
    assert (draw.kind, draw.needs(), draw.queue) == ("draw", [TRAIN.name], "interactive")
    assert draw.params["package"]["sheet"] is True


def test_many_images_take_the_steps_of_a_study() -> None:
    names = [step.name for step in planned({"count": 500, "upscale": {}}).steps]
    label = TRAIN.name.removeprefix("train:")
    assert names == [TRAIN.name, f"generate:{label}", f"upscale:{label}", "package"]
    without = planned({"count": 500})
    assert [step.kind for step in without.steps] == ["train", "generate", "package"]
    assert without.steps[-1].params["sheet"] is False


def test_images_that_the_study_made_already_are_used_again() -> None:
    generate = next(step for step in STUDY.steps if step.kind == "generate")
    asked = {"count": generate.params["count"], "upscale": {"engine": "realesrgan"}}
    assert generate.key in {step.key for step in planned(asked).steps}


@pytest.mark.parametrize("count", [5, 500])
@pytest.mark.parametrize(
    "change",
    [
        {"first_seed": 7},
        {"truncation": 0.5},
        {"category": 3},
        {"codes": [0.5, 0.5]},
        {"upscale": {}},
        {"output": {"size": 64}},
        {"screen": {"near_copies": False}},
    ],
)
def test_whatever_changes_the_images_changes_the_last_steps_key(
    change: dict[str, Any], count: int
) -> None:
    plain, other = planned({"count": count}), planned({"count": count, **change})
    assert plain.steps[-1].key != other.steps[-1].key


def test_a_name_and_a_priority_change_no_key() -> None:
    named = planned({"count": 5, "name": "for Ada", "priority": "low"})
    assert [s.key for s in named.steps] == [s.key for s in planned({"count": 5}).steps]


def test_a_model_without_codes_cannot_be_asked_for_one() -> None:
    plain = MODEL.model_copy(update={"settings": {}})
    for asked, model in [
        ({"category": 0}, plain),
        ({"codes": [0.0]}, plain),
        ({"category": 10}, MODEL),
        ({"codes": [0.0]}, MODEL),
    ]:
        with pytest.raises(GraftError) as refused:
            planned(asked, model)
        assert refused.value.code == "no_codes"
    assert planned({"category": 9, "codes": [-1.0, 1.0]}).steps


def test_a_change_to_any_of_the_three_steps_is_one_to_the_step_that_is_all_three() -> None:
    three = [STEP_VERSIONS[kind] for kind in ("generate", "upscale", "package")]
    assert STEP_VERSIONS["draw"] == sum(three)


def test_more_images_than_a_disk_should_hold_are_refused() -> None:
    most = {"count": 100_000}
    for larger in ({"output": {"size": 1024}}, {"upscale": {"size": 1024}}):
        with pytest.raises(GraftError) as refused:
            planned(most | larger)
        assert refused.value.code == "images_too_large"
    assert planned(most | {"upscale": {"size": 512}}).steps


def test_what_was_measured_changes_the_estimate_and_no_key() -> None:
    device = DeviceFacts(kind="cpu", name="two cores", threads=2)
    at = datetime(2026, 11, 25, tzinfo=UTC)
    slow = Speed(
        device.name, f"draw {TRAIN.params['gan']} {TRAIN.params['image_size']}px", 2.0, 100, at
    )
    asked = ImagesSpec(count=10)
    plain = plan_images(asked, MODEL, FACTS)
    told = plan_images(asked, MODEL, FACTS, speeds=Speeds.of({"cpu": device}, [slow]))
    assert told.steps[-1].estimate_seconds == 4.0 + 10 * 2.0
    assert told.steps[-1].estimate_source == "measured on two cores, 2026-11-25"
    assert plain.steps[-1].estimate_seconds < 5
    assert [step.key for step in plain.steps] == [step.key for step in told.steps]
