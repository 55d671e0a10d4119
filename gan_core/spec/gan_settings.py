"""The settings that each kind of GAN has beside its image size, so that a spec can be checked.

The kinds themselves stand in ``gan_core.gans`` and need torch; this table does not. A test holds
the two together: the same names, the same defaults, the same values accepted and refused.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SettingValue = bool | int | float | str | list[int] | list[float]
"""What a setting may be in a job."""


@dataclass(frozen=True)
class Setting:
    """One setting of a kind.

    Attributes:
        default: What holds where none is given; None for one that the kind works out itself.
        allowed: What it may be, in words that follow "must be".
        accepts: Whether a value is that.
        schema: The same as JSON schema, for whoever makes a form of it.
        is_real: Whether it is made of numbers that need not be whole, so that 40 means 40.0.
    """

    default: Any
    allowed: str
    accepts: Callable[[Any], bool]
    schema: Mapping[str, Any]
    is_real: bool = False

    def normal(self, value: Any) -> Any:
        """Return an accepted value as it is always written, so that equal ones have one key."""
        if not self.is_real:
            return value
        return [float(number) for number in value] if isinstance(value, list) else float(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Not math.isfinite: it raises where a whole number is too large for a float.
    return abs(value) <= sys.float_info.max


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _whole(default: int | None, low: int, high: int) -> Setting:
    return Setting(
        default,
        f"a whole number from {low} to {high}",
        lambda value: _is_whole(value, low, high),
        {"type": "integer", "minimum": low, "maximum": high},
    )


def _number(default: float | None, low: float, high: float = math.inf) -> Setting:
    allowed = f"{low:g} or more" if math.isinf(high) else f"from {low:g} to {high:g}"
    ends = {"minimum": low} if math.isinf(high) else {"minimum": low, "maximum": high}
    return Setting(
        default,
        allowed,
        lambda value: _is_number(value) and low <= value <= high,
        {"type": "number", **ends},
        is_real=True,
    )


def _choice(default: str, *choices: str) -> Setting:
    return Setting(
        default,
        f"one of {', '.join(choices)}",
        lambda value: value in choices,
        {"type": "string", "enum": list(choices)},
    )


def _rate(default: float) -> Setting:
    return Setting(
        default,
        "above 0 and at most 1",
        lambda value: _is_number(value) and 0 < value <= 1,
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        is_real=True,
    )


# Each place means something: nothing may be sorted, and a value may stand there twice.
_ORDERED = {"x-ordered": True}


def _betas(first: float, second: float) -> Setting:
    return Setting(
        [first, second],
        "two numbers from 0 up to, not with, 1",
        lambda value: (
            isinstance(value, list)
            and len(value) == 2
            and all(_is_number(beta) and 0 <= beta < 1 for beta in value)
        ),
        {
            "type": "array",
            "items": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            "minItems": 2,
            "maxItems": 2,
            **_ORDERED,
        },
        is_real=True,
    )


def _wholes(default: Sequence[int], low: int, high: int) -> Setting:
    return Setting(
        list(default),
        f"a list of whole numbers from {low} to {high}",
        lambda value: (
            isinstance(value, list)
            and len(value) > 0
            and all(_is_whole(number, low, high) for number in value)
        ),
        {
            "type": "array",
            "items": {"type": "integer", "minimum": low, "maximum": high},
            "minItems": 1,
            **_ORDERED,
        },
    )


_AUGMENTS = ("none", "diffaugment", "ada")


_BLEND = {"blend_start": _number(0.25, 0, 1), "blend_length": _number(0.25, 0, 1)}


def _convolutional(latent_dim: int, loss: str, augment: str) -> dict[str, Setting]:
    return {
        "latent_dim": _whole(latent_dim, 1, 1024),
        "width": _whole(64, 2, 512),
        "learning_rate": _rate(2e-4),
        "betas": _betas(0.5, 0.999),
        "loss": _choice(loss, "non-saturating", "least-squares", "hinge", "relativistic"),
        "augment": _choice(augment, *_AUGMENTS),
        "gamma_start": _number(5.0, 0),
        "gamma_end": _number(40.0, 0),
        "penalty_every": _whole(4, 1, 64),
        **_BLEND,
    }


GAN_SETTINGS: Mapping[str, Mapping[str, Setting]] = {
    "dcgan": {
        **_convolutional(100, "non-saturating", "none"),
        "discriminator_norm": _choice("batch", "batch", "group"),
    },
    "fastgan": _convolutional(256, "hinge", "diffaugment"),
    "infogan": {
        "latent_dim": _whole(62, 1, 1024),
        "categories": _whole(10, 2, 1000),
        "codes": _whole(2, 1, 64),
        "learning_rate": _rate(2e-4),
        "betas": _betas(0.5, 0.999),
        "lambda_category": _number(1.0, 0),
        "lambda_code": _number(0.1, 0),
    },
    "pggan": {
        "latent_dim": _whole(128, 1, 1024),
        "width": _whole(256, 2, 1024),
        "learning_rate": _rate(1e-3),
        "betas": _betas(0.0, 0.99),
        "penalty_weight": _number(10.0, 0),
        "drift": _number(0.001, 0),
        "batches": _wholes((32, 32, 32, 16, 16, 16, 16), 1, 1024),
        "truncation": _number(0.7, 0, 10),
    },
    "stylegan2": {
        "latent_dim": _whole(512, 1, 1024),
        "width": _whole(512, 2, 1024),
        "channel_base": _whole(None, 64, 65536),
        "mapping_layers": _whole(8, 1, 16),
        "learning_rate": _rate(2.5e-3),
        "betas": _betas(0.0, 0.99),
        "augment": _choice("diffaugment", *_AUGMENTS),
        "r1_gamma": _number(None, 0),
        "r1_every": _whole(16, 1, 1024),
        "path_weight": _number(2.0, 0),
        "path_every": _whole(4, 1, 1024),
        "mixing": _number(0.9, 0, 1),
        "truncation": _number(1.0, 0, 1),
        **_BLEND,
    },
}
"""By kind and name."""

CONDITIONAL_GANS = tuple(
    name for name, settings in GAN_SETTINGS.items() if "blend_start" in settings
)
"""The kinds that can learn from labels."""


def settings_schemas() -> dict[str, Any]:
    """Return the JSON schema of each kind's settings, by kind, with what holds by itself.

    A setting that the kind works out itself has no default.
    """
    return {
        gan: {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {**setting.schema}
                | ({} if setting.default is None else {"default": setting.default})
                for name, setting in settings.items()
            },
        }
        for gan, settings in GAN_SETTINGS.items()
    }


def refusal(gan: str, given: Mapping[str, Any]) -> str | None:
    """Say why a GAN cannot have these settings: one sentence, or None where it can.

    Args:
        gan: The kind's name.
        given: Settings by name; tuples are lists here, as in JSON.
    """
    settings = GAN_SETTINGS[gan]
    for name, value in given.items():
        if name not in settings:
            return f"{gan} has no setting {name!r}; it has {', '.join(settings)}"
        if not settings[name].accepts(value):
            return f"{gan}'s {name} must be {settings[name].allowed}, not {value!r}"
    return None


def normalised(gan: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that a kind accepts (``refusal``) with each value as it is always written."""
    return {name: GAN_SETTINGS[gan][name].normal(value) for name, value in given.items()}


def without_defaults(gan: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of some normalised settings that are not what the kind has by itself."""
    settings = GAN_SETTINGS[gan]
    return {name: value for name, value in given.items() if value != settings[name].default}


def discriminator_blocks(gan: str, image_size: int) -> int:
    """How many blocks a kind's discriminator has: as many can be frozen."""
    if gan == "infogan":
        return 4
    first = 7 if image_size % 7 == 0 else 4
    doublings = (image_size // first).bit_length() - 1
    if gan == "fastgan":
        # Down to 8 (or 7) pixels, and the layer before them.
        return doublings if first == 4 else doublings + 1
    return doublings
