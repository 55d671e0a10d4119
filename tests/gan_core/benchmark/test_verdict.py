from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_core.benchmark.metrics import figures
from gan_core.benchmark.verdict import summarise, verdicts
from gan_core.spec.results import ResultRow, Verdict

POSITIVE = np.arange(240) % 2 == 0
Runs = tuple[list[ResultRow], list[NDArray[np.float32]]]


def run_of(skill: float, seed: int, *, shift: float = 0.0, noise: int = 0) -> NDArray[np.float32]:
    """Scores of a classifier: what all share of the images' difficulty, and noise of its own."""
    shared = np.random.default_rng([7, noise]).normal(size=len(POSITIVE))
    own = np.random.default_rng([11, seed, noise]).normal(size=len(POSITIVE))
    logits = skill * np.where(POSITIVE, 1, -1) + shared + 0.5 * own + shift
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def row(arm: str, seed: int, scores: NDArray[np.float32], real_count: int = 100) -> ResultRow:
    return ResultRow(
        arm=arm,
        gan=arm.removeprefix("gan:") if arm.startswith("gan:") else None,
        real_count=real_count,
        real_count_label=str(real_count),
        subset=seed,
        seed=0,
        classifier="seed-cnn",
        n_real=real_count,
        n_fake=0,
        n_other=500,
        seconds=1.0,
        **figures(scores, POSITIVE),
    )


def study(
    skills: dict[str, float],
    seeds: Sequence[int] = range(5),
    *,
    real_count: int = 100,
    noise: int = 0,
    shifts: dict[str, float] | None = None,
) -> Runs:
    rows, scores = [], []
    for place, (arm, skill) in enumerate(skills.items()):
        for seed in seeds:
            shift = (shifts or {}).get(arm, 0.0)
            scores.append(run_of(skill, 100 * place + seed, shift=shift, noise=noise))
            rows.append(row(arm, seed, scores[-1], real_count))
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
    verdict = only(*study({"real-only": 1.6, "class-weights": 0.9, "gan:infogan": 1.0}))
    assert verdict.outcome == "harms"
    assert verdict.against == "real-only"
    assert "worse" in verdict.sentence


def test_beating_real_only_is_not_enough_when_class_weights_do_as_well() -> None:
    verdict = only(*study({"real-only": 0.5, "class-weights": 1.3, "gan:infogan": 1.3}))
    assert verdict.outcome == "no-significant-difference"
    assert verdict.against == "class-weights"


def test_a_gan_that_ranks_alike_but_decides_worse_harms() -> None:
    verdict = only(*study({"real-only": 1.2, "gan:infogan": 1.2}, shifts={"gan:infogan": -2.5}))
    assert verdict.outcome == "harms"
    assert verdict.differences["balanced_accuracy"].mean < -0.1
    assert abs(verdict.differences["roc_auc"].mean) < 0.03


def test_a_moved_threshold_alone_is_no_help() -> None:
    verdict = only(*study({"real-only": 1.2, "gan:infogan": 1.2}, shifts={"real-only": -2.5}))
    assert verdict.differences["balanced_accuracy"].mean > 0.1
    assert verdict.outcome == "no-significant-difference"


def test_few_runs_never_help_however_good_and_say_that_they_carry_no_claim() -> None:
    verdict = only(*study({"real-only": 0.5, "gan:infogan": 2.0}, seeds=range(4)))
    assert verdict.outcome == "no-significant-difference"
    assert "so few runs carry no claim" in verdict.sentence


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
    # Six runs: a GAN that shines on one subset, three times over, and fails a little on the other.
    rows, scores = study({"real-only": 1.0, "gan:infogan": 1.0}, range(6))
    for i, arm in enumerate(["real-only"] * 6 + ["gan:infogan"] * 6):
        run = i % 6
        if arm == "gan:infogan":
            scores[i] = run_of(2.0 if run < 3 else 0.98, run)
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
