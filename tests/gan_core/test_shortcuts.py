import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.shortcuts import is_warning, told_apart
from gan_core.spec.findings import Interval


def cloud(count: int, seed: int, width: int = 40) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def test_a_mark_on_synthetic_images_is_found() -> None:
    fake = cloud(80, 1)
    fake[:, 7] += 4
    found = told_apart(cloud(80, 0), fake)
    assert found is not None
    assert found.mean > 0.95
    assert is_warning(found)


def test_new_real_images_are_not_told_from_real_ones() -> None:
    found = [told_apart(cloud(60, 2 * run), cloud(60, 2 * run + 1)) for run in range(40)]
    assert not any(is_warning(interval) for interval in found if interval is not None)
    means = [interval.mean for interval in found if interval is not None]
    assert len(means) == 40
    assert np.mean(means) == pytest.approx(0.5, abs=0.04)


def test_copies_of_the_same_images_fall_below_chance_and_warn_of_nothing() -> None:
    found = told_apart(cloud(60, 0), cloud(60, 0) + np.float32(0.01) * cloud(60, 1))
    assert found is not None
    assert found.high is not None
    assert found.high < 0.5
    assert not is_warning(found)


def test_chance_among_few_images_is_no_warning() -> None:
    found = [told_apart(cloud(10, 2 * run), cloud(10, 2 * run + 1)) for run in range(100)]
    above = sum(interval.mean > 0.75 for interval in found if interval is not None)
    warned = sum(is_warning(interval) for interval in found if interval is not None)
    assert 0 < warned <= above <= 12
    assert warned <= 8


def test_as_many_of_each_side_are_taken() -> None:
    real, fake = cloud(30, 0), cloud(300, 1)
    assert told_apart(real, fake) == told_apart(real, fake[:30])
    assert told_apart(cloud(3, 0), fake) is None


def test_a_warning_needs_both_the_figure_and_its_interval() -> None:
    assert is_warning(Interval(mean=0.76, low=0.6, high=0.9))
    assert not is_warning(Interval(mean=0.76, low=0.45, high=0.95))
    assert not is_warning(Interval(mean=0.74, low=0.7, high=0.8))
