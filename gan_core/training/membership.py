"""What a trained discriminator says of images: the white side of a membership attack.

Hayes et al. 2019, "LOGAN: Membership inference attacks against generative models",
arXiv:1705.07663: a discriminator that has learnt its training images by heart takes them for more
real than others of the same kind. Its weights never leave; only the scores are kept, and only what
an attack by them would achieve is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gan_core.gans.base import Gan
from gan_core.out_of_memory import ShrinkingBatch
from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
)

BATCH = 64


def discriminator_scores(
    gan: Gan,
    images: NDArray[np.uint8],
    *,
    batch_size: int = BATCH,
    on_progress: OnProgress = ignore_progress,
    should_stop: ShouldStop = never_stop,
) -> NDArray[np.float32]:
    """Score images with a GAN's discriminator as it is: where a training has ended, its last one.

    Which generator was kept makes no difference: with ``keep: best`` it is an earlier one, and the
    discriminator still that of the last step, which has seen most of its images. In eval mode,
    float32, without augmentation; the networks are left in the modes that they were in.

    Args:
        gan: Its networks lie on ``gan.device``.
        images: uint8 [N, S, S, 3], S the GAN's image size.
        batch_size: Images at a time; changes nothing but the last bits.
        on_progress: Told after each batch.
        should_stop: Asked before each batch.

    Returns:
        float32 [N]; more is more real (see ``Gan.score``).

    Raises:
        Stopped: ``should_stop()`` said so.
    """
    scores = np.empty(len(images), np.float32)
    shrinking = ShrinkingBatch(batch_size)
    done = 0

    def some(size: int) -> NDArray[np.float32]:
        pixels = torch.from_numpy(np.array(images[done : done + size])).to(gan.device)
        # Channels are last in memory already.
        real = pixels.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1)
        found: NDArray[np.float32] = gan.score(real).cpu().numpy()
        return found

    with _evaluating(gan.networks().values()), torch.inference_mode():
        while done < len(images):
            if should_stop():
                raise Stopped
            batch = shrinking.run(some)
            scores[done : done + len(batch)] = batch
            done += len(batch)
            on_progress(
                Progress(done / len(images), f"scores of the discriminator, {done}/{len(images)}")
            )
    return scores


@contextmanager
def _evaluating(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Put networks in eval mode; afterwards each module is in the mode that it was in."""
    # Module by module: blocks that were frozen are in eval mode while the rest trains.
    modes = [(module, module.training) for network in networks for module in network.modules()]
    for module, _ in modes:
        module.training = False
    try:
        yield
    finally:
        for module, was_training in modes:
            module.training = was_training
