"""Planted generators: one that is honest, one of noise, one that has collapsed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.quality import Features
from gan_core.set_quality import quality_of_set
from gan_core.spec.findings import OfColumn, SetQuality

COLUMN = OfColumn(gan="fastgan", real_count=50, real_count_label="50", subset=3)


def cloud(count: int, seed: int, width: int = 6) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def quality(real: Features, fake: Features) -> SetQuality:
    found = quality_of_set(real, fake, COLUMN, features="normal", against="held-out")
    assert found is not None
    return found


def test_an_honest_generator_is_as_good_as_chance_lets_it_be() -> None:
    found = quality(cloud(200, 0), cloud(300, 1))
    assert (found.gan, found.real_count_label, found.subset) == ("fastgan", "50", 3)
    assert (found.features, found.against) == ("normal", "held-out")
    assert (found.n_real, found.n_fake) == (200, 200)
    assert found.chance_kid is not None
    assert abs(found.kid) < 3 * found.kid_sd
    assert abs(found.chance_kid) < 0.2
    assert found.diversity == pytest.approx(1.0, abs=0.05)
    assert min(found.precision, found.recall, found.coverage) > 0.85


def test_noise_is_awful() -> None:
    real = cloud(200, 0)
    found = quality(real, 8 * cloud(200, 1) + 40)
    assert found.chance_kid is not None
    assert found.kid > 100 * max(abs(found.chance_kid), found.kid_sd / 10)
    assert (found.precision, found.density, found.coverage) == (0.0, 0.0, 0.0)
    assert found.frechet is not None
    assert found.frechet > 1000


def test_a_generator_of_one_image_has_neither_diversity_nor_recall() -> None:
    found = quality(cloud(200, 0), np.repeat(cloud(1, 1), 200, axis=0))
    assert found.diversity == pytest.approx(0.0, abs=1e-6)
    assert found.recall == 0.0
    assert found.coverage < 0.2


def test_of_three_images_nothing_is_said_and_of_five_no_chance() -> None:
    args = {"features": "f", "against": "training"}
    assert quality_of_set(cloud(3, 0), cloud(99, 1), COLUMN, **args) is None
    assert quality(cloud(5, 0), cloud(99, 1)).chance_kid is None


def test_numbers_are_capped_and_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_core.set_quality.MOST_COMPARED", 20)
    found = quality(cloud(50, 0), cloud(80, 1))
    assert (found.n_real, found.n_fake) == (20, 20)
    assert found == quality(cloud(50, 0), cloud(80, 1))
