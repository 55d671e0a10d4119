"""EfficientNet-Lite0 with its ImageNet weights and a head of its own for "rare or not"."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_core.classifiers.device_images import DeviceImages
from gan_core.classifiers.images import IndexArray
from gan_core.classifiers.probe import Probe
from gan_core.features import (
    FeatureExtractor,
    flip,
    load_imagenet_net,
    penultimate,
    preprocess,
    streamline,
)
from gan_core.out_of_memory import ShrinkingBatch
from gan_core.progress import ShouldStop, Stopped, never_stop
from gan_core.training.randomness import borrowed_randomness


class FinetuneNet(nn.Module):
    """The feature net, its normalisation folded into its convolutions, and one linear unit.

    It stays in evaluation mode: nothing in it behaves otherwise in training.

    Attributes:
        body: As ``gan_core.features.streamline`` leaves it; every weight of it learns.
        head: Linear(1280 → 1), zero until ``start_head``.

    Raises:
        GraftError: ``weights_missing`` or ``weights_unrecognised``.
    """

    def __init__(self) -> None:
        super().__init__()
        # Networks are made with random weights first, which none of these keeps.
        with borrowed_randomness(torch.device("cpu"), 0):
            self.body = streamline(load_imagenet_net())
            self.head = nn.Linear(FeatureExtractor.dimensions, 1)
        self.body.classifier = nn.Identity()
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.to(memory_format=torch.channels_last)
        self.eval().requires_grad_(requires_grad=True)

    def features(self, x: Tensor) -> Tensor:
        """Features [N, 1280] of pictures [N, 3, 224, 224] in [-1, 1]."""
        return penultimate(self.body, flip(x))

    def forward(self, x: Tensor) -> Tensor:
        """Logits float32 [N] of the rare class, of pictures [N, 3, 224, 224] in [-1, 1]."""
        features = self.features(x)
        # In mixed precision, too: a score of bfloat16 has three digits.
        with torch.autocast(x.device.type, enabled=False):
            logits: Tensor = self.head(features.float())
        return logits[:, 0]

    @torch.no_grad()
    def start_head(self, probe: Probe) -> None:
        """Let the head begin as a probe that was fitted to ``features``."""
        self.head.weight.copy_(torch.from_numpy(probe.weights)[None])
        self.head.bias.fill_(probe.bias)


def images_at_once(device: torch.device) -> int:
    """How many images go through the network at a time.

    Activations of 8 stay in a CPU's cache: measured there, a batch of 32 took 1.2 times as long in
    one piece as in four.
    """
    return 8 if device.type == "cpu" else 128


def of_images(
    compute: Callable[[Tensor], Tensor],
    images: DeviceImages,
    rows: IndexArray,
    *,
    tell: Callable[[int], None] = lambda _: None,
    should_stop: ShouldStop = never_stop,
) -> NDArray[np.float32]:
    """Compute something of images without gradients, in float32, piece by piece.

    Args:
        compute: ``FinetuneNet.features`` or the network itself.
        images: All images.
        rows: int64 [n].
        tell: Told how many are done.
        should_stop: Asked before each piece.

    Returns:
        float32 [n, ...].

    Raises:
        Stopped: ``should_stop`` said so.
    """
    pieces: list[NDArray[np.float32]] = []
    at_once = ShrinkingBatch(images_at_once(images.device))
    done = 0

    def some(size: int) -> NDArray[np.float32]:
        x = preprocess(images[rows[done : done + size]])
        found: NDArray[np.float32] = compute(x).cpu().numpy()
        return found

    # Not inference_mode: what it makes could not be learned from later.
    with torch.no_grad():
        while done < len(rows):
            if should_stop():
                raise Stopped
            pieces.append(at_once.run(some))
            done += len(pieces[-1])
            tell(done)
    return np.concatenate(pieces) if pieces else np.empty(0, np.float32)
