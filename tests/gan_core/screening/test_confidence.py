"""Which images a classifier takes for another class."""

from __future__ import annotations

import numpy as np
import pytest

from gan_core.progress import Stopped
from gan_core.screening.confidence import HIGHEST_LIMIT, fit_label_screen
from gan_core.spec.errors import GraftError

DIMENSIONS = 24


def features(n: int, seed: int, shift: float) -> np.ndarray:
    """Points about a centre that lies ``shift`` away from the other class's."""
    spread = np.random.default_rng(seed).normal(size=(n, DIMENSIONS))
    return (spread + shift / np.sqrt(DIMENSIONS)).astype(np.float32)


def real(n_rare: int, n_other: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate([features(n_other, 0, 0.0), features(n_rare, 1, shift)])
    return points, np.repeat([0, 1], [n_other, n_rare]).astype(np.int64)


@pytest.mark.parametrize("n_rare", [10, 100])
def test_images_of_the_class_pass_and_those_of_the_other_do_not(n_rare: int) -> None:
    screen = fit_label_screen(*real(n_rare, 200, 6.0))
    ours = screen.confidence(features(300, 2, 6.0)) >= screen.limit
    others = screen.confidence(features(300, 3, 0.0)) >= screen.limit
    assert ours.mean() > 0.85
    assert others.mean() < 0.2


@pytest.mark.parametrize("n_rare", [50, 101])
def test_nine_in_ten_held_out_real_images_pass(n_rare: int) -> None:
    screen = fit_label_screen(*real(n_rare, 300, 1.5))
    assert screen.passing >= 0.9
    assert screen.passing < 0.9 + 1.5 / n_rare
    # And new ones, of which neither the classifier nor the limit has heard.
    new = screen.confidence(features(1000, 2, 1.5)) >= screen.limit
    assert 0.8 < new.mean() <= 1.0


def test_where_classes_are_easily_told_apart_no_more_than_even_odds_are_asked() -> None:
    screen = fit_label_screen(*real(60, 60, 20.0))
    assert screen.limit == HIGHEST_LIMIT
    assert screen.passing == 1.0


def test_an_image_that_is_less_like_the_class_than_most_others_never_passes() -> None:
    # Ten images that are no class at all: the limit would let nearly everything pass.
    points, labels = real(10, 200, 0.0)
    screen = fit_label_screen(points, labels)
    assert screen.others_passing <= 0.5


def test_the_same_images_give_the_same_limit() -> None:
    one, two = (fit_label_screen(*real(10, 40, 2.0)) for _ in range(2))
    assert one.limit == two.limit
    some = features(5, 9, 1.0)
    np.testing.assert_array_equal(one.confidence(some), two.confidence(some))


def test_the_confidence_is_no_probes_that_has_learnt_all_images() -> None:
    screen = fit_label_screen(*real(10, 40, 2.0))
    assert len(screen.probes) == 5
    some = features(5, 9, 1.0)
    expected = np.mean([probe.predict(some) for probe in screen.probes], axis=0)
    np.testing.assert_allclose(screen.confidence(some), expected, rtol=1e-5)


def test_two_images_of_a_class_are_enough_and_one_is_not() -> None:
    assert len(fit_label_screen(*real(2, 30, 3.0)).probes) == 2
    with pytest.raises(GraftError) as caught:
        fit_label_screen(*real(1, 30, 3.0))
    assert caught.value.code == "too_few_to_screen"


def test_it_can_be_stopped() -> None:
    with pytest.raises(Stopped):
        fit_label_screen(*real(10, 30, 3.0), should_stop=lambda: True)
