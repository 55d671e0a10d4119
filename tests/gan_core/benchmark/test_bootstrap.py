import time

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.benchmark.bootstrap import interval, resample_weights, resampled_figures
from gan_core.benchmark.metrics import FIGURES, figures


def scored(count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores with ties and positives that tend to score higher."""
    rng = np.random.default_rng(seed)
    positive = rng.random(count) < 0.4
    scores = 1 / (1 + np.exp(-(rng.normal(size=count) + positive)))
    return scores.round(2).astype(np.float32), positive


def test_with_every_image_once_the_figures_are_the_plain_ones() -> None:
    scores, positive = scored(80)
    found = resampled_figures(scores, positive, np.ones((1, 80)), 0.4)
    plain = figures(scores, positive, 0.4)
    assert {name: float(found[name][0]) for name in FIGURES} == pytest.approx(plain)


@pytest.mark.parametrize("count", [7, 60, 203])
def test_a_resample_s_figures_are_those_of_the_images_it_repeats(count: int) -> None:
    scores, positive = scored(count, seed=1)
    weights = resample_weights(positive, 9)
    found = resampled_figures(scores, positive, weights, 0.35)
    for b, row in enumerate(weights):
        repeated = np.repeat(np.arange(count), row.astype(int))
        plain = figures(scores[repeated], positive[repeated], 0.35)
        assert {name: found[name][b] for name in FIGURES} == pytest.approx(plain, abs=1e-6)


def test_many_images_are_worked_on_in_blocks_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores, positive = scored(90, seed=3)
    weights = resample_weights(positive, 40)
    whole = resampled_figures(scores, positive, weights)
    monkeypatch.setattr("gan_core.benchmark.bootstrap._CELLS_AT_ONCE", 90 * 7)
    in_blocks = resampled_figures(scores, positive, weights)
    for name in FIGURES:
        np.testing.assert_array_equal(in_blocks[name], whole[name])


@pytest.mark.parametrize("label", [False, True])
def test_figures_that_one_class_alone_does_not_define_are_not_numbers(label: bool) -> None:
    scores, positive = scored(20)[0], np.full(20, label)
    found = resampled_figures(scores, positive, resample_weights(positive, 3), 0.5)
    plain = figures(scores, positive, 0.5)
    assert {name for name in FIGURES if np.isnan(found[name]).all()} == {
        name for name, value in plain.items() if value is None
    }


def test_each_resample_keeps_the_size_of_each_class() -> None:
    _, positive = scored(50, seed=2)
    weights = resample_weights(positive, 20)
    assert (weights[:, positive].sum(1) == positive.sum()).all()
    assert (weights[:, ~positive].sum(1) == (~positive).sum()).all()
    assert len({row.tobytes() for row in weights}) == 20


def test_the_interval_of_a_sensitivity_is_as_wide_as_the_binomial_s() -> None:
    positive = np.arange(400) < 200
    scores = np.where(np.arange(400) % 2 == 0, 0.9, 0.1).astype(np.float32)
    low, high = interval(
        resampled_figures(scores, positive, resample_weights(positive))["sensitivity"]
    )
    expected = 1.96 * (0.25 / 200) ** 0.5
    assert low == pytest.approx(0.5 - expected, abs=0.01)
    assert high == pytest.approx(0.5 + expected, abs=0.01)


def test_two_thousand_resamples_of_ten_runs_take_less_than_a_second_of_cpu() -> None:
    # A table of a thousand runs is then judged in well under a minute.
    scores, positive = scored(530)
    weights = resample_weights(positive)
    started = time.process_time()
    for _ in range(10):
        resampled_figures(scores, positive, weights, 0.4)
    assert time.process_time() - started < 0.6  # .11 s on an idle core; slack for a busy machine
