"""The exponential moving average of a generator, and BatchNorm statistics to sample with."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from gan_core.gans.base import Gan
from gan_core.training.randomness import borrowed_randomness

CALIBRATION_BATCHES = 4
CALIBRATION_BATCH_SIZE = 32
CALIBRATION_SEED = 0x6A11B


class MovingAverage:
    """The exponential moving average of a network's parameters, float32.

    The decay warms up as min(decay, (1 + n) / (10 + n)) after n updates: without that a short
    training would end with an average that is mostly its random beginning.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._names = [name for name, _ in network.named_parameters()]
        self._current = [weight.detach() for weight in network.parameters()]
        self._average = [weight.clone() for weight in self._current]

    def update(self) -> None:
        """Take the network's current weights into the average."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self._average, self._current, 1 - decay)
        self.updates += 1

    def weights(self) -> dict[str, Tensor]:
        """The averages by parameter name: the tensors themselves, not copies."""
        return dict(zip(self._names, self._average, strict=True))


def sampling_weights(gan: Gan, average: MovingAverage | None) -> dict[str, Tensor]:
    """The generator's state to sample from in eval mode; float32 on the CPU, copies.

    BatchNorm's running statistics are estimated anew from seeded latents. Those that training
    leaves are a blend of the last few batches (as small as two images) under weights that were
    still moving, and under averaged weights they belong to another network altogether.

    Args:
        gan: In training; its own networks and random states are left untouched.
        average: Its generator's average, or None to sample from the weights as they are.
    """
    generator = copy.deepcopy(gan.generator)
    if average is not None:
        generator.load_state_dict(average.weights(), strict=False)
    with borrowed_randomness(gan.device, CALIBRATION_SEED):  # a generator may draw noise of its own
        _calibrate(generator, gan)
    return {
        name: value.detach().to("cpu", copy=True).contiguous()
        for name, value in generator.state_dict().items()
    }


def _calibrate(generator: nn.Module, gan: Gan) -> None:
    normalisations = [
        module
        for module in generator.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    if not normalisations:
        return
    for normalisation in normalisations:
        normalisation.reset_running_stats()
        normalisation.momentum = None  # a plain mean over the batches that follow
    random = torch.Generator().manual_seed(CALIBRATION_SEED)
    generator.train()
    with torch.no_grad():
        for _ in range(CALIBRATION_BATCHES):
            latents = gan.random_latents(CALIBRATION_BATCH_SIZE, random)
            generator({name: value.to(gan.device) for name, value in latents.items()})
