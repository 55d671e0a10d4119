import numpy as np
import pytest

from gan_core.classifiers.images import StackedImages
from gan_core.spec.errors import GraftError


def test_stacked_images_are_the_rows_of_their_parts_in_order() -> None:
    rng = np.random.default_rng(0)
    real, fake = (rng.integers(0, 256, (n, 4, 4, 3), np.uint8) for n in (6, 3))
    stacked = StackedImages([(real, np.array([5, 0])), (fake, np.arange(3)), (real, np.array([2]))])
    whole = np.concatenate([real[[5, 0]], fake, real[[2]]])
    assert stacked.shape == (6, 4, 4, 3)
    order = np.array([5, 0, 3, 3, 1])
    assert np.array_equal(stacked[order], whole[order])


def test_parts_of_different_sizes_are_refused() -> None:
    small, large = np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8)
    with pytest.raises(GraftError) as refused:
        StackedImages([(small, np.array([0])), (large, np.array([0]))])
    assert refused.value.code == "sizes_differ"
