"""Whether the images of a GAN help: from rows to summaries, verdicts and conclusions.

The rule, which must never flatter a GAN. At one real count and with one classifier an arm of a GAN
is compared with arms without one in two figures: ROC-AUC (does the score tell the classes apart?)
and balanced accuracy at the threshold that held-out real training images chose (is the decision
right?). A comparison is paired (``paired.compare``), over test images and over subsets of the real
images; of its two ways to a p-value the larger one counts.

*Helps* needs it to be better than **every** arm without a GAN in ROC-AUC: p_helps is the largest of
the one-sided p-values (an intersection-union test, Berger 1982: each part may be tested at the
whole level). And its balanced accuracy must not be below that of any of them, by however little:
p_helps is then 1. No arm is picked on the test images, so nothing can be flattered. (To show both
figures better asks too much: with five subsets 50 further *real* images do not pass, since balanced
accuracy varies with the threshold that few held-out images choose.)

*Harms* needs it to be worse than the bar in **either** figure: p_harms is twice the smaller of the
two one-sided p-values (Bonferroni). The bar is the arm without a GAN that ranks held-out real
training images best; where nothing was held out, the one that experience favours. Controls, made
to explain and not to win, are the bar only where there is no other.

Both directions of all verdicts of the table together are one family: a verdict's p is twice the
smaller of its two, and Holm's method (1979) corrects these for their number. A verdict is claimed
at a corrected p of .05; so the chance that a study in which no GAN does anything claims that any
helps or harms is at most that. *Helps* also needs five subsets of the real images: one choice of
images and one training of the GAN are one witness, however many classifiers are trained on them.
Otherwise there is *no significant difference*, which is not equality.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gan_core.benchmark import sentences
from gan_core.benchmark.bootstrap import BoolArray
from gan_core.benchmark.conclusions import conclude
from gan_core.benchmark.metrics import untested_because
from gan_core.benchmark.paired import Paired, compare
from gan_core.benchmark.runs import (
    DECISION,
    JUDGED,
    RANKING,
    UNMOVED,
    ArmRuns,
    Key,
    Scores,
    group_runs,
)
from gan_core.spec.results import (
    ArmSummary,
    Comparison,
    Conclusion,
    Interval,
    Outcome,
    ResultRow,
    Verdict,
)

LEVEL = 0.05
_BAR_BY_EXPERIENCE = ("classic-augment+oversample", "class-weights")
_CONTROL = "upscale-control"


@dataclass(frozen=True)
class Judged:
    """What the table says."""

    summaries: list[ArmSummary]
    verdicts: list[Verdict]
    conclusions: list[Conclusion]


def judge(
    rows: Sequence[ResultRow],
    scores: Scores,
    positive: BoolArray,
    *,
    failed: Mapping[tuple[str, str], int] | None = None,
    on_run: Callable[[int], None] = lambda _: None,
) -> Judged:
    """Summarise every arm, judge every GAN's, and conclude at every real count.

    Args:
        rows: Any number of arms, real counts and classifiers.
        scores: float32 [rows, M], each run's scores of the test images.
        positive: Bool [M], which test images are of the rare class.
        failed: How many trainings of a GAN failed, by (GAN, real count's label).
        on_run: Told how many runs have been resampled, after each: with many test images one takes
            seconds.

    Returns:
        A summary an arm, in the order of the first row of each (a figure that the test set does not
        define is left out); a verdict an arm of a GAN, in the same order; a conclusion a real count
        at which there are verdicts, the fewest images first.

    Raises:
        ValueError: Not as many scores as rows.
    """
    grouped = group_runs(rows, scores, positive, on_run)
    found = _verdicts(grouped, np.asarray(positive, np.bool_), failed or {})
    bars = {key[:3]: _bar_ranking(_rivals(grouped, key)) for key in grouped}
    return Judged([runs.summary for runs in grouped.values()], found, conclude(found, bars))


def summarise(rows: Sequence[ResultRow], scores: Scores, positive: BoolArray) -> list[ArmSummary]:
    """Return mean, spread over runs and 95% interval over test images of every arm: see judge."""
    return [runs.summary for runs in group_runs(rows, scores, positive).values()]


def verdicts(rows: Sequence[ResultRow], scores: Scores, positive: BoolArray) -> list[Verdict]:
    """Say of every arm of a GAN whether it helps: see ``judge``."""
    return judge(rows, scores, positive).verdicts


@dataclass(frozen=True)
class _Tested:
    """An arm of a GAN, compared; ``decisions`` names the figure of ``DECISION`` by rival."""

    against: str
    by_arm: dict[str, dict[str, Paired]]
    decisions: dict[str, str]
    p_helps: float | None
    p_harms: float | None
    unpaired: list[str]
    witnesses: int

    def figure(self, judged: str, against: str) -> str:
        """Return the name of what was compared with an arm."""
        return "roc_auc" if judged == RANKING else self.decisions[against]

    @property
    def p(self) -> float | None:
        if self.p_helps is None or self.p_harms is None:
            return None
        return min(1.0, 2 * min(self.p_helps, self.p_harms))


def _rivals(grouped: Mapping[Key, ArmRuns], key: Key) -> dict[str, ArmRuns]:
    return {
        other[3]: runs
        for other, runs in grouped.items()
        if other[:3] == key[:3] and runs.rows[0].gan is None
    }


def _spoken(key: Key, runs: ArmRuns) -> sentences.GanArm:
    return sentences.GanArm(key[3], str(runs.rows[0].gan), runs.mean_of("ratio"))


def _verdicts(
    grouped: Mapping[Key, ArmRuns], positive: BoolArray, failed: Mapping[tuple[str, str], int]
) -> list[Verdict]:
    of_gans = {key: runs for key, runs in grouped.items() if runs.rows[0].gan is not None}
    undefined = untested_because(positive)
    tested: dict[Key, _Tested] = {}
    for key, runs in of_gans.items():
        rivals = _rivals(grouped, key)
        if undefined is None and any(set(runs.runs) & set(r.runs) for r in rivals.values()):
            tested[key] = _test(runs, rivals, positive, _spoken(key, runs))
    corrected = holm({key: found.p for key, found in tested.items() if found.p is not None})
    return [
        _verdict(
            key,
            runs,
            tested.get(key),
            p_holm=corrected.get(key),
            undefined=undefined,
            lost=failed.get((str(runs.rows[0].gan), key[2]), 0),
        )
        for key, runs in of_gans.items()
    ]


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Return p-values corrected for their number by Holm's step-down method."""
    from statsmodels.stats.multitest import multipletests

    if not p_values:
        return {}
    corrected = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, corrected), strict=True))


