from __future__ import annotations

import numpy as np

from gan_core.packaging import resized


def test_images_of_the_right_size_are_not_touched() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)
    assert resized(images, None) is images
    assert resized(images, 24) is images


def test_images_come_out_in_the_size_asked_for_and_flat_ones_stay_flat() -> None:
    images = np.full((2, 24, 24, 3), 77, np.uint8)
    out = resized(images, 40)
    assert out.shape == (2, 40, 40, 3)
    assert (out == 77).all()


def test_an_image_comes_out_the_same_alone_and_among_others() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resized(images, 40)[1:2], resized(images[1:2], 40))
