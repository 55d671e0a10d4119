"""Augmentation of what a discriminator sees: real and fake images alike, so nothing leaks.

A generator that is judged through a random transformation T learns to make images x of the right
distribution as long as the distribution of T(x) tells that of x, and its own samples never pass
through T. Both ways here are differentiable and draw from the generator that a step is given.
"""

from gan_core.gans.augment.adaptive import AdaptiveAugment
from gan_core.gans.augment.base import Augment
from gan_core.gans.augment.differentiable import DiffAugment

__all__ = ["AUGMENTS", "AdaptiveAugment", "Augment", "DiffAugment"]

AUGMENTS: dict[str, type[Augment]] = {
    "none": Augment,
    "diffaugment": DiffAugment,
    "ada": AdaptiveAugment,
}
"""Those that a kind of GAN offers as its setting ``augment``."""
