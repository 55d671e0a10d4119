"""PyTorch's global random state: used by a few layers (dropout), borrowed and given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def borrowed_randomness(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the global generators within the block, and leave the caller's as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def global_state(device: torch.device) -> dict[str, Tensor]:
    """The states of the global generators that a training on ``device`` uses; uint8 tensors."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_global_state(device: torch.device, states: dict[str, Tensor]) -> None:
    """Put back what ``global_state`` gave."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
