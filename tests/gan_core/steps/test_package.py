"""Which images a synthetic image is compared with before it leaves."""

from typing import Any

import numpy as np
import pytest

from gan_core.steps.package import rows_to_compare_with

LABELS = np.array([0, 1, 0, 1, 2])
PLAIN: dict[str, Any] = {"name": "infogan"}


@pytest.mark.parametrize("gans", [[PLAIN], [PLAIN | {"pretrain": "none", "conditional": "none"}]])
def test_a_gan_of_the_rare_class_can_copy_that_class_alone(gans: list[dict[str, Any]]) -> None:
    assert rows_to_compare_with(LABELS, 1, gans).tolist() == [1, 3]


@pytest.mark.parametrize(
    "more", [{"pretrain": "other-classes"}, {"pretrain": "all-classes"}, {"conditional": "late"}]
)
def test_one_that_learnt_from_other_classes_could_copy_any_image(more: dict[str, Any]) -> None:
    assert rows_to_compare_with(LABELS, 1, [PLAIN, PLAIN | more]).tolist() == [0, 1, 2, 3, 4]
