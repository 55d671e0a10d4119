from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.benchmark.metrics import figures
from gan_core.benchmark.verdict import holm, judge, summarise, verdicts
from gan_core.spec.results import ResultRow, Verdict

POSITIVE = np.arange(240) % 2 == 0
Runs = tuple[list[ResultRow], list[NDArray[np.float32]]]


def run_of(skill: float, seed: int, *, shift: float = 0.0, noise: int = 0) -> NDArray[np.float32]:
    """Scores of a classifier: what all share of the images' difficulty, and noise of its own."""
    shared = np.random.default_rng([7, noise]).normal(size=len(POSITIVE))
    own = np.random.default_rng([11, seed, noise]).normal(size=len(POSITIVE))
    logits = skill * np.where(POSITIVE, 1, -1) + shared + 0.5 * own + shift
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def row(
    arm: str,
    seed: int,
    scores: NDArray[np.float32],
    real_count: int = 100,
    *,
    threshold: float | None = None,
    **more: Any,
) -> ResultRow:
    has_gan = arm.startswith(("gan:", "synthetic-only:"))
    return ResultRow(
        arm=arm,
        gan="infogan" if has_gan else None,
        real_count=real_count,
        real_count_label=str(real_count),
        subset=seed,
        seed=0,
        classifier="seed-cnn",
        n_real=real_count,
        n_fake=0,
        n_other=500,
        seconds=1.0,
        threshold=threshold,
        **figures(scores, POSITIVE, threshold),
        **more,
    )


def study(
    skills: dict[str, float],
    seeds: Sequence[int] = range(5),
    *,
    real_count: int = 100,
    noise: int = 0,
    shifts: dict[str, float] | None = None,
    threshold: float | None = None,
    more: dict[str, dict[str, Any]] | None = None,
) -> Runs:
    rows, scores = [], []
    for place, (arm, skill) in enumerate(skills.items()):
        for seed in seeds:
            shift = (shifts or {}).get(arm, 0.0)
            scores.append(run_of(skill, 100 * place + seed, shift=shift, noise=noise))
            own = (more or {}).get(arm, {})
            rows.append(row(arm, seed, scores[-1], real_count, threshold=threshold, **own))
    return rows, scores


def only(rows: list[ResultRow], scores: Sequence[NDArray[np.float32]]) -> Verdict:
    (verdict,) = verdicts(rows, scores, POSITIVE)
    return verdict


def test_a_planted_winner_helps() -> None:
    verdict = only(*study({"real-only": 0.8, "class-weights": 0.9, "gan:infogan": 1.6}))
    assert verdict.outcome == "helps"
    assert verdict.against == "class-weights"
    assert verdict.n_runs == 5
    assert all(d.low is not None and d.low > 0 for d in verdict.differences.values())
    assert "improved" in verdict.sentence


def test_a_planted_loser_harms() -> None:
    verdict = only(*study({"real-only": 0.9, "class-weights": 1.6, "gan:infogan": 1.0}))
    assert verdict.outcome == "harms"
    assert verdict.against == "class-weights"
    assert "worse" in verdict.sentence


def test_pure_noise_harms() -> None:
    assert only(*study({"class-weights": 1.2, "gan:infogan": 0.0})).outcome == "harms"


def test_identical_arms_make_no_difference_with_every_p_at_one() -> None:
    rows, scores = study({"class-weights": 1.2, "gan:infogan": 1.2})
    scores = scores[:5] * 2
    rows = [row(r.arm, r.subset, s) for r, s in zip(rows, scores, strict=True)]
    verdict = only(rows, scores)
    assert verdict.outcome == "no-significant-difference"
    assert (verdict.p_helps, verdict.p_harms, verdict.p_holm) == (1.0, 1.0, 1.0)
    assert {(c.p_bootstrap, c.p_analytic) for c in verdict.comparisons} == {(1.0, 1.0)}
    difference = verdict.differences["roc_auc"]
    assert difference.mean == difference.low == difference.high == 0.0


