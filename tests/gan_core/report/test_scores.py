from __future__ import annotations

import numpy as np
import pytest

from gan_core.report.scores import RATES, score_curves
from gan_core.spec.results import ResultRow

POSITIVE = np.array([True, True, False, False])


def run(arm: str = "real-only", subset: int = 0, **moved: float) -> ResultRow:
    return ResultRow(
        arm=arm,
        real_count=10,
        real_count_label="10",
        subset=subset,
        seed=0,
        classifier="probe",
        n_real=10,
        n_fake=0,
        n_other=20,
        accuracy=0.5,
        balanced_accuracy=0.5,
        sensitivity=0.5,
        specificity=0.5,
        roc_auc=0.5,
        pr_auc=0.5,
        seconds=0.0,
        **moved,
    )


def test_curves_are_averaged_at_equal_false_alarm_rates() -> None:
    perfect, inverted = np.array([0.9, 0.8, 0.2, 0.1]), np.array([0.1, 0.2, 0.8, 0.9])
    (curves,) = score_curves([run(), run(subset=1)], [perfect, inverted], POSITIVE)
    assert curves.found[RATES < 1] == pytest.approx(0.5)
    assert curves.found[-1] == 1.0
    assert curves.spread is not None
    assert curves.spread[50] == pytest.approx(np.std([0, 1], ddof=1))


def test_a_single_run_has_no_spread_and_no_decision_without_a_moved_threshold() -> None:
    (curves,) = score_curves([run()], [np.array([0.9, 0.8, 0.2, 0.1])], POSITIVE)
    assert curves.spread is None
    assert curves.decision is None


def test_the_decision_is_that_of_the_moved_threshold() -> None:
    rows = [run(moved_sensitivity=1.0, moved_specificity=0.5)]
    (curves,) = score_curves(rows, [np.array([0.9, 0.8, 0.85, 0.1])], POSITIVE)
    assert curves.decision == (0.5, 1.0)


def test_calibration_gives_mean_score_share_and_number_of_each_bin() -> None:
    scores = np.array([0.95, 0.12, 0.18, 1.0])
    (curves,) = score_curves([run()], [scores], POSITIVE)
    (low, high) = curves.calibration
    assert low == pytest.approx((0.15, 0.5, 2.0))
    assert high == pytest.approx((0.975, 0.5, 2.0))


def test_without_both_classes_in_the_test_there_is_no_curve() -> None:
    assert score_curves([run()], [np.ones(4)], np.ones(4, dtype=bool)) == []