def _test(
    gan: ArmRuns, rivals: Mapping[str, ArmRuns], positive: BoolArray, spoken: sentences.GanArm
) -> _Tested:
    by_arm: dict[str, dict[str, Paired]] = {}
    witnesses = [gan.distinct]
    unpaired = []
    for arm, rival in rivals.items():
        shared = [run for run in gan.runs if run in rival.runs]
        if not shared:
            unpaired.append(arm)
            continue
        by_arm[arm] = {judged: _compared(gan, rival, judged, positive) for judged in JUDGED}
        witnesses.append(len({subset for subset, _ in shared}))
    against = _bar({arm: rivals[arm] for arm in by_arm})
    bar = by_arm[against].values()
    p_helps = max(of_arm[RANKING].p_better for of_arm in by_arm.values())
    if any(of_arm[DECISION].difference.mean < 0 for of_arm in by_arm.values()):
        p_helps = 1.0
    p_harms = min(1.0, len(JUDGED) * min(p.p_worse for p in bar))
    # Where no image was added there is nothing to test.
    none = spoken.chose_none
    return _Tested(
        against,
        by_arm,
        {arm: _decision_figure(gan, rivals[arm]) for arm in by_arm},
        None if none else 1.0 if unpaired else p_helps,
        None if none else p_harms,
        unpaired,
        min(witnesses),
    )


def _pairs(gan: ArmRuns, rival: ArmRuns) -> list[tuple[int, int]]:
    """Return the places of the runs that both have."""
    return [(i, rival.runs.index(run)) for i, run in enumerate(gan.runs) if run in rival.runs]


def _compared(gan: ArmRuns, rival: ArmRuns, judged: str, positive: BoolArray) -> Paired:
    pairs = _pairs(gan, rival)
    figures = [_judged_of(judged, gan.is_moved(i) and rival.is_moved(j)) for i, j in pairs]
    both = list(zip(figures, pairs, strict=True))
    return compare(
        [gan.value(figure, i) - rival.value(figure, j) for figure, (i, j) in both],
        np.stack([gan.components[f][i] - rival.components[f][j] for f, (i, j) in both]),
        np.stack([gan.resampled[f][i] - rival.resampled[f][j] for f, (i, j) in both]),
        [gan.rows[i].subset for i, _ in pairs],
        positive,
    )