def test_one_arm_that_is_not_beaten_is_enough_against_a_gan() -> None:
    skills = {"real-only": 0.5, "class-weights": 0.6, "gan:infogan": 1.6}
    assert only(*study(skills)).outcome == "helps"
    rows, scores = study(skills | {"upscale-control:64": 1.6})
    verdict = only(rows, scores)
    assert verdict.outcome == "no-significant-difference"
    assert verdict.against == "class-weights"  # a control explains; it is no bar
    against = [c.against for c in verdict.comparisons if c.figure == "roc_auc"]
    assert against == ["real-only", "class-weights", "upscale-control:64"]
    assert len(verdict.comparisons) == 6


def test_the_bar_is_chosen_on_held_out_real_training_images() -> None:
    skills = {"real-only": 1.0, "class-weights": 1.1, "gan:infogan": 1.0}
    heldout = {
        "real-only": {"heldout_roc_auc": 0.9},
        "class-weights": {"heldout_roc_auc": 0.8},
    }
    assert only(*study(skills, more=heldout)).against == "real-only"
    assert only(*study(skills)).against == "class-weights"
    assert only(*study({"oversample": 1.0, "gan:infogan": 1.0})).against == "oversample"


def test_decisions_are_judged_at_the_moved_threshold() -> None:
    # Equal but for a shift of all scores: at .5 the GAN decides worse, at its own threshold as well
    # as the others.
    rows, scores = study({"real-only": 1.2, "gan:infogan": 1.2}, shifts={"gan:infogan": -2.5})
    own = {"real-only": 0.5, "gan:infogan": float(1 / (1 + np.exp(2.5)))}
    moved = [
        row(r.arm, r.subset, s, threshold=own[r.arm]) for r, s in zip(rows, scores, strict=True)
    ]
    assert only(rows, scores).outcome == "harms"
    verdict = only(moved, scores)
    assert verdict.outcome == "no-significant-difference"
    assert abs(verdict.differences["moved_balanced_accuracy"].mean) < 0.03
    assert "balanced accuracy at the moved threshold" in verdict.sentence


def test_holm_corrects_known_p_values_step_by_step() -> None:
    keys = [("probe", 10, "10", f"gan:{name}") for name in "abcd"]
    corrected = holm(dict(zip(keys, [0.01, 0.04, 0.03, 0.005], strict=True)))
    assert [corrected[key] for key in keys] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm({}) == {}


def test_the_more_verdicts_a_table_has_the_more_each_must_show() -> None:
    skills = {"class-weights": 1.0, "gan:infogan": 1.6}
    rows, scores = study(skills)
    alone = only(rows, scores)
    assert alone.p_helps is not None
    assert alone.p_holm == pytest.approx(2 * alone.p_helps)
    idle, more = study({"class-weights": 1.0, "gan:infogan": 1.0}, real_count=200, noise=1)
    both = verdicts(rows + idle, scores + more, POSITIVE)
    assert both[0].p_holm == pytest.approx(4 * alone.p_helps)


def test_an_arm_that_was_free_to_add_images_and_added_none_is_told_so() -> None:
    rows, scores = study(
        {"class-weights": 1.2, "gan:infogan@ratio": 0.2}, more={"gan:infogan@ratio": {"ratio": 0.0}}
    )
    judged = judge(rows, scores, POSITIVE)
    (verdict,) = judged.verdicts
    assert verdict.outcome == "no-significant-difference"
    assert verdict.p_holm is None
    assert "favoured adding no InfoGAN images" in verdict.sentence
    assert "the best choice was to add none" in judged.conclusions[0].sentence


def test_images_that_replace_the_real_ones_have_a_sentence_of_their_own() -> None:
    worse = only(*study({"class-weights": 1.6, "synthetic-only:infogan": 0.5}))
    assert worse.outcome == "harms"
    assert "cannot replace real images" in worse.sentence
    alike = only(*study({"class-weights": 1.2, "synthetic-only:infogan": 1.2}))
    assert "does not show that the two are equal" in alike.sentence


def test_a_rival_without_a_run_in_common_forbids_a_claim_of_help() -> None:
    rows, scores = study({"real-only": 0.5, "class-weights": 0.6, "gan:infogan": 1.6})
    rows = [
        r.model_copy(update={"subset": r.subset + 50}) if r.arm == "real-only" else r for r in rows
    ]
    verdict = only(rows, scores)
    assert verdict.outcome == "no-significant-difference"
    assert "could not be compared with the real images as they are" in verdict.sentence


