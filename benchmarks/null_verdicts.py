"""How often a verdict claims what is not so, and how often it finds what is: by simulated studies.

    python benchmarks/null_verdicts.py [--studies 200] [--fresh 0] [--real 40] [--subsets 5]

A study has some subsets of the real images of the rare class, three arms without a GAN, and two
GANs with two arms each: four verdicts, either of which may claim help or harm. Images are points
with normal features; classifiers are the probe; thresholds and the bar come from cross-fitting, as
in a real study. Every arm is trained on the same common images and on a resample (with replacement)
of its subset's rare ones that fills the class up. The GANs' images are drawn in the same way from
the same images, so no GAN adds anything, and whatever is claimed is false: that may happen in 5% of
the studies. With ``--fresh N`` the GANs know the truth: N new images of the class are among what is
resampled, and the gain is real.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from gan_core.benchmark.metrics import figures
from gan_core.benchmark.verdict import judge
from gan_core.classifiers.probe import Probe, fit_probe
from gan_core.spec.results import ResultRow, Verdict

DIMENSIONS = 16
COMMON, TEST_COMMON, TEST_RARE = 300, 150, 120
POOL, REAL = 200, 40
SUBSETS = 5
BASE = ("real-only", "class-weights", "oversample")
OF_GANS = ("gan:infogan", "gan:infogan+classic-augment", "gan:fastgan", "gan:fastgan@ratio")
FOLDS = 2

Points = NDArray[np.float32]


@dataclass(frozen=True)
class World:
    """One study's images."""

    common: Points
    pool: Points
    test: Points
    positive: NDArray[np.bool_]
    random: np.random.Generator

    def rare(self, count: int) -> Points:
        """New images of the rare class, [count, D]."""
        shift = np.full(DIMENSIONS, 1.5 / DIMENSIONS**0.5)
        return (self.random.normal(size=(count, DIMENSIONS)) + shift).astype(np.float32)


def world(seed: int) -> World:
    random = np.random.default_rng([seed, 5])
    common = random.normal(size=(COMMON + TEST_COMMON, DIMENSIONS)).astype(np.float32)
    empty = World(common[:COMMON], common[:0], common[:0], np.zeros(0, np.bool_), random)
    test = np.concatenate([common[COMMON:], empty.rare(TEST_RARE)])
    positive = np.arange(len(test)) >= TEST_COMMON
    return World(empty.common, empty.rare(POOL), test, positive, random)


def filled(images: Points, random: np.random.Generator) -> Points:
    """Images of the rare class as many as there are common ones, from one resample of them."""
    resample = images[random.integers(len(images), size=len(images))]
    return np.resize(resample, (COMMON, DIMENSIONS))


def fitted(common: Points, rare: Points) -> Probe:
    labels = np.r_[np.zeros(len(common), np.int64), np.ones(len(rare), np.int64)]
    return fit_probe(np.concatenate([common, rare]), labels)


def held_out(here: World, real: Points, extra: Points) -> tuple[float, float]:
    """ROC-AUC on held-out training images, and the threshold where they are decided best."""
    scores, labels = [], []
    for fold in range(FOLDS):
        own = [np.arange(len(x)) % FOLDS == fold for x in (here.common, real)]
        probe = fitted(
            here.common[~own[0]],
            filled(np.concatenate([real[~own[1]], extra]), here.random)[: int((~own[0]).sum())],
        )
        for label, images in enumerate((here.common[own[0]], real[own[1]])):
            scores.append(probe.predict(images))
            labels.append(np.full(len(images), label))
    score, label = np.concatenate(scores), np.concatenate(labels)
    false_alarms, found, thresholds = roc_curve(label, score, drop_intermediate=False)
    best = 1 + int(np.argmax((found - false_alarms)[1:]))
    return float(roc_auc_score(label, score)), float(thresholds[best])


def study(
    seed: int, fresh: int = 0, real_count: int = REAL, subsets: int = SUBSETS
) -> list[Verdict]:
    """Simulate one study, and judge it."""
    here = world(seed)
    rows, scores = [], []
    for arm in (*BASE, *OF_GANS):
        gan = arm.removeprefix("gan:").split("+")[0].split("@")[0] if arm in OF_GANS else None
        for subset in range(subsets):
            drawn = np.random.default_rng([seed, subset]).permutation(POOL)[:real_count]
            real, extra = here.pool[drawn], here.rare(fresh if gan else 0)
            auc, threshold = held_out(here, real, extra)
            rare = filled(np.concatenate([real, extra]), here.random)
            scores.append(fitted(here.common, rare).predict(here.test))
            rows.append(
                ResultRow(
                    arm=arm,
                    gan=gan,
                    real_count=real_count,
                    real_count_label=str(real_count),
                    subset=subset,
                    seed=0,
                    classifier="probe",
                    n_real=real_count,
                    n_fake=COMMON - real_count if gan else 0,
                    n_other=COMMON,
                    threshold=threshold,
                    heldout_roc_auc=auc,
                    seconds=0.0,
                    **figures(scores[-1], here.positive, threshold),
                )
            )
    return judge(rows, scores, here.positive).verdicts


@dataclass(frozen=True)
class Found:
    """What some studies claimed.

    Attributes:
        helps: Share of the studies in which any verdict claims help.
        harms: Share of those in which any claims harm.
        of_verdicts: Share of all verdicts that claim help.
        gain: Mean difference to the bar in ROC-AUC.
        decision_gain: The same in balanced accuracy at the moved threshold.
    """

    helps: float
    harms: float
    of_verdicts: float
    gain: float
    decision_gain: float


def simulate(
    seeds: Iterable[int], fresh: int = 0, real_count: int = REAL, subsets: int = SUBSETS
) -> Found:
    """Simulate a study for each seed."""
    found = [study(seed, fresh, real_count, subsets) for seed in seeds]
    outcomes = [[v.outcome for v in verdicts] for verdicts in found]
    every = [v for verdicts in found for v in verdicts]
    return Found(
        helps=float(np.mean(["helps" in of_study for of_study in outcomes])),
        harms=float(np.mean(["harms" in of_study for of_study in outcomes])),
        of_verdicts=float(np.mean([v.outcome == "helps" for v in every])),
        gain=float(np.mean([v.differences["roc_auc"].mean for v in every])),
        decision_gain=float(
            np.mean([v.differences["moved_balanced_accuracy"].mean for v in every])
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--fresh", type=int, default=0, help="new images that the GANs know")
    parser.add_argument("--first", type=int, default=0, help="seed of the first study")
    parser.add_argument("--real", type=int, default=REAL, help="real images of the rare class")
    parser.add_argument("--subsets", type=int, default=SUBSETS)
    arguments = parser.parse_args()
    started = time.perf_counter()
    found = simulate(range(arguments.first, arguments.first + arguments.studies), arguments.fresh)
    print(
        f"{arguments.studies} studies of {arguments.subsets} subsets of {arguments.real} real"
        f" images, {arguments.fresh} new images known to the GANs:"
        f" mean gain {found.gain:+.3f} ROC-AUC, {found.decision_gain:+.3f} balanced accuracy;"
        f" any helps in {found.helps:.1%}, any harms in {found.harms:.1%} of the studies,"
        f" helps in {found.of_verdicts:.1%} of the verdicts"
        f" ({time.perf_counter() - started:.0f} s)"
    )


if __name__ == "__main__":
    main()
