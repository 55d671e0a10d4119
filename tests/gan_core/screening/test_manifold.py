"""Which images lie too far from all real ones."""

from __future__ import annotations

import numpy as np
import pytest

from gan_core.screening.manifold import farthest_allowed, nearest_distances


def points(n: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).normal(size=(n, 16))).astype(np.float32)


def test_the_distance_is_that_of_the_nearest_real_image() -> None:
    fakes, real = points(7, 0), points(5, 1)
    gaps = np.linalg.norm(fakes[:, None].astype(float) - real[None], axis=2)
    np.testing.assert_allclose(nearest_distances(fakes, real), gaps.min(axis=1), rtol=1e-6)


def test_many_images_are_looked_at_a_block_at_a_time() -> None:
    fakes, real = points(2500, 0), points(5, 1)
    whole = nearest_distances(fakes, real)
    np.testing.assert_allclose(whole[2040:2060], nearest_distances(fakes[2040:2060], real))


@pytest.mark.parametrize(("n", "least"), [(10, 0.85), (19, 0.93), (200, 0.93)])
def test_new_real_images_pass_as_often_as_is_promised(n: int, least: float) -> None:
    passed = []
    for seed in range(40):
        real, new = points(n, 2 * seed), points(200, 2 * seed + 1)
        passed.append((nearest_distances(new, real) <= farthest_allowed(real)).mean())
    assert least < np.mean(passed) < 0.99


def test_noise_far_from_everything_is_beyond_it() -> None:
    real = points(50, 0)
    assert (nearest_distances(points(40, 1, scale=5.0), real) > farthest_allowed(real)).all()


def test_of_few_images_the_largest_distance_counts_and_of_many_an_odd_one_does_not() -> None:
    odd = np.full((1, 16), 50.0, np.float32)
    few, many = np.concatenate([points(9, 0), odd]), np.concatenate([points(99, 0), odd])
    assert farthest_allowed(few) > 100
    assert farthest_allowed(many) < 10


def test_copies_among_the_real_images_leave_something_to_divide_by() -> None:
    assert farthest_allowed(np.ones((5, 16), np.float32)) > 0
