"""A count of steps that is part of a training's state."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StepCounter(nn.Module):
    """Counts training steps, for what is done only every few of them.

    The count is a number of Python: a buffer would lie on the device, and reading it every step
    would make the device wait. It is in ``state_dict`` (so in checkpoints) as extra state.

    Attributes:
        steps: Steps done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def reset_parameters(self) -> None:
        """Begin anew."""
        self.steps = 0

    def is_due(self, every: int) -> bool:
        """Whether what is done every so many steps, the first among them, is due now."""
        return self.steps % every == 0

    def get_extra_state(self) -> Tensor:
        """The count, int64."""
        return torch.tensor(self.steps)

    def set_extra_state(self, state: Tensor) -> None:
        """Take over a count."""
        self.steps = int(state)
