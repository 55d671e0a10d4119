"""Planted generators: what is said of one that copies, of one that is honest, and of chance."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.privacy import attack, attack_by_distance, closeness, nearest
from gan_core.spec.findings import Interval


def cloud(count: int, seed: int, width: int = 16) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def holds(interval: Interval | None, value: float) -> bool:
    assert interval is not None
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= value <= interval.high


def test_neighbours_come_nearest_first_block_by_block() -> None:
    among = np.array([[0.0], [10.0], [4.0]], np.float32)
    asked = np.tile(np.array([[1.0], [9.0]], np.float32), (200, 1))
    far, rows = nearest(asked, among, 2)
    np.testing.assert_allclose(far, np.tile([[1.0, 3.0], [1.0, 5.0]], (200, 1)))
    np.testing.assert_array_equal(rows, np.tile([[0, 2], [1, 2]], (200, 1)))
    # There may be fewer than were asked for.
    assert nearest(asked, among, 7)[1].shape == (400, 3)
    with pytest.raises(ValueError, match="no image"):
        nearest(asked, among[:0])


def test_copies_are_closer_than_any_unseen_image_and_give_their_models_away() -> None:
    members, others = cloud(60, 0), cloud(200, 1)
    fakes = np.tile(members, (4, 1)) + 0.01 * cloud(240, 2)
    found = closeness(nearest(fakes, members)[0][:, 0], nearest(others, members)[0][:, 0])
    assert found.ratio < 0.05
    assert found.share_below == 1.0
    found_attack = attack_by_distance(members, others, fakes)
    assert found_attack is not None
    assert found_attack.mean > 0.99
    assert not holds(found_attack, 0.5)


def test_new_images_are_as_far_as_unseen_ones_and_give_nothing_away() -> None:
    members, others, fakes = cloud(60, 0), cloud(400, 1), cloud(1000, 2)
    found = closeness(nearest(fakes, members)[0][:, 0], nearest(others, members)[0][:, 0])
    assert found.ratio == pytest.approx(1.0, abs=0.05)
    assert found.share_below < 0.03
    assert holds(attack_by_distance(members, others, fakes), 0.5)


@pytest.mark.parametrize("unseen", [30, 99, 500])
def test_chance_falls_below_the_first_percentile_as_often_as_is_said(unseen: int) -> None:
    random = np.random.default_rng(0)
    shares = [
        closeness(random.gamma(5.0, size=200), random.gamma(5.0, size=unseen)).share_below
        for _ in range(1500)
    ]
    assert np.mean(shares) == pytest.approx(max(0.01, 1 / (unseen + 1)), abs=0.002)


def test_images_of_a_data_set_of_copies_are_no_closer_than_unseen_ones() -> None:
    assert closeness(np.zeros(3), np.zeros(5)).ratio == 1.0
    assert closeness(np.zeros(3), np.zeros(5)).share_below == 0.0


@pytest.mark.parametrize(("members", "others"), [(10, 100), (60, 60)])
def test_the_attacks_interval_holds_chance_in_95_of_100_cases(members: int, others: int) -> None:
    """Of an honest generator: its images have nothing to do with either side."""
    runs = [
        attack_by_distance(
            cloud(members, 3 * run, 4), cloud(others, 3 * run + 1, 4), cloud(80, 3 * run + 2, 4)
        )
        for run in range(300)
    ]
    assert 0.92 <= np.mean([holds(found, 0.5) for found in runs]) <= 0.98


def test_with_ten_members_the_interval_is_wide() -> None:
    found = attack(cloud(10, 0, 1)[:, 0], cloud(500, 1, 1)[:, 0])
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert 0.25 < found.high - found.low < 0.5


def test_an_attack_needs_two_of_each_and_more_members_of_one_side_do_no_harm() -> None:
    assert attack(np.array([1.0]), np.arange(9.0)) is None
    assert attack(np.arange(9.0), np.array([1.0])) is None
    few = attack(np.array([2.0, 3.0]), np.arange(4.0))
    many = attack(np.array([2.0, 3.0] * 50), np.arange(4.0))
    assert few is not None
    assert many is not None
    assert few.mean == many.mean == 0.75
