"""A split by patients."""

import numpy as np
import pytest

from gan_core.reading.patients import draw_test_patients, joined


def test_groups_are_joined_by_person() -> None:
    groups = np.array([0, 1, 1, 3, 4, 5])
    together = joined(groups, ["x", "y", "", "x", "", "y"])
    assert together[0] == together[3]
    assert together[1] == together[2] == together[5]
    assert len(set(together.tolist())) == 3


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_divided_and_every_class_is_tested(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 40, 300)
    labels = rng.choice(3, 300, p=[0.7, 0.25, 0.05])
    is_test = draw_test_patients(labels, groups, share=0.2, seed=seed)
    for group in np.unique(groups):
        assert len(set(is_test[groups == group].tolist())) == 1
    for label in range(3):
        assert is_test[labels == label].any()
        assert (~is_test[labels == label]).sum() >= 2
        assert is_test[labels == label].mean() <= 0.35
    again = draw_test_patients(labels, groups, share=0.2, seed=seed)
    assert (again == is_test).all()
    assert (draw_test_patients(labels, groups, share=0.2, seed=seed + 1) != is_test).any()


def test_a_class_of_one_patient_is_split_image_by_image() -> None:
    labels = np.array([0] * 10 + [1] * 10)
    groups = np.array([*range(10), *[99] * 10])
    is_test = draw_test_patients(labels, groups, share=0.2, seed=0)
    assert is_test[labels == 0].sum() == 2
    assert is_test[labels == 1].sum() == 2
