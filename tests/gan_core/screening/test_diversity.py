"""Picking images that differ."""

from __future__ import annotations

import numpy as np
import pytest

from gan_core.progress import Stopped
from gan_core.quality import distances
from gan_core.screening.diversity import pick_diverse


def points(n: int, seed: int, at: float = 0.0, spread: float = 1.0) -> np.ndarray:
    return (at + spread * np.random.default_rng(seed).normal(size=(n, 8))).astype(np.float32)


def cost(features: np.ndarray, rows: np.ndarray) -> float:
    return float(distances(features, features[rows]).min(axis=1).sum())


def test_of_equal_images_one_is_picked_even_when_too_few_are_left() -> None:
    features = np.concatenate([np.repeat(points(1, 0), 30, axis=0), points(6, 1)])
    assert pick_diverse(features, 20).tolist() == [0, *range(30, 36)]


def test_every_crowd_is_picked_from_before_any_a_second_time() -> None:
    crowds = [points(40, 0), points(5, 1, at=20.0), points(3, 2, at=-20.0)]
    picked = pick_diverse(np.concatenate(crowds), 3)
    assert [int((picked < 40).sum()), int(((picked >= 40) & (picked < 45)).sum())] == [1, 1]


def test_the_pick_is_that_of_the_plain_greedy_rule() -> None:
    features = points(40, 3)
    plain: list[int] = []
    for _ in range(8):
        costs = [cost(features, np.array([*plain, row])) for row in range(40)]
        plain.append(int(np.argmin(costs)))
    assert pick_diverse(features, 8).tolist() == sorted(plain)


def test_it_stands_for_all_better_than_the_first_drawn_do() -> None:
    features = points(300, 4)
    assert cost(features, pick_diverse(features, 30)) < 0.97 * cost(features, np.arange(30))


def test_in_parts_as_many_are_picked_and_nearly_as_well() -> None:
    features = points(301, 5)
    whole, parts = pick_diverse(features, 30), pick_diverse(features, 30, largest_part=60)
    assert len(whole) == len(parts) == len(set(parts.tolist())) == 30
    assert cost(features, whole) <= cost(features, parts) < 1.1 * cost(features, whole)


def test_the_same_features_give_the_same_pick_in_ascending_order() -> None:
    one, two = (pick_diverse(points(100, 6), 20).tolist() for _ in range(2))
    assert one == two == sorted(one)


@pytest.mark.parametrize(("n", "count", "picked"), [(0, 5, 0), (5, 0, 0), (1, 1, 1), (3, 9, 3)])
def test_edges(n: int, count: int, picked: int) -> None:
    assert len(pick_diverse(points(n, 7), count)) == picked


def test_it_can_be_stopped() -> None:
    with pytest.raises(Stopped):
        pick_diverse(points(5, 8), 2, should_stop=lambda: True)