def test_failed_trainings_are_a_caveat_and_runs_are_counted_aloud() -> None:
    rows, scores = study({"class-weights": 1.0, "gan:infogan": 1.0})
    heard: list[int] = []
    judged = judge(rows, scores, POSITIVE, failed={("infogan", "100"): 2}, on_run=heard.append)
    assert "2 of 7 trainings of this GAN failed" in judged.verdicts[0].sentence
    assert heard == list(range(1, 11))


def test_beating_real_only_is_not_enough_when_class_weights_do_as_well() -> None:
    verdict = only(*study({"real-only": 0.5, "class-weights": 1.3, "gan:infogan": 1.3}))
    assert verdict.outcome == "no-significant-difference"
    assert verdict.against == "class-weights"


def test_a_gan_that_ranks_alike_but_decides_worse_harms() -> None:
    verdict = only(*study({"real-only": 1.2, "gan:infogan": 1.2}, shifts={"gan:infogan": -2.5}))
    assert verdict.outcome == "harms"
    assert verdict.differences["balanced_accuracy"].mean < -0.1
    assert abs(verdict.differences["roc_auc"].mean) < 0.03


def test_a_threshold_that_only_one_of_two_arms_has_moved_is_moved_for_neither() -> None:
    # With so few images that the others hold none of the rare class out, an arm that trains on no
    # real one still has them all to choose a threshold by.
    rows, scores = study({"real-only": 1.2, "synthetic-only:infogan": 1.2}, real_count=5)
    scores = [s * np.float32(0.5) for s in scores[:5]] * 2
    own = {"real-only": None, "synthetic-only:infogan": 0.25}
    moved = [
        row(r.arm, r.subset, s, 5, threshold=own[r.arm]) for r, s in zip(rows, scores, strict=True)
    ]
    verdict = only(moved, scores)
    assert set(verdict.differences) == {"roc_auc", "balanced_accuracy"}
    assert verdict.differences["balanced_accuracy"].mean == 0.0
    assert {c.figure for c in verdict.comparisons} == {"roc_auc", "balanced_accuracy"}


def test_a_moved_threshold_alone_is_no_help() -> None:
    verdict = only(*study({"real-only": 1.2, "gan:infogan": 1.2}, shifts={"real-only": -2.5}))
    assert verdict.differences["balanced_accuracy"].mean > 0.1
    assert verdict.outcome == "no-significant-difference"


def test_few_runs_never_help_however_good_and_say_that_they_cannot_show_it() -> None:
    verdict = only(*study({"real-only": 0.5, "gan:infogan": 2.0}, seeds=range(4)))
    assert verdict.outcome == "no-significant-difference"
    assert "so few cannot show that it helps" in verdict.sentence


