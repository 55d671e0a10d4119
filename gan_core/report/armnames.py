"""The arms of a study by their full names: which kind, of which GAN, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from gan_core.spec.arms import BaseArmName, GanArmName

_BASE: tuple[str, ...] = get_args(BaseArmName)
_OF_GAN: tuple[str, ...] = get_args(GanArmName)
# The same endings as in ``gan_core.spec.arms``.
_ENDINGS = {"+classic-augment": "gan+classic-augment", "@ratio": "gan@ratio"}
_UNSCREENED = "-unscreened"


@dataclass(frozen=True)
class ArmName:
    """An arm's full name taken apart.

    Attributes:
        kind: As in ``BaseArmName`` or ``GanArmName``; what is neither, as it is.
        gan: Of an arm with synthetic images.
        size: Of the control, the size in pixels that its images went through.
    """

    kind: str
    gan: str | None = None
    size: str | None = None


def parsed(arm: str) -> ArmName:
    """Take a full name apart ("gan:infogan@ratio" → gan@ratio, infogan)."""
    kind, _, rest = arm.partition(":")
    if kind == "synthetic-only" and rest:
        return ArmName(kind, rest)
    if kind == "upscale-control":
        return ArmName(kind, size=rest or None)
    if kind != "gan" or not rest:
        return ArmName(arm)
    for ending, name in _ENDINGS.items():
        if rest.endswith(ending):
            return ArmName(name, rest.removesuffix(ending))
    if rest.endswith(_UNSCREENED):
        return ArmName("gan-unscreened", rest.removesuffix(_UNSCREENED))
    return ArmName("gan", rest)


def has_fakes(arm: str) -> bool:
    """Say whether an arm holds synthetic images."""
    return parsed(arm).gan is not None


def in_order(arms: Iterable[str]) -> list[str]:
    """Sort arms as tables show them: those without a GAN first, then GAN by GAN."""

    def place(arm: str) -> tuple[bool, str, int, int, str]:
        name = parsed(arm)
        kinds = _BASE if name.gan is None else _OF_GAN
        known = kinds.index(name.kind) if name.kind in kinds else len(kinds)
        size = int(name.size) if name.size and name.size.isdigit() else 0
        return (name.gan is not None, name.gan or "", known, size, arm)

    return sorted(arms, key=place)


def gans_of(arms: Sequence[str]) -> list[str]:
    """Return the GANs of some arms, each once, sorted."""
    return sorted({name.gan for name in map(parsed, arms) if name.gan is not None})
