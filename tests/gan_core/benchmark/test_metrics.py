import numpy as np
import pytest

from gan_core.benchmark.metrics import FIGURES, figures, undefined_because


def test_figures_of_a_case_worked_out_by_hand() -> None:
    scores = np.array([0.9, 0.6, 0.4, 0.7, 0.2, 0.1, 0.5], np.float32)
    positive = np.array([1, 1, 1, 0, 0, 0, 0], np.bool_)
    found = figures(scores, positive)
    assert found == pytest.approx(
        {
            "accuracy": 4 / 7,
            "balanced_accuracy": (2 / 3 + 2 / 4) / 2,
            "sensitivity": 2 / 3,
            "specificity": 2 / 4,
            "roc_auc": (4 + 3 + 2) / 12,
            "pr_auc": (1 + 2 / 3 + 3 / 5) / 3,
        }
    )


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
