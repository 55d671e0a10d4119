"""Classic augmentation of the seed CNN's batches, on the device, as they are fetched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gan_core.augmenting import augmented
from gan_core.classifiers.images import IndexArray
from gan_core.classifiers.seed_cnn_network import PatchMoments, batches, patch_moments, scaled

_AT_ONCE = 128


def augment_batch(batch: Tensor, moments: PatchMoments, seeds: Sequence[IndexArray | None]) -> None:
    """Augment images of some runs, in place, and measure what came of them.

    Args:
        batch: uint8 [K, N, S, S, 3].
        moments: Of the images as they were, [K, N, ...]; replaced where an image is augmented.
        seeds: Of each run, one for each of its first images, int64 [n]; None: the run's images
            stay as they are.
    """
    own = [(place, of_run) for place, of_run in enumerate(seeds) if of_run is not None]
    if not own:
        return
    counts = [len(of_run) for _, of_run in own]
    lines = np.repeat([place for place, _ in own], counts)
    columns = np.concatenate([np.arange(count) for count in counts])
    line, column = (torch.from_numpy(index).to(batch.device) for index in (lines, columns))
    every = torch.from_numpy(np.concatenate([of_run for _, of_run in own])).to(batch.device)
    for some in batches(len(every), _AT_ONCE):
        here = line[some], column[some]
        x = scaled(batch[here], torch.float32).permute(0, 3, 1, 2)
        levels = augmented(x, every[some]).add_(1).mul_(127.5).round_().clamp_(0, 255)
        images = levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        found = patch_moments(images)
        batch[here], moments.mean[here], moments.second[here] = images, found.mean, found.second
