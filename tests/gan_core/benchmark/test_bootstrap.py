import time

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

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
    found = resampled_figures(scores, positive, np.ones((1, 80)))
    plain = figures(scores, positive)
    assert {name: float(found[name][0]) for name in FIGURES} == pytest.approx(plain)


def test_a_resample_s_figures_are_those_of_the_images_it_repeats() -> None:
    scores, positive = scored(60, seed=1)
    weights = resample_weights(positive, 5)
    found = resampled_figures(scores, positive, weights)
    for b, row in enumerate(weights):
        repeated = np.repeat(np.arange(60), row.astype(int))
        assert found["roc_auc"][b] == pytest.approx(
            roc_auc_score(positive[repeated], scores[repeated])
        )
        assert found["pr_auc"][b] == pytest.approx(
            average_precision_score(positive[repeated], scores[repeated])
        )
        assert found["accuracy"][b] == pytest.approx(((scores >= 0.5) == positive)[repeated].mean())


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


def test_two_thousand_resamples_of_five_runs_take_about_a_second_of_cpu() -> None:
    scores, positive = scored(530)
    started = time.process_time()
    weights = resample_weights(positive)
    for _ in range(5):
        resampled_figures(scores, positive, weights)
    assert time.process_time() - started < 3.0  # .4 s on an idle core; slack for a busy machine
