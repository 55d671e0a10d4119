"""Minimises the losses of many logistic regressions on one table, side by side (L-BFGS)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_HISTORY = 8
_MOST_STEPS = 500
_SMALL = 1e-4
"""Norm of a gradient at which a fit has ended. The penalty's curvature is 1, so the coefficients
are within this of the minimum."""
_LINE_STEPS = 4


@dataclass(frozen=True)
class Problem:
    """T regressions: half the squared coefficients plus C times the sum of weighted losses.

    Attributes:
        table: [N, D].
        labels: [N], 0 or 1.
        weights: [T, N], of each row's loss.
        mean: [T, D], taken from the table's columns.
        scale: [T, D], what they are then multiplied by.
        inverse_penalty: C.
    """

    table: Tensor
    labels: Tensor
    weights: Tensor
    mean: Tensor
    scale: Tensor
    inverse_penalty: float

    def only(self, places: Tensor) -> Problem:
        """Some of the regressions."""
        return Problem(
            self.table,
            self.labels,
            self.weights[places],
            self.mean[places],
            self.scale[places],
            self.inverse_penalty,
        )

    def logits(self, x: Tensor) -> Tensor:
        """[T, N] of coefficients and constants [T, D + 1]; linear in them."""
        on_table = x[:, :-1] * self.scale
        return torch.addmm(
            (x[:, -1] - (on_table * self.mean).sum(1))[:, None], on_table, self.table.T
        )

    def slopes(self, logits: Tensor) -> Tensor:
        """Derivatives of the losses, C included, by the logits; [T, N]."""
        return (logits.sigmoid() - self.labels) * self.weights * self.inverse_penalty

    def gradient(self, x: Tensor, slopes: Tensor) -> Tensor:
        """[T, D + 1]."""
        total = slopes.sum(1, keepdim=True)
        inner = torch.addcmul(slopes @ self.table, self.mean, total, value=-1) * self.scale
        return torch.cat([x[:, :-1] + inner, total], 1)

    def start(self) -> Tensor:
        """No coefficients, and the constants that fit the classes' weights; [T, D + 1]."""
        rare = self.weights @ self.labels
        x = F.pad(torch.zeros_like(self.mean), (0, 1))
        x[:, -1] = torch.log(rare / (self.weights.sum(1) - rare))
        return x


def minimise(problem: Problem, tell: Callable[[float], None]) -> tuple[Tensor, Tensor]:
    """Find every regression's minimum.

    Args:
        problem: The regressions.
        tell: Told before every step of the share that has ended.

    Returns:
        Coefficients [T, D] of the standardised columns, and constants [T].
    """
    count = len(problem.weights)
    x = problem.start()
    solution, going = x.clone(), torch.arange(count, device=x.device)
    logits = problem.logits(x)
    gradient = problem.gradient(x, problem.slopes(logits))
    history = _History.none()
    for _ in range(_MOST_STEPS):
        tell(1 - len(going) / count)
        is_over = gradient.norm(dim=1) <= _SMALL
        if is_over.any():
            solution[going[is_over]] = x[is_over]
            left = torch.nonzero(~is_over)[:, 0]
            if not len(left):
                break
            problem, history, going = problem.only(left), history.only(left), going[left]
            x, logits, gradient = x[left], logits[left], gradient[left]
        direction = -history.times_inverse_hessian(gradient)
        along = problem.logits(direction)
        step = _step(problem, x, direction, logits, along)[:, None]
        moved = step * direction
        x, logits = x + moved, torch.addcmul(logits, step, along)
        before, gradient = gradient, problem.gradient(x, problem.slopes(logits))
        history = history.with_pair(moved, gradient - before)
    else:
        solution[going] = x
    tell(1.0)
    return solution[:, :-1], solution[:, -1]


def _step(problem: Problem, x: Tensor, direction: Tensor, logits: Tensor, along: Tensor) -> Tensor:
    """Length [T] of the step to about the minimum along each direction: Newton's in one variable.

    The loss along a line is convex and smooth; a step is kept between half and double the last, so
    that a flat place does not throw it far.
    """
    flat = direction[:, :-1]
    start, square = (x[:, :-1] * flat).sum(1), flat.square().sum(1)
    at_start = start + (problem.slopes(logits) * along).sum(1)
    step = torch.ones_like(square)
    for _ in range(_LINE_STEPS):
        chance = torch.addcmul(logits, step[:, None], along).sigmoid()
        pull = along * problem.weights * problem.inverse_penalty
        slope = start + step * square + (pull * (chance - problem.labels)).sum(1)
        if (slope.abs() <= 0.2 * at_start.abs()).all():
            break
        bend = square + (pull * along * chance * (1 - chance)).sum(1)
        step = torch.clamp(step - slope / bend.clamp_min(1e-20), min=step / 2, max=step * 2)
    return step


@dataclass(frozen=True)
class _History:
    """The last steps and changes of the gradient, [T, D + 1] each, the newest last."""

    moves: tuple[Tensor, ...]
    changes: tuple[Tensor, ...]
    inverses: tuple[Tensor, ...]  # 1 / (move · change), [T, 1]; 0: the pair counts for nothing

    @classmethod
    def none(cls) -> _History:
        return cls((), (), ())

    def only(self, places: Tensor) -> _History:
        return _History(
            tuple(one[places] for one in self.moves),
            tuple(one[places] for one in self.changes),
            tuple(one[places] for one in self.inverses),
        )

    def with_pair(self, move: Tensor, change: Tensor) -> _History:
        product = (move * change).sum(1, keepdim=True)
        # Convexity makes it positive; rounding, close to the minimum, may not.
        inverse = torch.where(product > 1e-20, 1 / product.clamp_min(1e-20), 0.0)
        return _History(
            (*self.moves, move)[-_HISTORY:],
            (*self.changes, change)[-_HISTORY:],
            (*self.inverses, inverse)[-_HISTORY:],
        )

    def times_inverse_hessian(self, gradient: Tensor) -> Tensor:
        """The two loops of L-BFGS, [T, D + 1]."""
        q, shares = gradient.clone(), []
        pairs = list(zip(self.moves, self.changes, self.inverses, strict=True))
        for move, change, inverse in reversed(pairs):
            share = inverse * (move * q).sum(1, keepdim=True)
            q.addcmul_(share, change, value=-1)
            shares.append(share)
        if pairs:
            move, change, inverse = pairs[-1]
            size = 1 / (inverse * change.square().sum(1, keepdim=True)).clamp_min(1e-20)
            q *= torch.where(inverse > 0, size, 1.0)
        for (move, change, inverse), share in zip(pairs, reversed(shares), strict=True):
            q.addcmul_(share - inverse * (change * q).sum(1, keepdim=True), move)
        return q
