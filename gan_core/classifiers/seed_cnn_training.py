"""The parts of trainings that go on side by side: their networks, their optimizer, a step of each.

Every network has its own images, labels and class weights, and none sees anything of another: a
training's numbers are those it would have alone, up to the rounding of another matrix product. All
have made the same number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_core.classifiers.device_images import DeviceImages
from gan_core.classifiers.images import IndexArray
from gan_core.classifiers.seed_cnn_augment import augment_batch
from gan_core.classifiers.seed_cnn_network import (
    PatchMoments,
    SeedCnn,
    Stack,
    batches,
    fast_logits,
    patch_moments,
    stacked,
)
from gan_core.classifiers.seed_cnn_order import SeedCnnRun
from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped, ignore_progress, never_stop
from gan_core.training.precision import compute_dtype

_PARAMETERS = tuple(
    f"{layer}.{kind}"
    for layer in ("conv1", "norm", "conv2", "linear")
    for kind in ("weight", "bias")
)
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")
_SCORED_AT_ONCE = 256  # pairs of a network and an image


def images_scored_at_once(networks: int) -> int:
    """How many images are scored at a time, so that memory does not grow with the networks."""
    return min(32, max(1, _SCORED_AT_ONCE // networks))


def measure_images(
    images: DeviceImages,
    rows: IndexArray,
    should_stop: ShouldStop = never_stop,
    on_progress: OnProgress = ignore_progress,
    label: str = "seed-cnn",
) -> PatchMoments:
    """Patch moments [N, ...] of some rows of all N images; the other rows are left zero."""
    mean = torch.zeros(len(images), 27, dtype=torch.float64, device=images.device)
    second = torch.zeros(len(images), 27, 27, dtype=torch.float64, device=images.device)
    for part in batches(len(rows), 32):
        if should_stop():
            raise Stopped
        found = patch_moments(images[rows[part]])
        index = torch.from_numpy(rows[part]).to(images.device)
        mean[index], second[index] = found.mean, found.second
        on_progress(Progress(0.0, f"{label}, image {part.stop}/{len(rows)} measured"))
    return PatchMoments(mean, second)


class SeedCnnTraining:
    """Networks, optimizer, images; ``train_seed_cnns`` puts them together.

    Args:
        images: The images of all runs.
        runs: K of them; but for seed, class weights, sampling and split, their settings are equal.
        states: What ``state`` gave for each, to go on from there; None: all begin.

    Attributes:
        stack: The networks.
        totals: float64 [K, 2], sum of the losses and right answers of each run's epoch so far.
    """

    def __init__(
        self,
        images: DeviceImages,
        runs: Sequence[SeedCnnRun],
        states: Sequence[dict[str, Tensor]] | None = None,
    ) -> None:
        self.images, self.runs, self.device = images, list(runs), images.device
        config = runs[0].config
        self.dtype = compute_dtype(config.precision, self.device)
        self.stack: Stack = stacked([_fresh(run.config.seed) for run in runs])
        self.stack = {name: value.detach().to(self.device) for name, value in self.stack.items()}
        self.optimizer = self._optimizer({})
        self._class_weights = self._weights()
        self.totals = torch.zeros(len(runs), 2, dtype=torch.float64, device=self.device)
        if states is not None:
            self._restore(states)

    def _optimizer(self, states: dict[str, dict[str, Tensor]]) -> torch.optim.Adam:
        config = self.runs[0].config
        parameters = [self.stack[name].requires_grad_() for name in _PARAMETERS]
        optimizer = torch.optim.Adam(
            parameters,
            lr=config.learning_rate,
            betas=(0.9, 0.999),
            weight_decay=config.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )
        for name, parameter in zip(_PARAMETERS, parameters, strict=True):
            if name in states:
                optimizer.state[parameter] = states[name]
        return optimizer

    def _restore(self, states: Sequence[dict[str, Tensor]]) -> None:
        def of_all(name: str) -> Tensor:
            return torch.stack([state[name] for state in states]).to(self.device)

        self.stack = {name: of_all(f"net.{name}") for name in self.stack}
        kept: dict[str, dict[str, Tensor]] = {}
        for name in _PARAMETERS:
            if f"adam.{name}.step" in states[0]:
                kept[name] = {kind: of_all(f"adam.{name}.{kind}") for kind in _MOMENTS[:2]}
                kept[name]["step"] = states[0][f"adam.{name}.step"].to(self.device)
        self.optimizer = self._optimizer(kept)
        self.totals = of_all("total")

    def state(self, place: int) -> dict[str, Tensor]:
        """What a checkpoint of one run holds, named as if it had trained alone."""
        tensors = {f"net.{name}": value[place].detach() for name, value in self.stack.items()}
        for name in _PARAMETERS:
            # Before the first step there is none.
            kept = self.optimizer.state.get(self.stack[name], {})
            for kind in kept:
                value = kept[kind]
                tensors[f"adam.{name}.{kind}"] = value if kind == "step" else value[place]
        tensors["total"] = self.totals[place]
        return tensors

    def keep_only(self, places: Sequence[int]) -> None:
        """Go on with these runs alone: the others have ended."""
        index = torch.tensor(places, device=self.device)
        kept = {
            name: {
                kind: value if kind == "step" else value[index]
                for kind, value in self.optimizer.state[self.stack[name]].items()
            }
            for name in _PARAMETERS
        }
        self.runs = [self.runs[place] for place in places]
        self.stack = {name: value.detach()[index] for name, value in self.stack.items()}
        self.totals = self.totals[index]
        self.optimizer = self._optimizer(kept)
        self._class_weights = self._weights()

    def network(self, place: int) -> SeedCnn:
        """A copy of one network, in evaluation mode."""
        net = _fresh(0).to(self.device)
        net.load_state_dict({name: value[place].detach() for name, value in self.stack.items()})
        return net.eval()

    def train_batch(
        self,
        chosen: Sequence[IndexArray],
        moments: PatchMoments,
        seeds: Sequence[IndexArray | None] = (),
    ) -> None:
        """One step of every run; nothing waits for the device.

        Args:
            chosen: Places in the rows of each run; their numbers may differ.
            moments: Of all images.
            seeds: Of each run's augmentations, one an image; None, or none at all: images are shown
                as they are.
        """
        rows, labels, shares = self._table(range(len(self.runs)), chosen)
        batch = self.images[rows]
        on_device = torch.from_numpy(rows).to(self.device)
        own = moments[on_device]
        augment_batch(batch, own, seeds)
        logits = fast_logits(self.stack, batch, self.dtype, own, shares)
        self.optimizer.zero_grad(set_to_none=True)
        losses = _losses(logits, labels)
        # Not the weighted mean: divided by the batch's own weights, a batch without the rare class
        # would pull as hard as one with it, and 10 rare images among 1,144 would have 6% of a say.
        weights = self._class_weights.gather(1, labels) * shares
        (losses * weights.to(losses.dtype)).sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.totals += _tally(logits.detach(), labels, shares)

    def _weights(self) -> Tensor:
        """float64 [K, 2]."""
        weights = [run.config.class_weights or (1.0, 1.0) for run in self.runs]
        return torch.tensor(weights, dtype=torch.float64, device=self.device)

    def _table(
        self, places: Sequence[int], chosen: Sequence[IndexArray]
    ) -> tuple[IndexArray, Tensor, Tensor]:
        """Rows, labels [k, n] and shares of batches, filled up with first images of share 0."""
        size = max(len(of_run) for of_run in chosen)
        rows = np.zeros((len(chosen), size), np.int64)
        labels, shares = np.zeros_like(rows), np.zeros(rows.shape)
        for line, (place, of_run) in enumerate(zip(places, chosen, strict=True)):
            run, count = self.runs[place], len(of_run)
            rows[line] = run.rows[0]
            rows[line, :count] = run.rows[of_run]
            labels[line, :count] = run.labels[of_run]
            shares[line, :count] = 1 / max(count, 1)
        return (
            rows,
            torch.from_numpy(labels).to(self.device),
            torch.from_numpy(shares).to(self.device),
        )

    def score(
        self, places: Sequence[int], tell: Callable[[], None] = lambda: None
    ) -> list[tuple[float | None, float | None]]:
        """Mean loss and accuracy of some runs on what each holds out, in evaluation mode.

        ``tell`` is called after each batch.
        """
        held = [self.runs[place].split[1] for place in places]
        index = torch.tensor(places, device=self.device)
        stack = {name: value.detach()[index] for name, value in self.stack.items()}
        total = torch.zeros(len(places), 2, dtype=torch.float64, device=self.device)
        with torch.inference_mode():
            for part in batches(max(map(len, held)), images_scored_at_once(len(places))):
                rows, labels, shares = self._table(places, [of_run[part] for of_run in held])
                logits = fast_logits(stack, self.images[rows], self.dtype, None)
                total += _tally(logits, labels, shares)
                tell()
        means = total.cpu().numpy() / np.maximum([[len(of_run)] for of_run in held], 1)
        return [
            (float(loss), float(right)) if len(of_run) else (None, None)
            for (loss, right), of_run in zip(means, held, strict=True)
        ]


def _fresh(seed: int) -> SeedCnn:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SeedCnn()


def _losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits [K, N, 2] for labels [K, N], [K, N]."""
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)


def _tally(logits: Tensor, labels: Tensor, shares: Tensor) -> Tensor:
    """float64 [K, 2], each network's sum of losses and right answers."""
    shown = shares > 0
    right = (logits.argmax(2) == labels) & shown
    losses = _losses(logits.float(), labels) * shown
    return torch.stack([losses.sum(1), right.sum(1)], 1).double()
