import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gan_core.quality import (
    authenticity,
    cubic_kernel,
    density_and_coverage,
    diversity,
    frechet_distance,
    kernel_distance,
    mean_of_others,
    neighbours_of,
    precision_and_recall,
)


def cloud(count: int, seed: int, *, shift: float = 0.0, width: int = 8) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return (random.normal(size=(count, width)) + shift).astype(np.float32)


def test_the_kernel_is_cubic() -> None:
    a = np.array([[1.0, 2.0]], np.float32)
    b = np.array([[3.0, 0.0]], np.float32)
    assert cubic_kernel(a, b)[0, 0] == pytest.approx((3 / 2 + 1) ** 3)


def test_one_subset_of_everything_is_torchmetrics_maximum_mean_discrepancy() -> None:
    from torchmetrics.image.kid import poly_mmd

    real, fake = cloud(40, 0), cloud(40, 1, shift=0.5)
    size = 20
    random = np.random.default_rng(3)
    a = random.choice(40, size, replace=False)
    b = random.choice(40, size, replace=False)
    expected = poly_mmd(torch.from_numpy(real[a]).double(), torch.from_numpy(fake[b]).double())
    found, _ = kernel_distance(real, fake, subsets=1, seed=3)
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_the_kernel_distance_of_one_distribution_is_about_nothing() -> None:
    same, sd = kernel_distance(cloud(400, 0), cloud(400, 1))
    other, _ = kernel_distance(cloud(400, 0), cloud(400, 1, shift=1.0))
    assert abs(same) < 3 * sd
    assert other > 20 * abs(same)


def test_the_kernel_distance_does_not_change_by_itself() -> None:
    assert kernel_distance(cloud(50, 0), cloud(30, 1)) == kernel_distance(
        cloud(50, 0), cloud(30, 1)
    )


def test_a_kernel_distance_needs_four_images_a_side() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        kernel_distance(cloud(3, 0), cloud(50, 1))


def test_a_mean_of_others_leaves_out_the_diagonal() -> None:
    assert mean_of_others(np.array([[100.0, 1.0], [3.0, 100.0]])) == 2.0


def test_density_and_coverage_by_hand() -> None:
    # Five images on a line, one neighbour each: every surrounding reaches 1 to both sides.
    real = np.arange(5, dtype=np.float32)[:, None]
    assert neighbours_of(5) == 1
    # 0.5 lies within those of 0 and 1; 10 within none; 4.5 within that of 4.
    fake = np.array([[0.5], [10.0], [4.5]], np.float32)
    density, coverage = density_and_coverage(real, fake)
    assert density == pytest.approx(3 / 3)
    assert coverage == pytest.approx(3 / 5)


def test_the_same_distribution_is_dense_and_covered() -> None:
    density, coverage = density_and_coverage(cloud(200, 0), cloud(200, 1))
    assert density == pytest.approx(1.0, abs=0.15)
    assert coverage > 0.9


def test_a_generator_of_one_image_covers_little() -> None:
    _, coverage = density_and_coverage(cloud(200, 0), np.repeat(cloud(1, 1), 200, axis=0))
    assert coverage < 0.2


def test_precision_and_recall_tell_a_narrow_generator_from_a_wide_one() -> None:
    real = cloud(200, 0, width=3)
    narrow = precision_and_recall(real, cloud(200, 1, width=3) * 0.2)
    wide = precision_and_recall(real, cloud(200, 1, width=3) * 5)
    assert narrow[0] > 0.95
    assert narrow[1] < 0.3
    assert wide[0] < 0.3
    assert wide[1] > 0.9


def test_copies_are_not_authentic_and_new_ones_are() -> None:
    real = cloud(100, 0)
    copied = real + np.float32(1e-3)
    assert authenticity(real, copied) == 0.0
    assert authenticity(real, cloud(100, 1)) > 0.4
    assert authenticity(real, cloud(100, 1, shift=50)) == 1.0


def test_copies_of_an_image_that_stands_twice_are_not_authentic() -> None:
    real = cloud(50, 0)
    real[1] = real[0]
    nearly = np.repeat(real[:1], 20, axis=0) + np.float32(1e-6)
    assert authenticity(real, nearly) == 0.0


@pytest.mark.parametrize("count", [5, 40])
def test_the_frechet_distance_is_torchmetrics(count: int) -> None:
    """With more images than features, and with fewer."""
    from torchmetrics.image.fid import _compute_fid

    real, fake = cloud(count, 0, width=10), cloud(count + 7, 1, shift=0.3, width=10)
    sides = []
    for features in (real, fake):
        wide = torch.from_numpy(features).double()
        sides += [wide.mean(0), torch.cov(wide.T)]
    # The root of a singular matrix loses half of the digits.
    assert frechet_distance(real, fake) == pytest.approx(float(_compute_fid(*sides)), abs=1e-4)


def test_the_frechet_distance_of_normal_distributions_by_hand() -> None:
    # 1 dimension: (mean difference)^2 + (sd difference)^2; the sds are 1 and 3.
    real = np.array([[-1.0], [0.0], [1.0]], np.float32)
    fake = np.array([[2.0], [5.0], [8.0]], np.float32)
    assert frechet_distance(real, fake) == pytest.approx(25 + 4)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(real[:1], fake)


def test_half_the_spread_is_half_the_diversity() -> None:
    assert diversity(cloud(300, 0), cloud(300, 1) / 2) == pytest.approx(0.5, abs=0.03)
    assert diversity(cloud(30, 0), np.ones((9, 8), np.float32)) == 0.0
