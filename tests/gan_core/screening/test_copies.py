from __future__ import annotations

import numpy as np
import pytest

from gan_core.screening import near_copies, thumbnails, thumbnails_of


def images(n: int, size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def test_a_copy_has_distance_zero_and_names_its_original() -> None:
    training = images(20, 64, 0)
    distances, nearest = near_copies(training[[7, 3]], training)
    assert distances.tolist() == [0.0, 0.0]
    assert nearest.tolist() == [7, 3]


def test_the_distance_is_the_root_mean_square_of_the_thumbnails() -> None:
    fakes, training = images(9, 32, 1), images(13, 32, 2)
    distances, nearest = near_copies(fakes, training)
    gaps = fakes[:, None].astype(float) - training[None].astype(float)
    rms = np.sqrt(np.square(gaps).mean(axis=(2, 3, 4)))
    np.testing.assert_allclose(distances, rms.min(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(nearest, rms.argmin(axis=1))


def test_a_uniform_shift_by_eight_grey_levels_is_a_distance_of_eight() -> None:
    training = np.full((1, 48, 48, 3), 100, np.uint8)
    distances, _ = near_copies(training + np.uint8(8), training)
    assert distances[0] == 8.0


def test_blocks_change_nothing_and_sizes_may_differ() -> None:
    fakes, training = images(11, 64, 3), images(5, 96, 4)
    whole = near_copies(fakes, training)
    pieces = near_copies(fakes, thumbnails(training), block=3)
    np.testing.assert_array_equal(whole[0], pieces[0])
    np.testing.assert_array_equal(whole[1], pieces[1])


def test_no_fakes_are_no_distances() -> None:
    distances, nearest = near_copies(images(0, 32, 0), images(2, 32, 0))
    assert len(distances) == len(nearest) == 0


def test_without_training_images_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(ValueError, match="no training image"):
        near_copies(images(1, 32, 0), images(0, 32, 0))


def test_thumbnails_of_some_images_are_theirs_in_the_order_asked_for() -> None:
    many = images(9, 64, 5)
    rows = np.array([7, 0, 3, 8], np.int64)
    np.testing.assert_array_equal(thumbnails_of(many, rows, block=3), thumbnails(many[rows]))
