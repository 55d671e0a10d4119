"""Many probes at once: weightings of the rows of one table of features, fitted together.

A benchmark's probes (arms, seeds, folds, ratios) see the same images again and again, each image
more or less often. So one table holds all of them, a fit is a row of weights, and each step of the
descent is two products of matrices for all fits, where one fit alone is bound by memory.

Each fit has the minimum of ``fit_probe``: the table is scaled once, and what a fit's own mean and
spread still ask for is a scale and a shift of its coefficients, folded in. The method is L-BFGS
(Liu & Nocedal 1989, "On the limited memory BFGS method for large scale optimization"), each fit
with its own history. Along a line the logits change linearly, so a line search costs no product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_core.classifiers.probe import INVERSE_PENALTY, FloatArray, Probe
from gan_core.classifiers.probe_descent import Problem, minimise
from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped, ignore_progress, never_stop
from gan_core.spec.errors import GraftError

_AT_ONCE = 2**23
"""Most pairs of a fit and an image that are worked on together, for memory."""
_ROWS = 2048
_STILL = 1e-5
"""A feature whose spread in a fit is below this share of the table's says nothing in that fit."""


@dataclass(frozen=True)
class Probes:
    """Fitted logistic regressions.

    Attributes:
        weights: float64 [T, D], on features as they come.
        biases: float64 [T].
    """

    weights: NDArray[np.float64]
    biases: NDArray[np.float64]

    def __getitem__(self, fit: int) -> Probe:
        """Return one of them."""
        return Probe(self.weights[fit], float(self.biases[fit]))

    def only(self, fits: NDArray[np.int64]) -> Probes:
        """Return some of them."""
        return Probes(self.weights[fits], self.biases[fits])

    def predict(self, features: FloatArray) -> FloatArray:
        """Probability of the rare class, float32 [T, N], of features [N, D]."""
        logits = self.weights @ features.astype(np.float64).T + self.biases[:, None]
        return (1.0 / (1.0 + np.exp(-np.clip(logits, -500.0, 500.0)))).astype(np.float32)


def fit_probes(
    features: FloatArray,
    labels: NDArray[np.int64],
    shown: FloatArray,
    *,
    class_weights: NDArray[np.float64] | None = None,
    inverse_penalty: float = INVERSE_PENALTY,
    device: torch.device | str = "cpu",
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> Probes:
    """Fit T probes.

    Args:
        features: float32 [N, D].
        labels: int64 [N], 1 for the rare class and 0 for all others.
        shown: float32 [T, N], how often each fit sees each row; 0: not at all. It counts in the
            loss, and in the mean and the spread by which features are standardised.
        class_weights: float64 [T, 2], weights of the loss for (other, rare).
        inverse_penalty: C of the L2 penalty.
        device: Where to compute.
        on_progress: Told of the share of the fits that is done.
        should_stop: Asked before every step.

    Returns:
        The minima, by probabilities within .001 of those of ``fit_probe`` on repeated rows.

    Raises:
        GraftError: ``one_class_only``.
        Stopped: ``should_stop`` said so.
    """
    of_class = np.stack([shown[:, labels == label].sum(1) for label in (0, 1)], 1)
    if not (of_class > 0).all():
        raise GraftError(
            "one_class_only",
            "A classifier needs training images of the rare class and of others.",
            "Raise the real count, or check the data set's class folders.",
        )
    table, mean, spread = _scaled(features, torch.device(device))
    truth = torch.from_numpy(labels).to(table)
    fits, width = len(shown), features.shape[1]
    weights, biases = np.empty((fits, width)), np.empty(fits)
    at_once = max(1, _AT_ONCE // max(len(features), 1))
    for start in range(0, fits, at_once):
        some = slice(start, min(start + at_once, fits))

        def tell(share: float, some: slice = some) -> None:
            if should_stop():
                raise Stopped
            done = (some.start + share * (some.stop - some.start)) / fits
            on_progress(Progress(done, f"probe, {round(done * fits)}/{fits} fits"))

        given = torch.from_numpy(shown[some]).to(table)
        own_mean, own_spread = _moments(table, given)
        loss = given.clone()
        if class_weights is not None:
            own = torch.from_numpy(class_weights[some]).to(table)
            loss *= torch.where(truth[None] > 0, own[:, 1:], own[:, :1])
        scale = torch.where(own_spread > _STILL, 1 / own_spread.clamp_min(_STILL), 0.0)
        problem = Problem(table, truth, loss, own_mean.to(table), scale.to(table), inverse_penalty)
        found, bias = minimise(problem, tell)
        on_table = found.double() * scale
        bias = bias.double() - (on_table * own_mean).sum(1)
        weights[some] = on_table.cpu().numpy() / spread
        biases[some] = bias.cpu().numpy() - weights[some] @ mean
    return Probes(weights, biases)


def _scaled(
    features: FloatArray, device: torch.device
) -> tuple[Tensor, NDArray[np.float64], NDArray[np.float64]]:
    """The table with mean 0 and spread 1, float32 on the device; and its mean and spread [D]."""
    count = max(len(features), 1)
    mean = sum((part.sum(0) for _, part in _wide(features)), np.zeros(features.shape[1])) / count
    squares = (np.square(part - mean).sum(0) for _, part in _wide(features))
    spread = np.sqrt(sum(squares, np.zeros(features.shape[1])) / count)
    # A feature that never moves says nothing; it must not be divided by 0.
    spread[spread < 1e-9] = np.inf
    table = torch.empty(features.shape, dtype=torch.float32, device=device)
    for rows, part in _wide(features):
        table[rows] = torch.from_numpy(((part - mean) / spread).astype(np.float32)).to(device)
    return table, mean, spread


def _wide(features: FloatArray) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Blocks of rows in float64."""
    for start in range(0, len(features), _ROWS):
        rows = slice(start, min(start + _ROWS, len(features)))
        yield rows, features[rows].astype(np.float64)


def _moments(table: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean and spread [T, D] of the table's rows, in float64."""
    share = shown.double() / shown.double().sum(1, keepdim=True)
    mean = torch.zeros(len(shown), table.shape[1], dtype=torch.float64, device=table.device)
    second = torch.zeros_like(mean)
    for start in range(0, len(table), _ROWS):
        part = table[start : start + _ROWS].double()
        own = share[:, start : start + _ROWS]
        mean += own @ part
        second += own @ part.square()
    return mean, (second - mean.square()).clamp_min(0.0).sqrt()
