"""One training under way: its state, one step of it, and that state as a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_core.gans.base import Gan
from gan_core.generating import TrainedGenerator
from gan_core.training.checkpoint import Checkpoint, optimizer_tensors, restore_optimizer
from gan_core.training.config import TrainConfig
from gan_core.training.ema import MovingAverage, sampling_weights
from gan_core.training.health import SpoiledError
from gan_core.training.judging import Judgement
from gan_core.training.memory import PLAIN, MemoryPlan, applied
from gan_core.training.precision import compute_dtype
from gan_core.training.privacy import secret_seed
from gan_core.training.randomness import global_state, set_global_state
from gan_core.training.start import Start

HISTORY_POINTS = 500
RATE_AFTER_SETBACK = 0.5


@dataclass(frozen=True)
class SampleGrid:
    """The images of one snapshot: uint8 [K, S, S, 3], after so many epochs and steps."""

    epoch: int
    step: int
    images: NDArray[np.uint8]


@dataclass(frozen=True)
class Setbacks:
    """What went wrong so far, and how the training goes on since.

    Attributes:
        rollbacks: How often the state was spoiled and an earlier one taken up again; each time
            with half the learning rates.
        memory_level: Number of the plan in ``memory.memory_plans`` that the steps fit into.
        notices: What happened, a plain sentence each.
    """

    rollbacks: int = 0
    memory_level: int = 0
    notices: tuple[str, ...] = ()


class Run:
    """The state of one training. The caller has seeded PyTorch's global generators.

    It begins with new weights, or with those of ``begins``; its optimizers are new in any case.

    Attributes:
        epoch: Epochs done.
        steps: Steps done.
        history: Points so far; see ``loop.TrainResult``.
        sample_grids: Snapshots so far.
        judgements: Of the snapshots so far, where there is a judge.
        best: The generator that was judged best so far.
        setbacks: What went wrong so far; set by ``face``.
    """

    def __init__(
        self,
        gan: Gan,
        images: NDArray[np.uint8],
        config: TrainConfig,
        device: torch.device,
        *,
        begins: Start | None = None,
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        self.gan, self.device = gan, device
        self._labels = None if labels is None else torch.from_numpy(labels).to(device)
        self._make_order = partial(epoch_order, len(images))
        self.real_count = self._an_epoch = len(images)
        if labels is not None:
            self._make_order = partial(balanced_order, labels, gan.drawn_class)
            self.real_count = int((labels == gan.drawn_class).sum())
            self._an_epoch = len(self._make_order(0, 0))
        self._privacy = config.privacy
        self._batch_size, self._epochs, self._seed = config.batch_size, config.epochs, config.seed
        gan.initialise()
        if begins is not None:
            begins.put_into(gan)
        gan.is_pretrained = begins is not None
        gan.prepare_training(device, compute_dtype(config.precision, device))
        gan.freeze_discriminator(config.freeze_d)
        # Of noise, and of who is in a batch; one whose seed is known would protect nobody.
        self._secret = torch.Generator(device).manual_seed(secret_seed())
        if config.privacy is not None:
            gan.learn_privately(config.privacy, self._secret)
        self._rates = {
            name: [float(group["lr"]) for group in optimizer.param_groups]
            for name, optimizer in gan.optimizers.items()
        }
        self.average = None
        if config.ema_decay is not None:
            self.average = MovingAverage(gan.generator, config.ema_decay)
        self._images = torch.from_numpy(np.ascontiguousarray(images)).to(device)
        self._random = torch.Generator(device).manual_seed(config.seed)
        self._order = torch.empty(0, dtype=torch.int64)
        self.epoch = 0
        self.steps = 0
        self._batch = 0
        self.history: list[dict[str, float]] = []
        self.sample_grids: list[SampleGrid] = []
        self.judgements: list[Judgement] = []
        self.best: TrainedGenerator | None = None
        # Sums of the losses since the last point of the history, on the device.
        self._tally: dict[str, Tensor] = {}
        self._tallied = 0
        self._batches = math.ceil(self._an_epoch / self._batch_size)
        self._epochs_a_point = math.ceil(self._epochs / HISTORY_POINTS)
        self._memory = PLAIN
        self.setbacks = Setbacks()
        self.face(self.setbacks, PLAIN)

    def face(self, setbacks: Setbacks, memory: MemoryPlan) -> None:
        """Go on as what went wrong asks for.

        Args:
            setbacks: What went wrong so far.
            memory: The plan of ``setbacks.memory_level``.
        """
        self.setbacks, self._memory, self.gan.memory = setbacks, memory, memory
        scale = RATE_AFTER_SETBACK**setbacks.rollbacks
        for name, optimizer in self.gan.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * scale

    @property
    def has_new_point(self) -> bool:
        """Whether the epoch that was done last has added a point to the history."""
        return bool(self.history) and self.history[-1]["epoch"] == self.epoch

    @property
    def fraction(self) -> float:
        """The share of all steps that is done."""
        return self.steps / (self._epochs * self._batches)

    def step(self) -> bool:
        """Train on the next batch.

        Returns:
            Whether that was the last one of its epoch.

        Raises:
            SpoiledError: A loss was no longer finite; looked at when a point of the history is due.
        """
        rows = self._next_rows()
        chosen = self._images[rows]
        given = () if self._labels is None else (self._labels[rows],)
        real = chosen.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1)
        with applied(self._memory, self.gan.networks()):
            losses = self.gan.step(real, self._random, self.fraction, *given)
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

    def _next_rows(self) -> Tensor:
        """Which images are in the next batch, int64 [N]; with privacy N varies, and may be 0."""
        if self._privacy is not None:
            # Poisson sampling, as the accountant takes it to be.
            chances = torch.rand(len(self._images), generator=self._secret, device=self.device)
            return (chances < self._privacy.sample_rate).nonzero().flatten()
        if self._batch == 0 or not len(self._order):
            self._order = self._make_order(self._seed, self.epoch).to(self.device)
        start = self._batch * self._batch_size
        return self._order[start : start + self._batch_size]

    def sampling_weights(self) -> dict[str, Tensor]:
        """The generator's state to sample with; see ``ema.sampling_weights``.

        Raises:
            SpoiledError: A weight is not finite.
        """
        weights = sampling_weights(self.gan, self.average)
        if not _all_finite(weights.values()):
            raise SpoiledError(self.epoch, "a weight was no longer finite")
        return weights

    def is_finite(self) -> bool:
        """Whether all weights, and all losses since the last point of the history, are finite."""
        networks = self.gan.networks().values()
        averaged = {} if self.average is None else self.average.weights()
        return (
            _all_finite(self._tally.values())
            and _all_finite(averaged.values())
            and all(_all_finite(network.state_dict().values()) for network in networks)
        )

    def checkpoint(self, config_hash: str) -> Checkpoint:
        """All state, for ``restore``; its tensors are the live ones."""
        tensors = {f"random.{name}": state for name, state in global_state(self.device).items()}
        tensors["random.latents"] = self._random.get_state()
        if self._privacy is not None:
            tensors["random.secret"] = self._secret.get_state()
        for name, network in self.gan.networks().items():
            tensors |= _prefixed(f"network.{name}.", network.state_dict())
        for name, optimizer in self.gan.optimizers.items():
            tensors |= _prefixed(f"optimizer.{name}.", optimizer_tensors(optimizer))
        if self.average is not None:
            tensors |= _prefixed("average.", self.average.weights())
        tensors |= _prefixed("tally.", self._tally)
        for number, grid in enumerate(self.sample_grids):
            tensors[f"grid.{number}"] = torch.from_numpy(grid.images)
        if self.best is not None:
            tensors |= _prefixed("best.", self.best.weights)
        progress = {
            "epoch": self.epoch,
            "batch": self._batch,
            "tallied": self._tallied,
            "average_updates": 0 if self.average is None else self.average.updates,
            "history": list(self.history),
            "grids": [[grid.epoch, grid.step] for grid in self.sample_grids],
            "judgements": [found.as_dict() for found in self.judgements],
            "best": None if self.best is None else self.best.card(),
            "setbacks": asdict(self.setbacks),
        }
        return Checkpoint(config_hash, self.steps, tensors, progress)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over the state of a checkpoint with the same identity; ``face`` comes after it."""
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
        self.history = list(progress["history"])
        self.sample_grids = [
            SampleGrid(epoch, step, tensors[f"grid.{number}"].numpy())
            for number, (epoch, step) in enumerate(progress["grids"])
        ]
        self.judgements = [Judgement(**found) for found in progress["judgements"]]
        self.best = None
        if progress["best"] is not None:
            self.best = TrainedGenerator(weights=_under("best.", tensors), **progress["best"])
        self.epoch, self._batch = progress["epoch"], progress["batch"]
        self.steps = checkpoint.step
        self._order = self._make_order(self._seed, self.epoch).to(self.device)
        self._random.set_state(tensors["random.latents"])
        states = _under("random.", tensors)
        states.pop("latents")
        if self._privacy is not None:
            self._secret.set_state(states.pop("secret"))
        set_global_state(self.device, states)

    def _write_history(self) -> None:
        self.history.append({"epoch": self.epoch, **self._mean_losses()})
        self._tally, self._tallied = {}, 0

    def _mean_losses(self) -> dict[str, float]:
        means = {name: float(total) / self._tallied for name, total in self._tally.items()}
        if not all(math.isfinite(mean) for mean in means.values()):
            raise SpoiledError(self.epoch, "a loss was no longer finite")
        return means


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """The permutation of ``count`` images in one epoch, int64 [count]; needs no earlier epoch."""
    # SeedSequence mixes the two numbers, so that (seed 0, epoch 1) is not (seed 1, epoch 0).
    return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(count))


