from __future__ import annotations

import pytest
from whole_study import results as whole_results

from gan_core.report.bar import bar_arm, gan_arm, headline_arms, strongest_classifier
from gan_core.spec.results import Results


@pytest.fixture(scope="module")
def told() -> Results:
    return whole_results()


@pytest.fixture(scope="module")
def untold(told: Results) -> Results:
    """The same without verdicts."""
    return told.model_copy(update={"verdicts": [], "conclusions": []})


def test_the_bar_is_that_of_the_verdicts(told: Results) -> None:
    changed = [v.model_copy(update={"against": "oversample"}) for v in told.verdicts]
    other = told.model_copy(update={"verdicts": changed})
    assert bar_arm(other, "probe", "10") == "oversample"


def test_without_verdicts_the_bar_is_chosen_by_held_out_images_not_by_the_test(
    untold: Results,
) -> None:
    rows = [
        row.model_copy(
            update={
                "heldout_roc_auc": 0.9 if row.arm == "class-weights" else 0.6,
                "roc_auc": 0.1 if row.arm == "class-weights" else 0.99,
            }
        )
        for row in untold.rows
    ]
    assert bar_arm(untold.model_copy(update={"rows": rows}), "probe", "100") == "class-weights"


def test_the_control_is_no_bar(untold: Results) -> None:
    rows = [
        row.model_copy(update={"heldout_roc_auc": 1.0 if "control" in row.arm else 0.6})
        for row in untold.rows
    ]
    bar = bar_arm(untold.model_copy(update={"rows": rows}), "probe", "100")
    assert bar is not None
    assert "control" not in bar


def test_the_gans_arm_is_never_that_without_real_images(untold: Results) -> None:
    rows = [
        row.model_copy(update={"heldout_roc_auc": 1.0 if "synthetic" in row.arm else 0.6})
        for row in untold.rows
    ]
    arm = gan_arm(untold.model_copy(update={"rows": rows}), "probe", "100")
    assert arm is not None
    assert arm.startswith("gan:")


def test_the_first_picture_shows_the_bars_and_the_gans_and_leaves_out_the_rest(
    told: Results,
) -> None:
    shown = headline_arms(told, "probe")
    assert {"class-weights", "classic-augment+oversample", "gan:fastgan"} <= set(shown)
    assert not {"oversample", "upscale-control:64", "synthetic-only:fastgan"} & set(shown)


def test_the_strongest_classifier_is_the_one_by_which_is_concluded(
    told: Results, untold: Results
) -> None:
    by_cnn = [c.model_copy(update={"classifier": "seed-cnn"}) for c in told.conclusions]
    assert strongest_classifier(told.model_copy(update={"conclusions": by_cnn})) == "seed-cnn"
    assert strongest_classifier(untold) == "probe"
