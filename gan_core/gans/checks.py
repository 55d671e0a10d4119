"""Checks of settings that several kinds of GAN share, each with a sentence for the person."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection
from typing import TypeGuard

from gan_core.spec.errors import GraftError
from gan_core.spec.job import DOUBLED_IMAGE_SIZES

SIZES = DOUBLED_IMAGE_SIZES
"""Image sizes of the GANs that grow an image by doubling: from 4, or from 7, pixels."""


def first_size(image_size: int) -> int:
    """The side that doublings start from: 7 for 112 and 224, 4 for the powers of two."""
    return 7 if image_size % 7 == 0 else 4


def doublings(image_size: int) -> int:
    """How many doublings lead from ``first_size`` to ``image_size``, one of ``SIZES``."""
    return (image_size // first_size(image_size)).bit_length() - 1


def check_image_size(kind: str, value: object) -> None:
    """Let only ``SIZES`` pass.

    Raises:
        GraftError: image_size_out_of_range.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value not in SIZES:
        raise GraftError(
            "image_size_out_of_range",
            f"A {kind} cannot make images of size {value!r}.",
            f"Choose one of {', '.join(str(size) for size in SIZES)}.",
        )


def check_whole(kind: str, name: str, value: object, low: int, high: int) -> None:
    """Let whole numbers from ``low`` to ``high`` pass.

    Raises:
        GraftError: setting_out_of_range.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise out_of_range(kind, name, value, f"a whole number from {low} to {high}")


def check_number(kind: str, name: str, value: object, low: float, high: float = math.inf) -> None:
    """Let finite numbers from ``low`` to ``high`` pass.

    Raises:
        GraftError: setting_out_of_range.
    """
    if not is_number(value) or not low <= value <= high:
        allowed = f"{low:g} or more" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise out_of_range(kind, name, value, allowed)


def check_adam(kind: str, learning_rate: object, betas: object) -> None:
    """Let a learning rate in (0, 1] and two betas in [0, 1) pass.

    Raises:
        GraftError: setting_out_of_range.
    """
    if not is_number(learning_rate) or not 0 < learning_rate <= 1:
        raise out_of_range(kind, "learning_rate", learning_rate, "above 0 and at most 1")
    if not (
        isinstance(betas, tuple)
        and len(betas) == 2
        and all(is_number(beta) and 0 <= beta < 1 for beta in betas)
    ):
        raise out_of_range(kind, "betas", betas, "two numbers from 0 up to, not with, 1")


def check_choice(kind: str, name: str, value: object, choices: Collection[str]) -> None:
    """Let only ``choices`` pass.

    Raises:
        GraftError: setting_out_of_range.
    """
    if value not in choices:
        raise out_of_range(kind, name, value, f"one of {', '.join(choices)}")


def out_of_range(kind: str, name: str, value: object, allowed: str) -> GraftError:
    """The error of a setting that cannot be."""
    return GraftError(
        "setting_out_of_range", f"{kind}'s {name} cannot be {value!r}.", f"It must be {allowed}."
    )


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number and no bool."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Not math.isfinite: it raises where a whole number is too large for a float.
    return abs(value) <= sys.float_info.max
