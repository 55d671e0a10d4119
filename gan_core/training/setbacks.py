"""What a training does about what went wrong, and when it gives up."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gan_core.spec.errors import GraftError
from gan_core.training.health import SpoiledError
from gan_core.training.memory import MemoryPlan
from gan_core.training.run import Setbacks

MAX_ROLLBACKS = 1
EVIDENCE_POINTS = 200


def after_spoiling(
    before: Setbacks,
    found: SpoiledError,
    back_to: int,
    history: Sequence[dict[str, float]],
    *,
    is_private: bool = False,
) -> Setbacks:
    """Go back once; the second time is the last.

    A private training never goes back: the steps that led astray have spent their share of ε, and
    those taken in their place would spend it again.

    Args:
        before: What went wrong until then.
        found: What was found.
        back_to: Epochs done in the state that is taken up again; 0 for the beginning.
        history: The curves up to what was found.
        is_private: Whether it trains with differential privacy.

    Raises:
        GraftError: diverged, with the curves as evidence.
    """
    if is_private:
        raise GraftError(
            "diverged",
            f"The training with differential privacy diverged: at epoch {found.epoch}"
            f" {found.what}. It cannot go back without spending more than was promised.",
            "Lower the learning rate, allow a larger epsilon, or give it more real images.",
            evidence={"history": thinned(history)},
        )
    if before.rollbacks >= MAX_ROLLBACKS:
        raise GraftError(
            "diverged",
            f"The training diverged twice, the second time with half the learning rate: at epoch"
            f" {found.epoch} {found.what}.",
            "Lower the learning rate, take another seed, or give it more real images.",
            evidence={"history": thinned(history)},
        )
    place = f"epoch {back_to}" if back_to else "the beginning"
    notice = (
        f"At epoch {found.epoch} {found.what}; the training went back to {place} and went on with"
        " half the learning rate."
    )
    return Setbacks(before.rollbacks + 1, before.memory_level, (*before.notices, notice))


def after_out_of_memory(before: Setbacks, plans: Sequence[MemoryPlan], epoch: int) -> Setbacks:
    """Go on by the next plan for less memory.

    Args:
        before: What went wrong until then.
        plans: All plans there are.
        epoch: Epochs done.

    Raises:
        GraftError: out_of_memory, when there is none left.
    """
    level = before.memory_level + 1
    if level >= len(plans):
        raise GraftError(
            "out_of_memory",
            "There was not enough memory for this training, not even in the way that needs least.",
            "Choose a smaller batch size or image size, or run the worker where there is more"
            " memory.",
        )
    notice = (
        f"In epoch {epoch + 1} memory ran out; the training went on with {_way(plans[level])}, to"
        " the same result but for rounding."
    )
    return Setbacks(before.rollbacks, level, (*before.notices, notice))


def thinned(
    history: Sequence[dict[str, float]], most: int = EVIDENCE_POINTS
) -> list[dict[str, float]]:
    """At most ``most`` points of a history, evenly spaced, the last among them."""
    stride = max(1, math.ceil(len(history) / most))
    return list(history[::-1][::stride][::-1])


def _way(plan: MemoryPlan) -> str:
    if plan.parts > 1:
        return f"each batch in {plan.parts} parts"
    if plan.offload:
        return "intermediate results kept in the host's memory"
    return "intermediate results computed twice instead of kept"
