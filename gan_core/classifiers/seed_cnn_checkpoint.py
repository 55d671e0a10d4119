"""Keeps a classifier's training between two steps: safetensors, never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gan_core.spec.errors import GraftError
from gan_core.training.durable import write_durably
from gan_core.training.tensorfile import UnreadableError, pack, unpack


def digest_of(config: Mapping[str, Any], *arrays: NDArray[Any]) -> str:
    """SHA-256 of settings and arrays: a checkpoint fits a training when theirs are equal."""
    sha256 = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for array in arrays:
        sha256.update(f"\0{array.dtype}\0{array.shape}\0".encode())
        sha256.update(np.ascontiguousarray(array).tobytes())
    return sha256.hexdigest()


@dataclass
class Position:
    """Where a training is, and what it has found so far.

    Attributes:
        history: A record of each whole epoch, JSON-able.
        batch: Batches done in the epoch that is under way.
        shown: Images that they held.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    batch: int = 0
    shown: int = 0


class Checkpoint:
    """The last state of one training that was kept.

    Args:
        directory: Made when missing; None: nothing is kept.
        digest: Of the settings and the images.
        classifier: Names the file.
    """

    def __init__(self, directory: Path | None, digest: str, classifier: str = "seed-cnn") -> None:
        self._path = None if directory is None else directory / f"{classifier}.safetensors"
        self._digest = digest

    def write(self, tensors: dict[str, Tensor], position: Position) -> None:
        """Replace what is kept by this state.

        Raises:
            GraftError: ``checkpoint_not_written`` when the disk is full or not writable.
        """
        if self._path is None:
            return
        note = {
            "digest": self._digest,
            "history": position.history,
            "batch": position.batch,
            "shown": position.shown,
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self._path, pack(tensors, note))
        except OSError as error:
            raise GraftError(
                "checkpoint_not_written",
                f"A classifier's checkpoint could not be written: {error.strerror}.",
                "Make room on the disk, then run the step again.",
            ) from error

    def restore(self) -> tuple[dict[str, Tensor], Position] | None:
        """Return the kept state, on the CPU, and where the training was.

        A file that is cut short or damaged counts as none, as one of an earlier version does: the
        training starts again.

        Raises:
            GraftError: ``checkpoint_mismatch`` when it belongs to another training.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            tensors, note = unpack(self._path.read_bytes())
        except UnreadableError:
            return None
        if "batch" not in note:
            return None
        if note["digest"] != self._digest:
            raise GraftError(
                "checkpoint_mismatch",
                "The checkpoint belongs to a training with other settings or other images.",
                "Use an empty checkpoint directory.",
            )
        return tensors, Position(note["history"], note["batch"], note["shown"])
