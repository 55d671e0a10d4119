"""Classes in a GAN, let in late.

Shahbazi et al., "Collapse by Conditioning: Training Class-conditional GANs with Limited Data",
2022, arXiv:2201.06578: on little data a GAN with labels collapses where the same without them does
not; so it begins without, and what it knows of classes is blended in with a weight that rises from
0 to 1 (section 4). In the generator the class's embedding is added to the latent (to the style,
where there is one); the discriminator adds the projection of its features on the class's embedding
to its unconditional logit: Miyato and Koyama, 2018, arXiv:1802.05637, eq. 3.

Embeddings begin as N(0, 1) and not as zeros: from zeros the two networks, each of which can only
learn of classes what the other makes of them, took several times as many steps to tell two apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from gan_core.gans.checks import check_number, check_whole, out_of_range


class ConditioningSettings(Protocol):
    """The settings that decide what classes there are and when they come in."""

    @property
    def classes(self) -> int: ...  # noqa: D102
    @property
    def drawn_class(self) -> int: ...  # noqa: D102
    @property
    def blend_start(self) -> float: ...  # noqa: D102
    @property
    def blend_length(self) -> float: ...  # noqa: D102


class ClassEmbedding(nn.Module):
    """A vector for each class, weighted by the share that classes have by now.

    Attributes:
        weight: [classes, dim].
        share: A buffer, scalar in [0, 1]: part of the state, so that samples drawn in the middle of
            a training have the share of that moment.
    """

    share: Tensor

    def __init__(self, classes: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, dim))
        self.register_buffer("share", torch.zeros(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors anew, and give them no share."""
        nn.init.normal_(self.weight)
        nn.init.zeros_(self.share)

    def forward(self, labels: Tensor) -> Tensor:
        """Labels int64 [N] -> [N, dim]."""
        vectors: Tensor = self.share * self.weight[labels]
        return vectors

    def project(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features [N, dim] and labels [N] -> what the class adds to a logit, [N, 1]."""
        products: Tensor = features.float() * self(labels)
        return products.sum(1, keepdim=True) / math.sqrt(features.shape[1])


def embedding(classes: int, dim: int) -> ClassEmbedding | None:
    """An embedding where there are classes; None in a GAN without."""
    return ClassEmbedding(classes, dim) if classes else None


def let_classes_in(
    networks: Mapping[str, nn.Module], settings: ConditioningSettings, fraction: float
) -> None:
    """Set the share of every embedding to what it is at this fraction of the training."""
    share = risen(fraction, settings.blend_start, settings.blend_length)
    for network in networks.values():
        for module in network.modules():
            if isinstance(module, ClassEmbedding):
                module.share.fill_(share)


def risen(fraction: float, start: float, length: float) -> float:
    """0 up to ``start``, 1 from ``start + length`` on, a straight line in between."""
    if length == 0:
        return float(fraction >= start)
    return min(1.0, max(0.0, (fraction - start) / length))


def random_labels(count: int, classes: int, random: torch.Generator) -> Tensor:
    """Draw labels for ``count`` images, each class as likely; int64 [N]."""
    return torch.randint(classes, (count,), generator=random, device=random.device)


def check_conditioning(kind: str, settings: ConditioningSettings) -> None:
    """Let 0 classes, or more than one, and a drawn one among them pass; and shares.

    Raises:
        GraftError: setting_out_of_range.
    """
    check_whole(kind, "classes", settings.classes, 0, 100_000)
    if settings.classes == 1:
        raise out_of_range(kind, "classes", 1, "0, or 2 and more")
    check_whole(kind, "drawn_class", settings.drawn_class, 0, max(0, settings.classes - 1))
    check_number(kind, "blend_start", settings.blend_start, 0, 1)
    check_number(kind, "blend_length", settings.blend_length, 0, 1)
    if settings.blend_start + settings.blend_length > 1:
        total = settings.blend_start + settings.blend_length
        raise out_of_range(
            kind, "blend_start + blend_length", total, "at most 1, or labels never come in wholly"
        )


def labels_settled_from(settings: ConditioningSettings) -> float:
    """The share of a training from which on images are wholly of the class that is drawn."""
    return settings.blend_start + settings.blend_length if settings.classes else 0.0
