"""What of differential privacy can be asked for, and what it cannot go together with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from gan_core.spec.errors import GraftError
from gan_core.spec.strict import Strict

PRIVATE_GANS = ("dcgan",)
"""The kinds that can be trained with it: their discriminator sees one image at a time."""
PRIVATE_NORM = {"discriminator_norm": "group"}
"""The setting that makes it so; it need not be given."""
TIMES_AS_LONG = 2.5
"""What a step takes, with a gradient for each image: measured, 2.4 (width 32) and 2.9 (width 64)
times as long on a CPU, at 64 pixels and batch 32."""


class PrivacySpec(Strict):
    """Train the GAN with differential privacy, which limits what it can know of any one image.

    Only the discriminator sees real images, so only it is trained with clipped and noisy gradients
    (DPGAN: Xie et al. 2018, arXiv:1802.06739); the generator learns from the discriminator alone.
    ε and δ cover the real images of the rare class that the GAN is trained on, one image each: not
    two images of one patient together, not the classifiers, and not what else is computed from
    real images.
    """

    epsilon: float = Field(gt=0, le=1000)
    """ε, the most that may be spent: the smaller, the more private and the worse the images. Above
    about 10 it promises little."""
    delta: float | None = Field(default=None, gt=0, lt=1)
    """δ, the chance that the promise fails; below one in the number of real images. Null: a tenth
    of that."""
    clip: float = Field(default=1.0, gt=0, le=1000)
    """Norm that each image's gradient is cut down to; the noise is measured in it."""
    discriminator_steps: int = Field(default=5, ge=1, le=500)
    """Steps of the discriminator to one of the generator. A noisy discriminator needs more of them
    (Bie et al. 2023, arXiv:2302.02936)."""

    def delta_for(self, real_count: int) -> float:
        """Return δ for so many real images.

        Raises:
            GraftError: ``delta_too_large``, when it is not below 1 / real_count: one image could
                then be told outright.
        """
        if self.delta is None:
            return 1 / (10 * real_count)
        if self.delta >= 1 / real_count:
            raise GraftError(
                "delta_too_large",
                f"A delta of {self.delta:g} promises nothing for {real_count} real images: it is"
                " not below one in their number.",
                f"Ask for less than {1 / real_count:g}, or leave it out.",
            )
        return self.delta


def privacy_refusal(gan: str, asked: Mapping[str, Any], settings: Mapping[str, Any]) -> str | None:
    """Say why a GAN cannot be trained with differential privacy: one sentence, or None.

    Args:
        gan: The kind's name.
        asked: The fields of its ``GanSpec`` that were given.
        settings: The kind's settings that were given.
    """
    if gan not in PRIVATE_GANS:
        return (
            f"{gan} cannot be trained with differential privacy: its discriminator compares the"
            f" images of a batch or is trained by penalties; {', '.join(PRIVATE_GANS)} can"
        )
    if asked.get("keep", "last") == "best":
        return (
            'privacy needs keep to be "last": the best is chosen by comparison with the real'
            " images, which epsilon does not cover"
        )
    if asked.get("stop_early", False):
        return (
            "privacy and stop_early exclude each other: when to stop is found by comparison with"
            " the real images, which epsilon does not cover"
        )
    if asked.get("pretrain", "none") == "all-classes":
        return (
            "privacy and pretrain: all-classes exclude each other: it would learn from the rare"
            " class's images without privacy first; other-classes can be had, and is not covered"
        )
    if asked.get("conditional", "none") != "none":
        return (
            "privacy and conditional exclude each other: batches of all classes in equal shares are"
            " not drawn as epsilon is counted"
        )
    return _refused_setting(settings)


def _refused_setting(settings: Mapping[str, Any]) -> str | None:
    if settings.get("augment") == "ada":
        return (
            "privacy and augment: ada exclude each other: its strength follows what the"
            " discriminator says of real images; diffaugment can be had"
        )
    if settings.get("loss") == "relativistic":
        return (
            "privacy and loss: relativistic exclude each other: it compares pairs of images and"
            " comes with penalties, and neither has a gradient for each image alone"
        )
    norm = settings.get("discriminator_norm", PRIVATE_NORM["discriminator_norm"])
    if norm != PRIVATE_NORM["discriminator_norm"]:
        return (
            f"privacy needs discriminator_norm to be {PRIVATE_NORM['discriminator_norm']!r}: batch"
            " normalisation mixes the images of a batch"
        )
    return None
