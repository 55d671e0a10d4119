"""Checkpoints on disk: written whole or not at all, checked when read, the last two kept."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from gan_core.spec.errors import GraftError
from gan_core.training.durable import write_durably
from gan_core.training.tensorfile import UnreadableError, pack, unpack

KEPT = 2
MILESTONE = "milestone.safetensors"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """All that a training needs in order to go on as if nothing had happened.

    Attributes:
        config_hash: Of everything that decides how the training goes; see ``loop``.
        step: Steps done.
        tensors: Weights, averages, optimizer and random states, by dotted name.
        progress: The rest, JSON-able: where the training is and its history.
    """

    config_hash: str
    step: int
    tensors: dict[str, Tensor]
    progress: dict[str, Any]

    def copied(self) -> Checkpoint:
        """The same on the CPU, sharing nothing with the training."""
        tensors = {
            name: value.detach().to("cpu", copy=True) for name, value in self.tensors.items()
        }
        return Checkpoint(self.config_hash, self.step, tensors, copy.deepcopy(self.progress))


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and delete all but the last two.

    Raises:
        GraftError: checkpoint_not_written, when the disk is full or the like.
    """
    with _disk_errors():
        _write(directory / f"checkpoint-{checkpoint.step:012d}.safetensors", checkpoint)
        for old in _newest_first(directory)[KEPT:]:
            old.unlink(missing_ok=True)


def load_checkpoint(directory: Path, config_hash: str) -> Checkpoint | None:
    """Read the newest checkpoint that is whole, or None where there is none.

    One that is truncated or altered is passed over, with a line in the log, for the one before.

    Raises:
        GraftError: checkpoint_mismatch, when it belongs to another training.
    """
    for path in _newest_first(directory):
        if (checkpoint := _read(path, config_hash)) is not None:
            return checkpoint
    return None


def delete_checkpoints(directory: Path) -> None:
    """Delete all checkpoints, but not the milestone.

    Raises:
        GraftError: checkpoint_not_written.
    """
    with _disk_errors():
        for old in _newest_first(directory):
            old.unlink(missing_ok=True)


def save_milestone(directory: Path, checkpoint: Checkpoint) -> None:
    """Write the one milestone that is kept beside the checkpoints, in the place of the one before.

    Raises:
        GraftError: checkpoint_not_written.
    """
    with _disk_errors():
        _write(directory / MILESTONE, checkpoint)


def load_milestone(directory: Path, config_hash: str) -> Checkpoint | None:
    """Read the milestone; None where there is none that is whole.

    Raises:
        GraftError: checkpoint_mismatch.
    """
    path = directory / MILESTONE
    return _read(path, config_hash) if path.exists() else None


def _write(path: Path, checkpoint: Checkpoint) -> None:
    note = {
        "config_hash": checkpoint.config_hash,
        "step": checkpoint.step,
        "progress": checkpoint.progress,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, pack(checkpoint.tensors, note))


def _read(path: Path, config_hash: str) -> Checkpoint | None:
    try:
        tensors, note = unpack(path.read_bytes())
        checkpoint = Checkpoint(note["config_hash"], note["step"], tensors, note["progress"])
    except (UnreadableError, KeyError, OSError) as error:
        _log.warning("%s is damaged and passed over: %s", path.name, error)
        return None
    if checkpoint.config_hash != config_hash:
        raise GraftError(
            "checkpoint_mismatch",
            "The checkpoint that lies here was made with other settings, images or code.",
            "Train in an empty directory, or delete the old checkpoints.",
        )
    return checkpoint


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GraftError(
            "checkpoint_not_written",
            f"A checkpoint of the training could not be written: {error.strerror or 'disk error'}.",
            "Free some disk space and start the job again; it goes on from the checkpoint before.",
        ) from error


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """An optimizer's state by "<number of the weight>.<name>"."""
    return {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what ``optimizer_tensors`` gave, each tensor laid out in memory as its weight is.

    The fused kernels walk weight and state side by side in memory: with a channels_last weight, a
    contiguous state would be a shuffled one.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        weight = weights[int(index)]
        if tensor.shape == weight.shape:
            placed = weight.detach().clone().to(tensor.dtype).copy_(tensor)
        else:
            placed = tensor.clone()
        state.setdefault(int(index), {})[name] = placed
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _newest_first(directory: Path) -> list[Path]:
    return sorted(directory.glob("checkpoint-*.safetensors"), reverse=True)
