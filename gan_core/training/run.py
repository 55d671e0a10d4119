"""One training under way: its state, one step of it, and that state as a checkpoint."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_core.gans.base import Gan
from gan_core.spec.errors import GraftError
from gan_core.training.checkpoint import Checkpoint, optimizer_tensors, restore_optimizer
from gan_core.training.ema import MovingAverage, sampling_weights
from gan_core.training.precision import Precision, compute_dtype
from gan_core.training.randomness import global_state, set_global_state

CHECKPOINT_FORMAT = 1
HISTORY_POINTS = 500


@dataclass(frozen=True)
class SampleGrid:
    """The images of one snapshot: uint8 [K, S, S, 3], after so many epochs and steps."""

    epoch: int
    step: int
    images: NDArray[np.uint8]


class Run:
    """The state of one training. The caller has seeded PyTorch's global generators.

    Attributes:
        epoch: Epochs done.
        steps: Steps done.
        history: Points so far; see ``loop.TrainResult``.
        sample_grids: Snapshots so far.
    """

    def __init__(
        self,
        gan: Gan,
        images: NDArray[np.uint8],
        *,
        batch_size: int,
        epochs: int,
        seed: int,
        precision: Precision,
        ema_decay: float | None,
        device: torch.device,
    ) -> None:
        self.gan, self.device = gan, device
        self.real_count = len(images)
        self._batch_size, self._epochs, self._seed = batch_size, epochs, seed
        self._dtype = compute_dtype(precision, device)
        gan.initialise()
        gan.prepare_training(device, self._dtype)
        self.average = None if ema_decay is None else MovingAverage(gan.generator, ema_decay)
        self._images = torch.from_numpy(np.ascontiguousarray(images)).to(device)
        self._random = torch.Generator(device).manual_seed(seed)
        self._order = torch.empty(0, dtype=torch.int64)
        self._identity = {
            "format": CHECKPOINT_FORMAT,
            "gan": gan.name,
            "settings": gan.settings_dict(),
            "networks": _shapes(gan),
            "images": images_digest(images),
            "batch_size": batch_size,
            "epochs": epochs,
            "seed": seed,
            "ema_decay": ema_decay,
            "compute": f"{device.type} {self._dtype}",
        }
        self.epoch = 0
        self.steps = 0
        self._batch = 0
        self.history: list[dict[str, float]] = []
        self.sample_grids: list[SampleGrid] = []
        # Sums of the losses since the last point of the history, on the device.
        self._tally: dict[str, Tensor] = {}
        self._tallied = 0
        self._batches = math.ceil(self.real_count / batch_size)
        self._epochs_a_point = math.ceil(epochs / HISTORY_POINTS)

    @property
    def fraction(self) -> float:
        """The share of all steps that is done."""
        return self.steps / (self._epochs * self._batches)

    def identity(self, **more: Any) -> str:
        """A hash of everything that decides how this training goes, and of ``more``."""
        text = json.dumps({**self._identity, **more}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def step(self) -> bool:
        """Train on the next batch.

        Returns:
            Whether that was the last one of its epoch.

        Raises:
            GraftError: diverged.
        """
        if self._batch == 0 or not len(self._order):
            self._order = epoch_order(self.real_count, self._seed, self.epoch).to(self.device)
        start = self._batch * self._batch_size
        chosen = self._images[self._order[start : start + self._batch_size]]
        real = chosen.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1)
        losses = self.gan.step(real, self._random, self.fraction)
        if self.average is not None:
            self.average.update()
        for name, loss in losses.items():
            self._tally[name] = self._tally.get(name, 0.0) + loss.double()
        self._tallied += 1
        self.steps += 1
        self._batch += 1
        if self._batch < self._batches:
            return False
        self._batch = 0
        self.epoch += 1
        if self.epoch % self._epochs_a_point == 0 or self.epoch == self._epochs:
            self._write_history()
        return True

    def sampling_weights(self) -> dict[str, Tensor]:
        """The generator's state to sample with; see ``ema.sampling_weights``.

        Raises:
            GraftError: diverged.
        """
        weights = sampling_weights(self.gan, self.average)
        if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
            raise _diverged(self.epoch)
        return weights

    def checkpoint(self, config_hash: str) -> Checkpoint:
        """All state, for ``restore``.

        Raises:
            GraftError: diverged; a spoiled state would only be resumed again and again.
        """
        self._mean_losses()
        tensors = {f"random.{name}": state for name, state in global_state(self.device).items()}
        tensors["random.latents"] = self._random.get_state()
        for name, network in self.gan.networks().items():
            tensors |= _prefixed(f"network.{name}.", network.state_dict())
        for name, optimizer in self.gan.optimizers.items():
            tensors |= _prefixed(f"optimizer.{name}.", optimizer_tensors(optimizer))
        if self.average is not None:
            tensors |= _prefixed("average.", self.average.weights())
        tensors |= _prefixed("tally.", self._tally)
        for number, grid in enumerate(self.sample_grids):
            tensors[f"grid.{number}"] = torch.from_numpy(grid.images)
        progress = {
            "epoch": self.epoch,
            "batch": self._batch,
            "tallied": self._tallied,
            "average_updates": 0 if self.average is None else self.average.updates,
            "history": self.history,
            "grids": [[grid.epoch, grid.step] for grid in self.sample_grids],
        }
        return Checkpoint(config_hash, self.steps, tensors, progress)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over the state of a checkpoint with the same identity."""
        tensors, progress = checkpoint.tensors, checkpoint.progress
        for name, network in self.gan.networks().items():
            network.load_state_dict(_under(f"network.{name}.", tensors))
        for name, optimizer in self.gan.optimizers.items():
            restore_optimizer(optimizer, _under(f"optimizer.{name}.", tensors))
        if self.average is not None:
            saved = _under("average.", tensors)
            for name, weight in self.average.weights().items():
                weight.copy_(saved[name])
            self.average.updates = progress["average_updates"]
        self._tally = {
            name: value.to(self.device) for name, value in _under("tally.", tensors).items()
        }
        self._tallied = progress["tallied"]
        self.history = progress["history"]
        self.sample_grids = [
            SampleGrid(epoch, step, tensors[f"grid.{number}"].numpy())
            for number, (epoch, step) in enumerate(progress["grids"])
        ]
        self.epoch, self._batch = progress["epoch"], progress["batch"]
        self.steps = checkpoint.step
        self._order = epoch_order(self.real_count, self._seed, self.epoch).to(self.device)
        self._random.set_state(tensors["random.latents"])
        states = _under("random.", tensors)
        states.pop("latents")
        set_global_state(self.device, states)

    def _write_history(self) -> None:
        self.history.append({"epoch": self.epoch, **self._mean_losses()})
        self._tally, self._tallied = {}, 0

    def _mean_losses(self) -> dict[str, float]:
        means = {name: float(total) / self._tallied for name, total in self._tally.items()}
        if not all(math.isfinite(mean) for mean in means.values()):
            raise _diverged(self.epoch)
        return means


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """The permutation of ``count`` images in one epoch, int64 [count]; needs no earlier epoch."""
    # SeedSequence mixes the two numbers, so that (seed 0, epoch 1) is not (seed 1, epoch 0).
    return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(count))


def images_digest(images: NDArray[np.uint8]) -> str:
    """SHA-256 of the images' shape and pixels, hexadecimal."""
    sha256 = hashlib.sha256(str(images.shape).encode())
    sha256.update(np.ascontiguousarray(images).data)
    return sha256.hexdigest()


def _diverged(epoch: int) -> GraftError:
    return GraftError(
        "diverged",
        f"The training diverged by epoch {epoch + 1}: a loss or weight is no longer finite.",
        "Lower the learning rate, take another seed, or set the precision to float32.",
    )


def _shapes(gan: Gan) -> dict[str, list[int]]:
    return {
        f"{name}.{key}": list(value.shape)
        for name, network in gan.networks().items()
        for key, value in network.state_dict().items()
    }


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