def _judged_of(judged: str, are_moved: bool) -> str:
    """Say what of two runs is compared: a threshold that one has not moved is moved for neither."""
    return UNMOVED if judged == DECISION and not are_moved else judged


def _decision_figure(gan: ArmRuns, rival: ArmRuns) -> str:
    """Return the name of the figure by which decisions of two arms are compared."""
    are_moved = all(gan.is_moved(i) and rival.is_moved(j) for i, j in _pairs(gan, rival))
    return "moved_balanced_accuracy" if are_moved else "balanced_accuracy"


def _bar(rivals: Mapping[str, ArmRuns]) -> str:
    """Return the name of the arm without a GAN that is expected to be the strongest."""
    own = [arm for arm in rivals if not arm.startswith(_CONTROL)] or list(rivals)
    ranked = {arm: rivals[arm].mean_of("heldout_roc_auc") for arm in own}
    known = {arm: auc for arm, auc in ranked.items() if auc is not None}
    if known:
        return max(known, key=lambda arm: known[arm])
    return next((arm for arm in _BAR_BY_EXPERIENCE if arm in own), own[0])


def _bar_ranking(rivals: Mapping[str, ArmRuns]) -> float | None:
    """Return the bar's mean ROC-AUC on held-out real training images, where it is known."""
    return rivals[_bar(rivals)].mean_of("heldout_roc_auc") if rivals else None


def _outcome(tested: _Tested, p_holm: float | None) -> Outcome:
    if tested.p_helps is None or tested.p_harms is None or p_holm is None or p_holm > LEVEL:
        return "no-significant-difference"
    if tested.p_harms <= tested.p_helps:
        return "harms"
    enough = tested.witnesses >= sentences.MIN_SUBSETS
    return "helps" if enough else "no-significant-difference"


def _verdict(
    key: Key,
    gan: ArmRuns,
    tested: _Tested | None,
    *,
    p_holm: float | None,
    undefined: str | None,
    lost: int,
) -> Verdict:
    classifier, real_count, label, arm = key
    subsets = len({row.subset for row in gan.rows})
    spoken = _spoken(key, gan)
    told = Verdict(
        real_count=real_count,
        real_count_label=label,
        classifier=classifier,
        gan=spoken.gan,
        arm=arm,
        outcome="not-tested",
        sentence=sentences.nothing_to_compare()
        if undefined is None
        else sentences.undefined(undefined),
        ratio=spoken.ratio,
        n_runs=gan.distinct,
        caveats=sentences.caveats(
            real_count,
            witnesses=tested.witnesses if tested else min(gan.distinct, subsets),
            runs=gan.distinct,
            subsets=subsets,
            lost=lost,
            unpaired=tested.unpaired if tested else [],
            is_all=label == "all",
        ),
    )
    if tested is None:
        return told
    outcome = _outcome(tested, p_holm)
    if outcome == "helps" and not any(arm in sentences.BALANCED for arm in tested.by_arm):
        caveat = sentences.without_balancing(list(tested.by_arm))
        told = told.model_copy(update={"caveats": [*told.caveats, caveat]})
    differences: dict[str, Interval] = {
        tested.figure(judged, tested.against): found.difference
        for judged, found in tested.by_arm[tested.against].items()
    }
    sentence = sentences.verdict_sentence(
        spoken,
        sentences.real_images(real_count, label),
        classifier,
        outcome,
        against=tested.against,
        differences=differences,
    )
    return told.model_copy(
        update={
            "outcome": outcome,
            "sentence": " ".join([sentence, *told.caveats]),
            "against": tested.against,
            "differences": differences,
            "comparisons": [
                Comparison(
                    figure=tested.figure(judged, against),
                    against=against,
                    difference=found.difference,
                    p_bootstrap=found.p_bootstrap,
                    p_analytic=found.p_analytic,
                )
                for against, of_arm in tested.by_arm.items()
                for judged, found in of_arm.items()
            ],
            "p_helps": tested.p_helps,
            "p_harms": tested.p_harms,
            "p_holm": p_holm,
        }
    )
