"""Arms: the ways to prepare a classifier's training set that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gan_core.classifiers.seed_cnn_order import Sampling
from gan_core.spec.errors import GraftError

BalanceTo = Literal["full-class", "majority"] | int


@dataclass(frozen=True)
class Arm:
    """One way to prepare a training set.

    Attributes:
        name: As it stands in the table.
        has_class_weights: Whether each class weighs the same in the loss.
        sampling: "oversample" shows images of the smaller class again and again.
        is_augmented: Whether all images are shown turned, flipped, cropped and recoloured.
        gan: The GAN whose images join the rare class; None: no synthetic images.
        source: Which set of images joins the rare class: ``FAKES``, ``UNSCREENED`` or a
            ``control_source``; None: none.
        has_real_rare: Whether real images of the rare class train.
        chooses_ratio: Whether the number of images that join is chosen on held-out real training
            images; else they fill the class.
    """

    name: str
    has_class_weights: bool = False
    sampling: Sampling = "natural"
    is_augmented: bool = False
    gan: str | None = None
    source: str | None = None
    has_real_rare: bool = True
    chooses_ratio: bool = False


FAKES, UNSCREENED = "fakes", "unscreened"
"""Sources: a GAN's images, and its images as they were drawn."""
BASE_ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("real-only"),
        Arm("class-weights", has_class_weights=True),
        Arm("oversample", sampling="oversample"),
        Arm("classic-augment", is_augmented=True),
        Arm("classic-augment+oversample", is_augmented=True, sampling="oversample"),
    )
}
"""Arms of real images alone."""
_CONTROL, _SYNTHETIC, _GAN = "upscale-control:", "synthetic-only:", "gan:"
_OF_GAN: dict[str, dict[str, Any]] = {
    "+classic-augment": {"is_augmented": True},
    "@ratio": {"chooses_ratio": True, "has_class_weights": True},
    "-unscreened": {"source": UNSCREENED},
    "": {},
}


def control_source(image_size: int | str) -> str:
    """Name of the source that holds the column's real images, brought to a size and up again."""
    return f"control-{image_size}"


def arm_named(name: str) -> Arm:
    """Return the arm of a full name in the table (``gan_core.spec.arms``).

    Raises:
        GraftError: ``unknown_arm``.
    """
    if name in BASE_ARMS:
        return BASE_ARMS[name]
    if (size := _after(_CONTROL, name)) and size.isdecimal():
        return Arm(name, source=control_source(size))
    if gan := _after(_SYNTHETIC, name):
        return Arm(name, gan=gan, source=FAKES, has_real_rare=False)
    if rest := _after(_GAN, name):
        ending = next(ending for ending in _OF_GAN if rest.endswith(ending))
        if gan := rest.removesuffix(ending):
            return Arm(name, gan=gan, **{"source": FAKES} | _OF_GAN[ending])
    raise GraftError(
        "unknown_arm",
        f"There is no arm {name!r}.",
        f"Known are: {', '.join(BASE_ARMS)}, {_CONTROL}<size>, {_SYNTHETIC}<name of a GAN>,"
        f" {_GAN}<name of a GAN> and the same with one of {', '.join(filter(None, _OF_GAN))}.",
    )


def _after(prefix: str, name: str) -> str:
    return name.removeprefix(prefix) if name.startswith(prefix) else ""


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


def balanced_weights(n_other: float, n_rare: float) -> tuple[float, float]:
    """Weights (other, rare) with which both classes weigh the same and the mean image weighs 1."""
    total = n_other + n_rare
    return total / (2 * n_other), total / (2 * n_rare)
