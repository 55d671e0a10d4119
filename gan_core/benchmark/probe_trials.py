"""The probes of an evaluation: all arms, seeds, folds and ratios in a few calls of ``fit_probes``.

A probe of an augmented arm learns from each image as it is and from all its augmented copies, each
with that part of the weight that lets the image count once. So it has no seed: the loss is the mean
over the copies, where a draw of them would only add noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from gan_core.benchmark.arms import balanced_weights
from gan_core.benchmark.crossfit import HeldOut, chosen_ratio, found_on
from gan_core.benchmark.trials import (
    BoolArray,
    Column,
    Fakes,
    FloatArray,
    Ground,
    IndexArray,
    Trial,
)
from gan_core.classifiers.probes import fit_probes
from gan_core.classifiers.seed_cnn import balanced_order
from gan_core.progress import OnProgress, Progress, ShouldStop
from gan_core.spec.errors import GraftError

WHOLE = -1
"""In place of a fold: nothing is held out."""


@dataclass(frozen=True)
class Tried:
    """A trial that was fitted.

    Attributes:
        trial: It.
        scores: float32 [M], of the test images.
        held: By cross-fitting.
        ratio: Of its images, as it was asked for; None: the arm chooses none.
    """

    trial: Trial
    scores: FloatArray
    held: HeldOut
    ratio: float | None = None


@dataclass(frozen=True)
class ProbeRun:
    """What came of a trial.

    Attributes:
        best: The trial, with the ratio that was chosen.
        tried: One for each ratio; empty where there was nothing to choose by.
    """

    best: Tried
    tried: list[Tried] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    trial: Trial
    ratio: float | None = None

    @property
    def key(self) -> tuple[str, float | None, int | None]:
        """Two with the same are the same fits: the loss is convex, so only what is shown counts."""
        is_drawn = self.trial.arm.sampling == "oversample"
        return self.trial.arm.name, self.ratio, self.trial.seed if is_drawn else None


def probe_runs(
    trials: Sequence[Trial],
    ground: Ground,
    folds: IndexArray | None,
    *,
    ratios: Sequence[float],
    device: torch.device | str,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> list[ProbeRun]:
    """Fit the probes of all trials, whole and cross-fitted.

    Args:
        trials: The trials.
        ground: Of the trials.
        folds: int64 [P], of the column's pool (``folds_of``); None: no cross-fitting.
        ratios: Among which an arm chooses; those that there are not enough images for are left out.
            Where nothing is held out, there is nothing to choose by, and the smallest is taken.
        device: Where to compute.
        on_progress: Told of the fits.
        should_stop: Asked before every step.

    Returns:
        In the order of ``trials``.

    Raises:
        GraftError: ``features_missing``, ``one_class_only``.
        Stopped: ``should_stop`` said so.
    """
    of_trial = [_candidates(trial, ratios) for trial in trials]
    distinct = {one.key: one for candidates in of_trial for one in candidates}
    groups: dict[tuple[bool, str], list[_Candidate]] = {}
    for one in distinct.values():
        arm = one.trial.arm
        groups.setdefault((arm.is_augmented, arm.source or ""), []).append(one)
    every = (WHOLE,) if folds is None else (WHOLE, *range(int(folds.max()) + 1))
    found: dict[tuple[str, float | None, int | None], Tried] = {}
    for number, ((is_augmented, name), candidates) in enumerate(groups.items()):
        table = _Table.of(ground, name, is_augmented=is_augmented)
        fitted = _fit(
            table,
            candidates,
            (ground.column, folds, every),
            device=device,
            on_progress=_of_group(on_progress, number, len(groups)),
            should_stop=should_stop,
        )
        found |= {tried.key: result for tried, result in zip(candidates, fitted, strict=True)}
    return [
        _chosen([replace(found[one.key], trial=one.trial) for one in candidates])
        for candidates in of_trial
    ]


def _candidates(trial: Trial, ratios: Sequence[float]) -> list[_Candidate]:
    if not trial.arm.chooses_ratio:
        return [_Candidate(trial)]
    counts = {ratio: round(ratio * trial.n_real) for ratio in sorted(ratios)}
    possible = [ratio for ratio, count in counts.items() if count <= trial.n_fake]
    if not possible:
        raise GraftError(
            "fakes_missing",
            f"There are {trial.n_fake} synthetic images, too few for any of the ratios.",
            "Let 0 be among the ratios.",
        )
    return [_Candidate(trial.with_fakes(counts[ratio]), ratio) for ratio in possible]


def _chosen(tried: list[Tried]) -> ProbeRun:
    if tried[0].ratio is None:
        return ProbeRun(tried[0])
    aucs = [one.held.roc_auc for one in tried if one.held.roc_auc is not None]
    if len(aucs) < len(tried):
        return ProbeRun(tried[0])
    return ProbeRun(tried[chosen_ratio([one.ratio or 0.0 for one in tried], aucs)], tried)


def _of_group(on_progress: OnProgress, number: int, groups: int) -> OnProgress:
    return lambda told: on_progress(Progress((number + told.fraction) / groups, told.detail))


@dataclass(frozen=True)
class _Table:
    """The features that a group of fits is made from.

    Attributes:
        features: float32 [R (copies + 1), D]: R images as they are, then copy after copy of all.
        labels: int64 [R (copies + 1)].
        real: float32 [P, D], features of the column's real images, the first P of the R.
        test: float32 [M, D].
        copies: Augmented copies of each.
    """

    features: FloatArray
    labels: IndexArray
    real: FloatArray
    test: FloatArray
    copies: int

    @classmethod
    def of(cls, ground: Ground, name: str, *, is_augmented: bool) -> _Table:
        data, column, source = ground.data, ground.column, ground.sources.get(name)
        if data.train_features is None or data.test_features is None:
            raise _missing("the real images")
        real = np.asarray(data.train_features[column.pool])
        blocks = [real]
        if source is not None:
            if source.features is None:
                raise _missing("the images that join the rare class")
            blocks.append(np.asarray(source.features))
        copies = 0
        if is_augmented:
            if data.augmented_features is None:
                raise _missing("augmented training images")
            copies = len(data.augmented_features)
            if source is not None and len(_copies_of(source)) < copies:
                raise _missing("augmented images that join the rare class")
            for copy in range(copies):
                blocks.append(np.asarray(data.augmented_features[copy][column.pool]))
                if source is not None:
                    blocks.append(np.asarray(_copies_of(source)[copy]))
        rare = data.train_labels[column.pool] == data.rare_index
        joined = 0 if source is None else source.images.shape[0]
        labels = np.concatenate([rare, np.ones(joined, np.bool_)]).astype(np.int64)
        return cls(
            np.concatenate(blocks), np.tile(labels, copies + 1), real, data.test_features, copies
        )

    def shown(self, trial: Trial, column: Column, seed: int | list[int]) -> FloatArray:
        """How often a trial shows each row, [R (copies + 1)]."""
        images = len(self.labels) // (self.copies + 1)
        places = np.concatenate(
            [np.searchsorted(column.pool, trial.real_rows), len(column.pool) + trial.joined]
        )
        if trial.arm.sampling == "oversample":
            rng = np.random.default_rng(seed)
            places = places[balanced_order(trial.labels, np.arange(len(places)), rng)]
        times = np.bincount(places, minlength=images).astype(np.float32) / (self.copies + 1)
        return np.tile(times, self.copies + 1)


def _copies_of(source: Fakes) -> FloatArray:
    if source.augmented_features is None:
        return np.empty((0, 0, 0), np.float32)
    return source.augmented_features


def _missing(what: str) -> GraftError:
    return GraftError(
        "features_missing",
        f"The probe needs the features of {what}, and there are none.",
        "Extract features first.",
    )


def _fit(
    table: _Table,
    candidates: Sequence[_Candidate],
    cut: tuple[Column, IndexArray | None, Sequence[int]],
    *,
    device: torch.device | str,
    on_progress: OnProgress,
    should_stop: ShouldStop,
) -> list[Tried]:
    column, folds, every = cut
    is_rare = np.isin(column.pool, column.chosen)
    rows, weights = [], []
    for one in candidates:
        for fold in every:
            trial, seed = one.trial, one.trial.seed
            if folds is not None and fold != WHOLE:
                trial = _trained(trial, column, is_rare, folds == fold)
            own = table.shown(trial, column, seed if fold == WHOLE else [seed, fold])
            rows.append(own)
            rare = float(own[table.labels == 1].sum())
            is_weighted = trial.arm.has_class_weights and 0 < rare < own.sum()
            weights.append(
                balanced_weights(float(own.sum()) - rare, rare) if is_weighted else (1.0, 1.0)
            )
    probes = fit_probes(
        table.features,
        table.labels,
        np.stack(rows),
        class_weights=np.array(weights),
        device=device,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    whole = np.arange(0, len(rows), len(every))
    scores = probes.only(whole).predict(table.test)
    out_of_fold = np.empty((len(candidates), len(table.real)), np.float32)
    for fold in every[1:]:
        held = folds == fold
        own = probes.only(whole + 1 + fold).predict(table.real[held])
        out_of_fold[:, held] = own
    return [
        Tried(
            one.trial,
            of_test,
            HeldOut() if folds is None else found_on(of_held, is_rare, folds),
            one.ratio,
        )
        for one, of_test, of_held in zip(candidates, scores, out_of_fold, strict=True)
    ]


def _trained(trial: Trial, column: Column, is_rare: BoolArray, held: BoolArray) -> Trial:
    """What is left to train on when a fold of the real images is held out."""
    share = 1 - float(held[is_rare].mean())
    return trial.without(column.pool[held], share)