def test_the_same_run_five_times_over_is_one_run() -> None:
    rows, scores = study({"real-only": 0.5, "gan:infogan": 2.0})
    scores = [scores[5 * (i // 5)] for i in range(10)]
    rows = [row(r.arm, r.subset, s) for r, s in zip(rows, scores, strict=True)]
    verdict = only(rows, scores)
    assert verdict.n_runs == 1
    assert verdict.outcome == "no-significant-difference"


def test_under_fifty_real_images_the_literature_is_quoted() -> None:
    few = only(*study({"real-only": 1.0, "gan:infogan": 1.0}, real_count=10))
    many = only(*study({"real-only": 1.0, "gan:infogan": 1.0}, real_count=100))
    assert "harm as often as they help" in few.sentence
    assert "harm as often as they help" not in many.sentence


def test_without_a_rival_or_without_both_classes_nothing_was_tested() -> None:
    alone = only(*study({"gan:infogan": 1.0}))
    assert (alone.outcome, alone.against) == ("not-tested", None)
    one_class = np.zeros(len(POSITIVE), np.bool_)
    rows, scores = study({"real-only": 1.0, "gan:infogan": 1.0})
    rows = [r.model_copy(update=figures(s, one_class)) for r, s in zip(rows, scores, strict=True)]
    (verdict,) = verdicts(rows, scores, one_class)
    assert verdict.outcome == "not-tested"
    assert "no image of the rare class" in verdict.sentence
    (summary, _) = summarise(rows, scores, one_class)
    assert "roc_auc" not in summary.figures
    assert "specificity" in summary.figures


def test_equal_arms_are_rarely_told_apart() -> None:
    outcomes = [
        only(*study({"real-only": 1.0, "gan:infogan": 1.0}, noise=noise)).outcome
        for noise in range(1, 9)
    ]
    assert outcomes.count("helps") == 0
    assert outcomes.count("harms") <= 2


def test_runs_are_paired_by_subset_and_seed_whatever_their_order() -> None:
    rows, scores = study({"real-only": 1.0, "gan:infogan": 1.2})
    order = [4, 2, 0, 1, 3, 9, 5, 8, 7, 6]
    assert only([rows[i] for i in order], [scores[i] for i in order]).differences[
        "roc_auc"
    ].mean == pytest.approx(only(rows, scores).differences["roc_auc"].mean)


def test_a_summary_holds_mean_spread_and_an_interval_around_the_mean() -> None:
    rows, scores = study({"real-only": 1.0})
    (summary,) = summarise(rows, scores, POSITIVE)
    values = [r.roc_auc for r in rows if r.roc_auc is not None]
    figure = summary.figures["roc_auc"]
    assert figure.mean == pytest.approx(np.mean(values))
    assert figure.sd == pytest.approx(np.std(values, ddof=1))
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < figure.mean < figure.high
    assert summary.n_runs == 5
    (single,) = summarise(rows[:1], scores[:1], POSITIVE)
    assert single.figures["roc_auc"].sd is None


def test_rows_without_their_scores_are_refused() -> None:
    rows, scores = study({"real-only": 1.0})
    with pytest.raises(ValueError, match="rows"):
        summarise(rows, scores[:-1], POSITIVE)


def test_seeds_of_one_subset_are_no_independent_witnesses() -> None:
    # Six runs: a GAN that shines on one subset, three times over, and less so on the other.
    rows, scores = study({"real-only": 1.0, "gan:infogan": 1.0}, range(6))
    skills = (2.0, 1.8, 1.9, 1.3, 1.35, 1.25)
    for i, arm in enumerate(["real-only"] * 6 + ["gan:infogan"] * 6):
        run = i % 6
        if arm == "gan:infogan":
            scores[i] = run_of(skills[run], run)
        again = row(arm, run, scores[i])
        rows[i] = again.model_copy(update={"subset": run // 3, "seed": run % 3})
    nested = only(rows, scores)
    assert nested.outcome == "no-significant-difference"
    apart = only(
        [r.model_copy(update={"subset": 3 * r.subset + r.seed, "seed": 0}) for r in rows], scores
    )
    low, wide = apart.differences["roc_auc"].low, nested.differences["roc_auc"].low
    assert low is not None
    assert wide is not None
    assert wide < 0 < low


@pytest.mark.parametrize("of_class", [True, False])
def test_of_a_single_test_image_of_a_class_nothing_is_claimed(of_class: bool) -> None:
    rows, scores = study({"class-weights": 0.8, "gan:infogan": 3.0})
    kept = np.flatnonzero(of_class != POSITIVE)
    kept = np.append(kept, np.flatnonzero(of_class == POSITIVE)[0])
    few = [s[kept] for s in scores]
    (verdict,) = verdicts(rows, few, POSITIVE[kept])
    assert verdict.outcome == "not-tested"
    assert "a single image of" in verdict.sentence


def test_help_that_was_not_held_against_balancing_says_so() -> None:
    verdict = only(*study({"real-only": 0.8, "gan:infogan": 1.6}))
    assert verdict.outcome == "helps"
    assert any("oversampling" in caveat for caveat in verdict.caveats)
    verdict = only(*study({"real-only": 0.8, "oversample": 0.8, "gan:infogan": 1.6}))
    assert verdict.outcome == "helps"
    assert not verdict.caveats


def test_all_real_images_are_one_choice_of_them() -> None:
    rows, scores = study({"class-weights": 0.8, "gan:infogan": 1.6})
    rows = [r.model_copy(update={"real_count_label": "all"}) for r in rows]
    caveats = only(rows, scores).caveats
    assert any("share one choice of real images" in caveat for caveat in caveats)
