"""What every augmentation offers; this one changes nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Augment(nn.Module):
    """Leaves images as they are, and is what the other augmentations are subclasses of.

    Its randomness comes from the generator that it is given, its state is in its buffers.
    """

    def forward(self, images: Tensor, random: torch.Generator) -> Tensor:  # noqa: ARG002
        """Float [N, 3, S, S] in [-1, 1] -> float32 of the same shape, channels_last."""
        return images.float()

    def adapt(self, real_logits: Tensor) -> None:
        """Learn from what the discriminator says of augmented real images, [N, ...]."""
