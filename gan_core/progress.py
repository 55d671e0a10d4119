"""How long work tells the outside what it is doing, and how it is asked to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Progress:
    """One report of progress.

    Attributes:
        fraction: Share of the work that is done, in [0, 1].
        detail: What is being done, for a person ("infogan, 100 real, epoch 812/2000").
    """

    fraction: float
    detail: str


@dataclass(frozen=True)
class Notice:
    """Something that happened on the way and that is worth keeping, unlike progress.

    Attributes:
        text: A plain sentence, without names of files or classes: it is read in a log.
        level: "warning" for what went wrong and was mended.
    """

    text: str
    level: Literal["info", "warning"] = "info"


OnProgress = Callable[[Progress], None]
OnNotice = Callable[[Notice], None]
ShouldStop = Callable[[], bool]


class Stopped(Exception):  # noqa: N818 - not an error: the work ended because it was asked to
    """Raised by work that ended early because ``should_stop()`` said so.

    Whatever the work needs to go on later has been written before this is raised.
    """


def ignore_progress(_: Progress) -> None:
    """An ``on_progress`` for callers that do not want to know."""


def ignore_notice(_: Notice) -> None:
    """An ``on_notice`` for callers that do not want to know."""


def never_stop() -> bool:
    """A ``should_stop`` for callers that never interrupt."""
    return False


def part(on_progress: OnProgress, start: float, end: float) -> OnProgress:
    """Map the progress [0, 1] of one part of a work onto [start, end] of the whole."""

    def report(progress: Progress) -> None:
        on_progress(Progress(start + (end - start) * progress.fraction, progress.detail))

    return report


def if_slow(on_progress: OnProgress, seconds: float = 10.0) -> OnProgress:
    """Tell of a preparation only once it takes long.

    A work that goes on from a checkpoint would otherwise seem to have begun anew until it has found
    out how far it is.
    """
    began = time.monotonic()

    def report(progress: Progress) -> None:
        if time.monotonic() - began >= seconds:
            on_progress(progress)

    return report
