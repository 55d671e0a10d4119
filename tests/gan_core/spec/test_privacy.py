"""What of differential privacy can be asked for, and with which words the rest is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from gan_core.spec import DatasetFacts, GanSpec, GraftError, StudySpec, plan_study, resolve
from gan_core.spec.privacy import PrivacySpec

FACTS = DatasetFacts(
    digest="d" * 64,
    image_size=64,
    classes={"benign": {"train": 90, "test": 9}, "malignant": {"train": 60, "test": 9}},
)


def asked(**fields: Any) -> dict[str, Any]:
    return {"name": "dcgan", "privacy": {"epsilon": 8}} | fields


def resolved(profile: str = "quick", **fields: Any) -> StudySpec:
    study = {"profile": profile, "real_counts": [50], "gans": [asked(**fields)]}
    return resolve(StudySpec.model_validate(study), FACTS.train_counts())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "fastgan"}, "fastgan cannot be trained with differential privacy"),
        ({"name": "infogan"}, "dcgan can"),
        ({"keep": "best"}, 'needs keep to be "last"'),
        ({"stop_early": True}, "stop_early exclude each other"),
        ({"pretrain": "all-classes"}, "all-classes exclude each other"),
        ({"conditional": "late"}, "conditional exclude each other"),
        ({"settings": {"augment": "ada"}}, "ada exclude each other"),
        ({"settings": {"loss": "relativistic"}}, "relativistic exclude each other"),
        ({"settings": {"discriminator_norm": "batch"}}, "discriminator_norm to be 'group'"),
        ({"privacy": {"epsilon": 0}}, "greater than 0"),
        ({"privacy": {}}, "Field required"),
        ({"privacy": {"epsilon": 1, "delta": 1}}, "less than 1"),
    ],
)
def test_what_epsilon_would_not_cover_is_refused_with_a_sentence(
    fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        GanSpec.model_validate(asked(**fields))
    assert said in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    "fields",
    [
        {"pretrain": "other-classes", "freeze_d": 1, "image_size": 64},
        {"settings": {"augment": "diffaugment", "loss": "hinge"}},
        {"settings": {"discriminator_norm": "group"}},
        {"keep": "last", "stop_early": False, "conditional": "none"},
    ],
)
def test_what_it_covers_is_accepted(fields: dict[str, Any]) -> None:
    assert GanSpec.model_validate(asked(**fields)).privacy == PrivacySpec(epsilon=8)


def test_the_last_generator_is_kept_without_anyone_asking_for_it() -> None:
    gan = GanSpec.model_validate(asked())
    assert gan.keep == "last"
    assert "keep" not in gan.model_dump(exclude_unset=True)
    assert GanSpec.model_validate(gan.model_dump(mode="json")) == gan


@pytest.mark.parametrize("profile", ["quick", "seed", "best"])
def test_every_profile_can_train_with_it_and_resolves_to_itself(profile: str) -> None:
    once = resolved(profile)
    (gan,) = once.gans
    assert (gan.keep, gan.stop_early) == ("last", False)
    assert resolve(once, FACTS.train_counts()) == once
    written = StudySpec.model_validate(once.model_dump(mode="json"))
    assert resolve(written, FACTS.train_counts()) == once


def test_a_training_is_planned_with_it_and_others_keep_their_keys() -> None:
    (training,) = [step for step in plan_study(resolved(), FACTS).steps if step.kind == "train"]
    assert training.params["privacy"]["epsilon"] == 8
    assert training.params["settings"] == {"discriminator_norm": "group"}
    without = plan_study(resolved(privacy=None), FACTS)
    (other,) = [step for step in without.steps if step.kind == "train"]
    assert "privacy" not in other.params
    assert "settings" not in other.params
    assert other.key != training.key
    assert training.estimate_seconds > 2 * other.estimate_seconds


def test_what_is_pretrained_for_it_has_the_same_networks() -> None:
    plan = plan_study(resolved(pretrain="other-classes"), FACTS)
    (pretraining,) = [step for step in plan.steps if step.kind == "pretrain"]
    assert pretraining.params["settings"] == {"discriminator_norm": "group"}


def test_delta_is_a_tenth_of_one_in_the_real_images_or_refused_before_anything_is_trained() -> None:
    assert PrivacySpec(epsilon=1).delta_for(500) == pytest.approx(2e-4)
    assert PrivacySpec(epsilon=1, delta=1e-5).delta_for(500) == 1e-5
    study = resolved(privacy={"epsilon": 1, "delta": 0.02})
    with pytest.raises(GraftError) as caught:
        plan_study(study, FACTS)
    assert caught.value.code == "delta_too_large"
