"""The parts of one training of the seed CNN: its network, its optimizer, its images, a step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_core.classifiers.images import ImageRows, IndexArray
from gan_core.classifiers.seed_cnn_network import (
    PatchMoments,
    SeedCnn,
    batches,
    fast_logits,
    patch_moments,
)
from gan_core.classifiers.seed_cnn_order import SeedCnnConfig
from gan_core.out_of_memory import free_memory, is_out_of_memory
from gan_core.progress import OnProgress, Progress, ShouldStop, Stopped, ignore_progress, never_stop
from gan_core.training.precision import compute_dtype

PREDICTION_BATCH = 32


class SeedCnnTraining:
    """The parts of one training: network, optimizer, images. ``train_seed_cnn`` puts them together.

    Args:
        images: uint8 [N, 224, 224, 3].
        labels: int64 [N].
        config: Settings.
        device: Where to train.
        is_resident: Whether all images are to lie on the device, where they fit; else each batch
            is fetched from the host. The bits of the result are the same. None: on a GPU they are.
    """

    def __init__(
        self,
        images: ImageRows,
        labels: IndexArray,
        config: SeedCnnConfig,
        device: torch.device,
        *,
        is_resident: bool | None = None,
    ) -> None:
        self.images, self.config, self.device = images, config, device
        self.labels = torch.from_numpy(np.asarray(labels, np.int64))
        self.dtype = compute_dtype(config.precision, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.net = SeedCnn()
        self.net.to(device)
        self.optimizer = torch.optim.Adam(
            self.net.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.999),
            weight_decay=config.weight_decay,
            fused=device.type in ("cpu", "cuda"),
        )
        weights = config.class_weights
        self.class_weights = None if weights is None else torch.tensor(weights, device=device)
        if is_resident is None:
            is_resident = keeps_resident(device)
        self.resident = self._all_images() if is_resident else None

    def _all_images(self) -> Tensor | None:
        """The whole set (397 MB at 2,637 images) on the device; None where there is no room."""
        try:
            parts = [
                torch.from_numpy(self.images[np.arange(rows.start, rows.stop)]).to(self.device)
                for rows in batches(self.images.shape[0], 256)
            ]
            return torch.cat(parts)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        free_memory()
        return None

    def batch(self, rows: IndexArray) -> tuple[Tensor, Tensor]:
        """Images uint8 [n, 224, 224, 3] and labels int64 [n] on the device."""
        index = torch.from_numpy(rows)
        if self.resident is None:
            chosen = torch.from_numpy(self.images[rows])
            return chosen.to(self.device), self.labels[index].to(self.device)
        return self.resident[index.to(self.device)], self.labels[index].to(self.device)

    def moments(
        self,
        rows: IndexArray,
        should_stop: ShouldStop = never_stop,
        on_progress: OnProgress = ignore_progress,
    ) -> PatchMoments:
        """Patch moments [N, ...] of the training rows; the other rows are left zero."""
        count = len(self.labels)
        mean = torch.zeros(count, 27, dtype=torch.float64, device=self.device)
        second = torch.zeros(count, 27, 27, dtype=torch.float64, device=self.device)
        for part in batches(len(rows), 32):
            if should_stop():
                raise Stopped
            found = patch_moments(self.batch(rows[part])[0])
            index = torch.from_numpy(rows[part]).to(self.device)
            mean[index], second[index] = found.mean, found.second
            on_progress(Progress(0.0, f"seed-cnn, image {part.stop}/{len(rows)} measured"))
        return PatchMoments(mean, second)

    def train_batch(self, rows: IndexArray, moments: PatchMoments) -> Tensor:
        """One step; returns (sum of losses, right answers) [2] without waiting for the device."""
        images, labels = self.batch(rows)
        of_rows = moments[torch.from_numpy(rows).to(self.device)]
        logits = fast_logits(self.net, images, self.dtype, of_rows)
        self.optimizer.zero_grad(set_to_none=True)
        # Not the weighted mean: divided by the batch's own weights, a batch without the rare class
        # would pull as hard as one with it, and 10 rare images among 1,144 would have 6% of a say.
        loss = F.cross_entropy(logits, labels, weight=self.class_weights, reduction="sum")
        (loss / len(rows)).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return _tally(logits.detach(), labels)

    def score(
        self, rows: IndexArray, tell: Callable[[], None] = lambda: None
    ) -> tuple[float | None, float | None]:
        """Mean loss and accuracy in evaluation mode; ``tell`` is called after each batch."""
        if not len(rows):
            return None, None
        self.net.eval()
        total = torch.zeros(2, dtype=torch.float64, device=self.device)
        with torch.inference_mode():
            for part in batches(len(rows), PREDICTION_BATCH):
                images, labels = self.batch(rows[part])
                total += _tally(fast_logits(self.net, images, self.dtype, None), labels)
                tell()
        self.net.train()
        loss, right = (total / len(rows)).tolist()
        return loss, right


def _tally(logits: Tensor, labels: Tensor) -> Tensor:
    loss = F.cross_entropy(logits.float(), labels, reduction="sum")
    return torch.stack([loss, (logits.argmax(1) == labels).sum()]).double()


def keeps_resident(device: torch.device) -> bool:
    """Whether a device has a memory of its own, which the images are to lie in."""
    return device.type != "cpu"
