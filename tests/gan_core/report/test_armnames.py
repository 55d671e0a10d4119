from __future__ import annotations

from typing import get_args

import pytest

from gan_core.report.armnames import ArmName, has_fakes, in_order, parsed
from gan_core.report.text import ENGLISH
from gan_core.spec.arms import BaseArmName, GanArmName, arm_of_gan, control_arm


@pytest.mark.parametrize("kind", get_args(GanArmName))
def test_the_full_name_of_every_arm_of_a_gan_is_understood(kind: GanArmName) -> None:
    assert parsed(arm_of_gan(kind, "fastgan")) == ArmName(kind, "fastgan")


@pytest.mark.parametrize("kind", get_args(BaseArmName))
def test_arms_without_a_gan_hold_no_synthetic_images(kind: BaseArmName) -> None:
    assert not has_fakes(kind)
    assert ENGLISH.arm(kind) != kind


def test_the_control_tells_the_size_that_its_images_went_through() -> None:
    assert parsed(control_arm(64)) == ArmName("upscale-control", size="64")
    assert "64 px" in ENGLISH.arm(control_arm(64))


def test_every_arm_of_a_gan_has_a_label_of_its_own() -> None:
    labels = {ENGLISH.arm(arm_of_gan(kind, "fastgan")) for kind in get_args(GanArmName)}
    assert len(labels) == len(get_args(GanArmName))
    assert all("FastGAN" in label for label in labels)


def test_tables_show_arms_in_the_specs_order_and_gans_last() -> None:
    mixed = ["gan:b", "synthetic-only:a", "gan:a", "new", "upscale-control:112"]
    mixed += ["upscale-control:64", "oversample", "real-only", "gan:a@ratio"]
    assert in_order(mixed) == [
        "real-only",
        "oversample",
        "upscale-control:64",
        "upscale-control:112",
        "new",
        "gan:a",
        "gan:a@ratio",
        "synthetic-only:a",
        "gan:b",
    ]