def balanced_order(labels: NDArray[np.int64], drawn_class: int, seed: int, epoch: int) -> Tensor:
    """The order of images in one epoch of a GAN with classes; needs no earlier epoch.

    Every image of the drawn class comes once, and as many of each other class, others in every
    epoch. In the natural order a rare class would be a few images among a thousand, and the
    normalisations of the generator would be those of the common one.

    Args:
        labels: int64 [N], class of each image.
        drawn_class: The class that images will be drawn of.
        seed: Of the training.
        epoch: Its number.

    Returns:
        int64 [classes x images of the drawn class].
    """
    random = np.random.default_rng([seed, epoch])
    count = int((labels == drawn_class).sum())
    order = []
    for number in np.unique(labels):
        rows = np.flatnonzero(labels == number)
        rounds = [random.permutation(rows) for _ in range(math.ceil(count / len(rows)))]
        order.append(np.concatenate(rounds)[:count])
    return torch.from_numpy(random.permutation(np.concatenate(order)))


def setbacks_of(checkpoint: Checkpoint) -> Setbacks:
    """What had gone wrong when a checkpoint was made."""
    saved = checkpoint.progress["setbacks"]
    return Setbacks(saved["rollbacks"], saved["memory_level"], tuple(saved["notices"]))


def _all_finite(tensors: Iterable[Tensor]) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in tensors)


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
