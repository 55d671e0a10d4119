"""Arms: the ways to prepare a classifier's training set that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gan_core.classifiers.seed_cnn_order import Sampling
from gan_core.spec.errors import GraftError

BalanceTo = Literal["full-class", "majority"] | int


@dataclass(frozen=True)
class Arm:
    """One way to prepare a training set.

    Attributes:
        name: As it stands in the table.
        has_class_weights: Whether each class weighs the same in the loss.
        sampling: "oversample" shows real images of the smaller class again and again.
        gan: The GAN whose images fill the rare class; None: no synthetic images.
    """

    name: str
    has_class_weights: bool = False
    sampling: Sampling = "natural"
    gan: str | None = None


BASE_ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("real-only"),
        Arm("class-weights", has_class_weights=True),
        Arm("oversample", sampling="oversample"),
    )
}
_GAN_PREFIX = "gan:"


def arm_named(name: str) -> Arm:
    """Return the arm of a name in the table: one of ``BASE_ARMS`` or ``gan:<name>``.

    Raises:
        GraftError: ``unknown_arm``.
    """
    if name in BASE_ARMS:
        return BASE_ARMS[name]
    gan = name.removeprefix(_GAN_PREFIX)
    if name.startswith(_GAN_PREFIX) and gan:
        return Arm(name, gan=gan)
    raise GraftError(
        "unknown_arm",
        f"There is no arm {name!r}.",
        f"Known are: {', '.join(BASE_ARMS)}, {_GAN_PREFIX}<name of a GAN>.",
    )


def fakes_to_fill(
    train_counts: Sequence[int], rare_index: int, real_count: int, balance_to: BalanceTo
) -> int:
    """How many synthetic images fill the rare class up.

    Args:
        train_counts: Real training images of each class.
        rare_index: The rare class.
        real_count: Real images of the rare class that the arm sees.
        balance_to: Total of the rare class: "full-class" is its own number of training images
            (what the study filled up to), "majority" that of the largest class.

    Returns:
        At least 0.
    """
    if balance_to == "full-class":
        total = train_counts[rare_index]
    elif balance_to == "majority":
        total = max(train_counts)
    else:
        total = balance_to
    return max(0, total - real_count)


def balanced_weights(n_other: int, n_rare: int) -> tuple[float, float]:
    """Weights (other, rare) with which both classes weigh the same and the mean image weighs 1."""
    total = n_other + n_rare
    return total / (2 * n_other), total / (2 * n_rare)
