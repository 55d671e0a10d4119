"""The states of one training that can be gone back to: checkpoints by time, and the last milestone.

A milestone is a state that was judged and found healthy, after a set share of the epochs. It stays
in memory until the next checkpoint is due, and is written just before it; so milestones cost no
more writing than checkpoints may, and no checkpoint on the disk is without the milestone it would
be rolled back to.
"""

from __future__ import annotations

from pathlib import Path

from gan_core.training.checkpoint import (
    Checkpoint,
    delete_checkpoints,
    load_checkpoint,
    load_milestone,
    save_checkpoint,
    save_milestone,
)
from gan_core.training.run import Run
from gan_core.training.timing import CheckpointTimer


class Keeper:
    """Keeps one training's states.

    Args:
        directory: Where they lie; None keeps a milestone in memory and nothing else.
        identity: Of the training; see ``config.training_identity``.
        timer: When a checkpoint is due.
    """

    def __init__(self, directory: Path | None, identity: str, timer: CheckpointTimer) -> None:
        self._directory, self._identity, self._timer = directory, identity, timer
        # Not yet on the disk.
        self._milestone: Checkpoint | None = None

    def newest(self) -> Checkpoint | None:
        """The state that is furthest on; None where there is none.

        Raises:
            GraftError: checkpoint_mismatch, when what lies here is of another training.
        """
        checkpoint = None
        if self._directory is not None:
            checkpoint = load_checkpoint(self._directory, self._identity)
        milestone = self.milestone()
        # Of the same step, the checkpoint knows more: that it was gone back to, perhaps.
        if checkpoint is None or (milestone is not None and milestone.step > checkpoint.step):
            return milestone
        return checkpoint

    def milestone(self) -> Checkpoint | None:
        """The last healthy milestone, if any.

        Raises:
            GraftError: checkpoint_mismatch.
        """
        if self._milestone is not None or self._directory is None:
            return self._milestone
        return load_milestone(self._directory, self._identity)

    def keep_milestone(self, run: Run) -> None:
        """Take the run's state as the new milestone."""
        self._milestone = run.checkpoint(self._identity).copied()

    def save_if_due(self, run: Run) -> None:
        """Write a checkpoint when it is time to.

        Raises:
            GraftError: checkpoint_not_written.
        """
        if self._directory is not None and self._timer.is_due():
            self.save(run)

    def save(self, run: Run) -> None:
        """Write a checkpoint now, whatever the clock says; nothing without a folder.

        A spoiled state is kept like any other: it is found spoiled where an undisturbed training
        would find it, and rolled back from there.

        Raises:
            GraftError: checkpoint_not_written.
        """
        if self._directory is None:
            return
        with self._timer.saving():
            if self._milestone is not None:
                save_milestone(self._directory, self._milestone)
                self._milestone = None
            save_checkpoint(self._directory, run.checkpoint(self._identity))

    def forget_checkpoints(self) -> None:
        """Delete what was kept after the milestone, for it leads to where nobody wants to go.

        Raises:
            GraftError: checkpoint_not_written.
        """
        if self._directory is None:
            return
        if self._milestone is not None:
            save_milestone(self._directory, self._milestone)
            self._milestone = None
        delete_checkpoints(self._directory)
