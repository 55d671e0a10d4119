import numpy as np
import pytest

from gan_core.benchmark.metrics import FIGURES, figures, undefined_because


def test_figures_of_a_case_worked_out_by_hand() -> None:
    scores = np.array([0.92, 0.6, 0.4, 0.75, 0.2, 0.1, 0.5], np.float32)
    positive = np.array([1, 1, 1, 0, 0, 0, 0], np.bool_)
    found = figures(scores, positive, threshold=0.3)
    assert found == pytest.approx(
        {
            "accuracy": 4 / 7,
            "balanced_accuracy": (2 / 3 + 2 / 4) / 2,
            "sensitivity": 2 / 3,
            "specificity": 2 / 4,
            "roc_auc": (4 + 3 + 2) / 12,
            "pr_auc": (1 + 2 / 3 + 3 / 5) / 3,
            # No false alarm is allowed among four images: what lies above .75 is found.
            "sensitivity_at_90": 1 / 3,
            "sensitivity_at_95": 1 / 3,
            "brier": (0.0064 + 0.16 + 0.36 + 0.5625 + 0.04 + 0.01 + 0.25) / 7,
            # Every image is alone in its bin, with its own gap.
            "calibration_error": (0.08 + 0.4 + 0.6 + 0.75 + 0.2 + 0.1 + 0.5) / 7,
            "moved_accuracy": 5 / 7,
            "moved_balanced_accuracy": (1 + 2 / 4) / 2,
            "moved_sensitivity": 1.0,
            "moved_specificity": 2 / 4,
        }
    )


def test_without_a_threshold_only_the_figures_at_one_half_are_told() -> None:
    scores, positive = np.array([0.9, 0.1], np.float32), np.array([True, False])
    missing = {name for name, value in figures(scores, positive).items() if value is None}
    assert missing == {name for name in FIGURES if name.startswith("moved_")}


def test_sensitivity_at_a_specificity_is_at_the_smallest_threshold_that_keeps_it() -> None:
    # Of twenty others two may be called rare at 90%, one at 95%; ties go together.
    others = np.linspace(0.0, 0.95, 20)
    rare = np.array([0.99, 0.93, 0.9, 0.88, 0.85, 0.5])
    positive = np.arange(26) >= 20
    found = figures(np.r_[others, rare].astype(np.float32), positive)
    assert found["sensitivity_at_95"] == pytest.approx(2 / 6)  # above .9: a tie is a false alarm
    assert found["sensitivity_at_90"] == pytest.approx(4 / 6)  # above .85


def test_brier_and_calibration_are_those_of_scikit_learn_s_definitions() -> None:
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss

    rng = np.random.default_rng(0)
    scores = rng.random(500).astype(np.float32)
    positive = rng.random(500) < scores**2
    found = figures(scores, positive)
    assert found["brier"] == pytest.approx(brier_score_loss(positive, scores))
    share, mean = calibration_curve(positive, scores, n_bins=10)
    counts = np.histogram(scores, np.linspace(0, 1, 11))[0]
    assert found["calibration_error"] == pytest.approx((counts * abs(share - mean)).sum() / 500)


def test_a_classifier_that_always_says_benign_has_chance_balance_but_may_rank_well() -> None:
    scores = np.array([0.01, 0.02, 0.03, 0.2, 0.3], np.float32)
    found = figures(scores, np.array([0, 0, 0, 1, 1], np.bool_))
    assert found["sensitivity"] == 0.0
    assert found["balanced_accuracy"] == 0.5
    assert found["roc_auc"] == 1.0


@pytest.mark.parametrize("label", [False, True])
def test_a_test_set_of_one_class_leaves_undefined_figures_empty_and_says_why(label: bool) -> None:
    positive = np.full(4, label)
    found = figures(np.array([0.9, 0.1, 0.8, 0.7], np.float32), positive)
    assert set(found) == set(FIGURES)
    assert found["roc_auc"] is None
    assert found["balanced_accuracy"] is None
    assert found["accuracy"] == (0.75 if label else 0.25)
    assert (found["sensitivity"] is None) != (found["specificity"] is None)
    assert undefined_because(positive)


def test_nothing_is_undefined_with_both_classes_and_everything_without_images() -> None:
    assert undefined_because(np.array([True, False])) is None
    empty = np.array([], np.bool_)
    assert set(figures(np.array([], np.float32), empty).values()) == {None}
    assert undefined_because(empty) == "The test set is empty."
