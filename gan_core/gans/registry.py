"""The kinds of GAN by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from gan_core.gans.base import Gan
from gan_core.gans.dcgan import DCGAN
from gan_core.gans.fastgan import FastGAN
from gan_core.gans.infogan import InfoGAN
from gan_core.gans.pggan import PGGAN
from gan_core.gans.stylegan2 import StyleGAN2
from gan_core.spec.errors import GraftError

_KINDS: dict[str, type[Gan]] = {
    kind.name: kind for kind in (DCGAN, FastGAN, InfoGAN, PGGAN, StyleGAN2)
}


def names() -> tuple[str, ...]:
    """The names that ``create`` knows, sorted."""
    return tuple(sorted(_KINDS))


def create(name: str, **settings: Any) -> Gan:
    """Build a GAN with untrained networks on the CPU.

    Args:
        name: One of ``names()``.
        settings: Fields of the kind's settings; the rest take their defaults. A list may stand for
            a tuple, so that settings may come straight from JSON.

    Raises:
        GraftError: unknown_gan, unknown_setting, setting_out_of_range, image_size_out_of_range.
    """
    kind = _KINDS.get(name)
    if kind is None:
        raise GraftError(
            "unknown_gan",
            f"There is no GAN called {name!r}.",
            f"Choose one of: {', '.join(names())}.",
        )
    known = [field.name for field in dataclasses.fields(kind.settings_type)]
    for setting in settings:
        if setting not in known:
            raise GraftError(
                "unknown_setting",
                f"{name} has no setting called {setting!r}.",
                f"It has: {', '.join(known)}.",
            )
    values = {
        setting: tuple(value) if isinstance(value, list) else value
        for setting, value in settings.items()
    }
    # Every kind's class takes its settings alone.
    return kind(kind.settings_type(**values))  # type: ignore[call-arg]
