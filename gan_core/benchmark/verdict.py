"""From rows to summaries, and from summaries to a sentence that a physician can read.

The rule, which must never flatter a GAN. At one real count and with one classifier the GAN's arm
is compared with the *strongest* arm without a GAN, for ROC-AUC (does the score tell the classes
apart?) and for balanced accuracy (is the decision right?), each against the arm that is strongest
on that figure. The difference of the means over runs is bootstrapped over test images and, where
both arms have the same runs, over runs as well: subsets are drawn, and seeds within them (both
arms' runs of one subset and seed are drawn together). Then

- *harms*, when the 95% interval of either difference lies below 0;
- *helps*, when the 95% intervals of both lie above 0, and the runs cover at least five subsets of
  the real images: one choice of images and one training of the GAN are one witness, however many
  classifiers are trained on them;
- otherwise *no significant difference*.

Choosing the strongest of several arms on the test images themselves favours them, not the GAN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_core.benchmark.bootstrap import (
    SEED,
    FloatMatrix,
    interval,
    resample_weights,
    resampled_figures,
)
from gan_core.benchmark.metrics import FIGURES, undefined_because
from gan_core.spec.results import ArmSummary, Interval, Outcome, ResultRow, Verdict

MIN_RUNS = 5
FEW_REAL_IMAGES = 50
_JUDGED = {"roc_auc": "ROC-AUC", "balanced_accuracy": "balanced accuracy"}

Scores = Sequence[NDArray[np.float32]] | NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Key = tuple[str, int, str, str]  # classifier, real count, its label, arm


@dataclass(frozen=True)
class _ArmRuns:
    """All runs of one arm: rows, and each figure on every resample, [runs, resamples]."""

    rows: list[ResultRow]
    figures: dict[str, FloatMatrix]
    distinct: int

    def mean(self, figure: str) -> float | None:
        values = [getattr(row, figure) for row in self.rows]
        return None if None in values else float(np.mean(values))

    @property
    def witnesses(self) -> int:
        """Independent runs: subsets of the real images, as far as their outcomes differ at all."""
        return min(self.distinct, len({row.subset for row in self.rows}))

    @property
    def runs(self) -> list[tuple[int, int]]:
        return [(row.subset, row.seed) for row in self.rows]


def _grouped(
    rows: Sequence[ResultRow],
    scores: Scores,
    positive: BoolArray,
    on_run: Callable[[int], None] = lambda _: None,
) -> dict[Key, _ArmRuns]:
    if len(rows) != len(scores):
        raise ValueError(f"{len(rows)} rows, but the scores of {len(scores)} runs")
    weights = resample_weights(positive)
    members: dict[Key, list[int]] = {}
    for i, row in enumerate(rows):
        key = (row.classifier, row.real_count, row.real_count_label, row.arm)
        members.setdefault(key, []).append(i)
    grouped = {}
    done = 0
    for key, of_arm in members.items():
        runs = []
        for i in of_arm:
            runs.append(resampled_figures(np.asarray(scores[i]), positive, weights))
            done += 1
            on_run(done)
        grouped[key] = _ArmRuns(
            [rows[i] for i in of_arm],
            {name: np.stack([run[name] for run in runs]) for name in FIGURES},
            len({np.asarray(scores[i]).tobytes() for i in of_arm}),
        )
    return grouped


def judge(
    rows: Sequence[ResultRow],
    scores: Scores,
    positive: BoolArray,
    *,
    failed: Mapping[tuple[str, str], int] | None = None,
    on_run: Callable[[int], None] = lambda _: None,
) -> tuple[list[ArmSummary], list[Verdict]]:
    """Return what ``summarise`` and ``verdicts`` do, from one bootstrap.

    Args:
        rows: As there.
        scores: As there.
        positive: As there.
        failed: How many trainings of a GAN failed, by (GAN, real count's label).
        on_run: Told how many runs have been resampled, after each: with many test images one takes
            seconds.
    """
    grouped = _grouped(rows, scores, positive, on_run)
    summaries = [_summary(key, runs) for key, runs in grouped.items()]
    return summaries, _verdicts(grouped, positive, failed or {})


def summarise(rows: Sequence[ResultRow], scores: Scores, positive: BoolArray) -> list[ArmSummary]:
    """Mean and spread over runs of every arm, with a 95% bootstrap interval over test images.

    Args:
        rows: Any number of arms, real counts and classifiers.
        scores: float32 [rows, M], each run's scores of the test images.
        positive: Bool [M], which test images are of the rare class.

    Returns:
        A summary an arm, in the order of the first row of each. A figure that the test set does
        not define is left out.
    """
    return [_summary(key, runs) for key, runs in _grouped(rows, scores, positive).items()]


def _summary(key: Key, runs: _ArmRuns) -> ArmSummary:
    figures = {}
    for name in FIGURES:
        values = [getattr(row, name) for row in runs.rows]
        if None in values:
            continue
        low, high = interval(runs.figures[name].mean(0))
        figures[name] = Interval(
            mean=float(np.mean(values)), sd=_spread(values), low=low, high=high
        )
    return ArmSummary(
        arm=key[3],
        gan=runs.rows[0].gan,
        real_count=key[1],
        real_count_label=key[2],
        classifier=key[0],
        n_runs=len(runs.rows),
        figures=figures,
    )


def _spread(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def verdicts(rows: Sequence[ResultRow], scores: Scores, positive: BoolArray) -> list[Verdict]:
    """Say of every GAN, at every real count and with every classifier, whether it helps.

    Args:
        rows: Any number of arms, real counts and classifiers.
        scores: float32 [rows, M].
        positive: Bool [M].

    Returns:
        In the order of the GANs' first rows. ``differences`` are GAN minus strongest arm;
        ``n_runs`` counts runs whose scores differ from one another.
    """
    return _verdicts(_grouped(rows, scores, positive), positive, {})


def _verdicts(
    grouped: dict[Key, _ArmRuns], positive: BoolArray, failed: Mapping[tuple[str, str], int]
) -> list[Verdict]:
    found = []
    for key, runs in grouped.items():
        if runs.rows[0].gan is None:
            continue
        rivals = {
            other[3]: of_other
            for other, of_other in grouped.items()
            if other[:3] == key[:3] and of_other.rows[0].gan is None
        }
        lost = failed.get((runs.rows[0].gan, key[2]), 0)
        found.append(_verdict(key, runs, rivals, undefined_because(positive), lost))
    return found


def _verdict(
    key: Key, gan: _ArmRuns, rivals: dict[str, _ArmRuns], undefined: str | None, lost: int
) -> Verdict:
    caveats = _caveats(key[1], gan, lost)

    def told(
        outcome: Outcome,
        sentence: str,
        against: str | None = None,
        differences: dict[str, Interval] | None = None,
    ) -> Verdict:
        return Verdict(
            real_count=key[1],
            real_count_label=key[2],
            classifier=key[0],
            gan=str(gan.rows[0].gan),
            outcome=outcome,
            sentence=sentence,
            against=against,
            differences=differences or {},
            n_runs=gan.distinct,
            caveats=caveats,
        )

    if not rivals:
        return told(
            "not-tested",
            "There is no arm without synthetic images to compare with, so whether they help was"
            " not tested.",
        )
    if undefined is not None:
        return told("not-tested", f"Whether the synthetic images help was not tested: {undefined}")
    strongest = {
        figure: max(rivals, key=lambda name: rivals[name].mean(figure) or 0.0) for figure in _JUDGED
    }
    differences = {
        figure: _difference(gan, rivals[strongest[figure]], figure) for figure in _JUDGED
    }
    outcome = _outcome(list(differences.values()), gan.witnesses)
    return told(
        outcome,
        " ".join([_sentence(key, gan, outcome, strongest, differences), *caveats]),
        strongest["roc_auc"],
        differences,
    )


def _difference(gan: _ArmRuns, rival: _ArmRuns, figure: str) -> Interval:
    """GAN minus rival, paired by test image and, where the runs are the same, by run."""
    shared = [run for run in gan.runs if run in rival.runs]
    if shared:
        mine = [gan.runs.index(run) for run in shared]
        theirs = [rival.runs.index(run) for run in shared]
        of_runs = [
            getattr(gan.rows[a], figure) - getattr(rival.rows[b], figure)
            for a, b in zip(mine, theirs, strict=True)
        ]
        by_run = gan.figures[figure][mine] - rival.figures[figure][theirs]
        resamples = by_run.shape[1]
        drawn = _drawn_runs([subset for subset, _ in shared], resamples)
        resampled = (by_run.T * drawn).sum(1) / drawn.sum(1)
        low, high = interval(resampled)
        return Interval(mean=float(np.mean(of_runs)), sd=_spread(of_runs), low=low, high=high)
    resampled = gan.figures[figure].mean(0) - rival.figures[figure].mean(0)
    low, high = interval(resampled)
    mean = (gan.mean(figure) or 0.0) - (rival.mean(figure) or 0.0)
    return Interval(mean=mean, low=low, high=high)


def _drawn_runs(subsets: Sequence[int], resamples: int) -> FloatMatrix:
    """How often each run is in each resample, [resamples, runs].

    Subsets are drawn first and their seeds within: runs of one subset share its real images and one
    training of the GAN, and are no independent witnesses.
    """
    rng = np.random.default_rng(SEED + 1)
    names, subset_of = np.unique(subsets, return_inverse=True)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    drawn = np.zeros((resamples, len(subsets)))
    for place in range(len(names)):
        runs = np.flatnonzero(subset_of == place)
        share = np.full(len(runs), 1 / len(runs))
        drawn[:, runs] = rng.multinomial(times[:, place] * len(runs), share)
    return drawn


def _outcome(differences: list[Interval], witnesses: int) -> Outcome:
    if any(d.high is not None and d.high < 0 for d in differences):
        return "harms"
    if witnesses >= MIN_RUNS and all(d.low is not None and d.low > 0 for d in differences):
        return "helps"
    return "no-significant-difference"


def _caveats(real_count: int, gan: _ArmRuns, lost: int) -> list[str]:
    caveats = []
    if lost:
        # They are not missing at random: that a training fails is a property of the GAN.
        subsets = lost + len({row.subset for row in gan.rows})
        caveats.append(
            f"{lost} of {subsets} trainings of this GAN failed and could not be tested: what is"
            " said here is said of the others alone."
        )
    if gan.witnesses < MIN_RUNS:
        runs = "1 run" if gan.distinct == 1 else f"{gan.distinct} runs"
        caveats.append(
            f"Based on {runs}: so few runs carry no claim (at least {MIN_RUNS}, each with its own"
            " choice of real images, are needed)."
        )
    if gan.witnesses == 1 < gan.distinct:
        caveats.append("All runs share one choice of real images and one training of the GAN.")
    if real_count < FEW_REAL_IMAGES:
        caveats.append(
            f"With fewer than about {FEW_REAL_IMAGES} real images the literature finds that GANs"
            " harm as often as they help."
        )
    return caveats


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}".replace("-", "−")


def _sentence(
    key: Key,
    gan: _ArmRuns,
    outcome: Outcome,
    strongest: dict[str, str],
    differences: dict[str, Interval],
) -> str:
    classifier, real_count, label, _ = key
    images = f"all {real_count} real images" if label == "all" else f"{label} real images"
    arms = list(dict.fromkeys(strongest.values()))
    rival = " and ".join(arms)
    said = {
        "helps": f"adding {gan.rows[0].gan} images improved the {classifier} beyond what"
        f" {rival} reached without them",
        "harms": f"adding {gan.rows[0].gan} images made the {classifier} worse than {rival}"
        " without them",
        "no-significant-difference": f"adding {gan.rows[0].gan} images made no significant"
        f" difference to the {classifier} compared with {rival}",
    }[outcome]
    numbers = "; ".join(
        f"{name} {_signed(d.mean)}, 95% interval {_signed(d.low)} to {_signed(d.high)}"
        for name, d in ((_JUDGED[figure], d) for figure, d in differences.items())
    )
    return f"With {images} of the rare class, {said} ({numbers})."
