from typing import get_args

import pytest

from gan_core.benchmark.arms import Arm, arm_named, balanced_weights, fakes_to_fill
from gan_core.spec.arms import BaseArmName, GanArmName, arm_of_gan, control_arm
from gan_core.spec.errors import GraftError


def test_arms_are_found_by_the_name_in_the_table() -> None:
    assert arm_named("class-weights").has_class_weights
    assert arm_named("oversample").sampling == "oversample"
    both = arm_named("classic-augment+oversample")
    assert both.is_augmented
    assert both.sampling == "oversample"
    assert arm_named("upscale-control:64") == Arm("upscale-control:64", source="control-64")


def test_every_arm_that_a_plan_can_hold_is_known() -> None:
    for name in get_args(BaseArmName):
        full = control_arm(128) if name == "upscale-control" else name
        assert arm_named(full).name == full
        assert arm_named(full).gan is None
    found = {name: arm_named(arm_of_gan(name, "dc-gan")) for name in get_args(GanArmName)}
    assert {arm.gan for arm in found.values()} == {"dc-gan"}
    assert found["gan"] == Arm("gan:dc-gan", gan="dc-gan", source="fakes")
    assert found["gan+classic-augment"].is_augmented
    assert found["gan@ratio"].chooses_ratio
    assert found["gan@ratio"].has_class_weights
    assert found["gan-unscreened"].source == "unscreened"
    assert not found["synthetic-only"].has_real_rare


@pytest.mark.parametrize(
    "name", ["", "gan:", "gan:@ratio", "infogan", "synthetic-only:", "upscale-control:x"]
)
def test_an_unknown_arm_is_refused(name: str) -> None:
    with pytest.raises(GraftError) as refused:
        arm_named(name)
    assert refused.value.code == "unknown_arm"


@pytest.mark.parametrize(
    ("balance_to", "expected"), [("full-class", 863), ("majority", 1044), (400, 300), (50, 0)]
)
def test_fakes_fill_the_class_up_to_what_was_asked(balance_to: str | int, expected: int) -> None:
    assert fakes_to_fill([1144, 963], 1, 100, balance_to) == expected  # type: ignore[arg-type]


def test_balanced_weights_give_both_classes_the_same_say() -> None:
    other, rare = balanced_weights(90, 10)
    assert other * 90 == pytest.approx(rare * 10)
    assert (other * 90 + rare * 10) / 100 == pytest.approx(1.0)
