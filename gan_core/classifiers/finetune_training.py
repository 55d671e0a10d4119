"""The parts of a fine-tuning: network, optimizer, images; one step; scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from gan_core.classifiers.device_images import DeviceImages
from gan_core.classifiers.finetune_network import FinetuneNet, images_at_once, of_images
from gan_core.classifiers.finetune_order import FinetuneConfig, ShownImages, learning_rate_factor
from gan_core.classifiers.images import IndexArray
from gan_core.classifiers.probe import fit_probe
from gan_core.features import preprocess
from gan_core.out_of_memory import ShrinkingBatch, free_memory, is_out_of_memory
from gan_core.progress import ShouldStop, never_stop
from gan_core.training.precision import Precision, compute_dtype

WEIGHT_DECAY = 0.01
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def training_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type of the convolutions.

    "auto" on a CPU is float32 even where the CPU computes in bfloat16: most of this network's time
    goes into depthwise convolutions and activations, and it took 1.2 times as long there.
    """
    if precision == "auto" and device.type == "cpu":
        return torch.float32
    return compute_dtype(precision, device)


class FinetuneTraining:
    """A network that learns.

    Args:
        images: All images.
        labels: int64 [N], 0 or 1.
        config: Settings.
        steps: Of the whole training.

    Attributes:
        network: The network; its head is zero until ``start_head`` or ``restore``.
        totals: float64 [2], sum of the losses and right answers of the epoch so far.
    """

    def __init__(
        self, images: DeviceImages, labels: IndexArray, config: FinetuneConfig, steps: int
    ) -> None:
        self.images, self._config, self._steps = images, config, steps
        self.device = images.device
        self._labels = torch.from_numpy(np.asarray(labels, np.int64)).to(self.device)
        self._dtype = training_dtype(config.precision, self.device)
        self._weights = torch.tensor(config.class_weights or (1.0, 1.0), device=self.device)
        # No normalisation looks at the batch: in pieces a step is the same one.
        self._at_once = ShrinkingBatch(images_at_once(self.device))
        self.network = FinetuneNet().to(self.device)
        # Biases hold what was the normalisation's shift; decay is meant for slopes.
        of_slopes = [weight for weight in self.network.parameters() if weight.ndim > 1]
        of_biases = [weight for weight in self.network.parameters() if weight.ndim == 1]
        groups: list[dict[str, Any]] = [
            {"params": of_slopes},
            {"params": of_biases, "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(
            groups,
            lr=config.learning_rate,
            weight_decay=WEIGHT_DECAY,
            fused=self.device.type in ("cpu", "cuda"),
        )
        self.totals = torch.zeros(2, dtype=torch.float64, device=self.device)

    def start_head(
        self,
        shown: IndexArray,
        *,
        tell: Callable[[int], None] = lambda _: None,
        should_stop: ShouldStop = never_stop,
    ) -> None:
        """Begin with the probe of the network's own features as the head.

        Args:
            shown: int64 [n], rows that an epoch shows; a row may come several times.
            tell: Told how many images are done.
            should_stop: Asked before each piece.

        Raises:
            Stopped: ``should_stop`` said so.
        """
        rows, place = np.unique(shown, return_inverse=True)
        features = of_images(
            self.network.features, self.images, rows, tell=tell, should_stop=should_stop
        )
        labels = self._labels.cpu().numpy()[shown]
        probe = fit_probe(features[place], labels, class_weights=self._config.class_weights)
        self.network.start_head(probe)

    def train_batch(self, shown: ShownImages, step: int) -> None:
        """One step; nothing waits for the device.

        Where memory runs out, the batch goes through in smaller pieces, and the images back to the
        host: the step is the same, up to rounding.

        Args:
            shown: The batch.
            step: Its number, from 0.

        Raises:
            MemoryError, RuntimeError: There was not enough memory for a single image.
        """
        try:
            tally = self._at_once.run(lambda size: self._gradients(shown, size))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or self.images.resident is None:
                raise
            tally = None
        if tally is None:  # outside the except block, whose traceback holds tensors
            self.images.leave_device()
            free_memory()
            tally = self._gradients(shown, self._at_once.size)
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.learning_rate * learning_rate_factor(step, self._steps)
        self._optimizer.step()
        self.totals += tally

    def _gradients(self, shown: ShownImages, at_once: int) -> Tensor:
        """Gradients of a batch, summed over its pieces; its losses and right answers, float64."""
        self._optimizer.zero_grad(set_to_none=True)
        tally = torch.zeros_like(self.totals)
        for piece in shown.batches(at_once):
            x = preprocess(self.images[piece.rows])
            if self._config.augment:
                from gan_core.augmenting import (
                    augmented,
                )

                x = augmented(x, torch.from_numpy(piece.seeds).to(self.device))
            labels = self._labels[torch.from_numpy(piece.rows).to(self.device)]
            with torch.autocast(
                self.device.type, self._dtype, enabled=self._dtype != torch.float32
            ):
                logits = self.network(x)
            losses = _losses(logits, labels)
            # Not the weighted mean: see ``SeedCnnTraining.train_batch``.
            loss = (losses * self._weights[labels]).sum() / len(shown.rows)
            loss.backward()  # type: ignore[no-untyped-call]
            tally += _tally(logits.detach(), labels)
        return tally

    def state(self, *, has_ended: bool) -> dict[str, Tensor]:
        """What a checkpoint holds; when the training has ended, the network alone."""
        tensors = {f"net.{name}": value for name, value in self.network.state_dict().items()}
        if has_ended:
            return tensors
        for name, parameter in self.network.named_parameters():
            # Before the first step there is none.
            for kind, value in self._optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{name}.{kind}"] = value
        return tensors | {"total": self.totals}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put back what ``state`` gave."""
        self.network.load_state_dict(
            {name: tensors[f"net.{name}"] for name in self.network.state_dict()}
        )
        for name, parameter in self.network.named_parameters():
            if f"adam.{name}.step" not in tensors:
                continue
            kept = {kind: tensors[f"adam.{name}.{kind}"] for kind in _MOMENTS}
            self._optimizer.state[parameter] = {
                # Laid out in memory as its weight is.
                kind: torch.empty_like(parameter).copy_(value)
                if kind != "step"
                else value.to(self.device)
                for kind, value in kept.items()
            }
        if "total" in tensors:
            self.totals = tensors["total"].to(self.device)

    def score(
        self,
        rows: IndexArray,
        *,
        tell: Callable[[int], None] = lambda _: None,
        should_stop: ShouldStop = never_stop,
    ) -> tuple[NDArray[np.float32], float | None, float | None]:
        """Logits float32 [n] of some images, their mean loss and accuracy (None without images).

        Raises:
            Stopped: ``should_stop`` said so.
        """
        logits = of_images(self.network, self.images, rows, tell=tell, should_stop=should_stop)
        if not len(rows):
            return logits, None, None
        labels = self._labels.cpu()[torch.from_numpy(rows)]
        loss, right = (_tally(torch.from_numpy(logits), labels) / len(rows)).tolist()
        return logits, loss, right


def _losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits [N] for labels [N], float32 [N]."""
    return F.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none")


def _tally(logits: Tensor, labels: Tensor) -> Tensor:
    """float64 [2], sum of losses and right answers."""
    right = (logits > 0) == (labels == 1)
    return torch.stack([_losses(logits, labels).double().sum(), right.double().sum()])
