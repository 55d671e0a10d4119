"""What a child's end means: done, failed for good, worth another try, or handed back."""

from __future__ import annotations

import errno
import json
import math
import re
import signal
from dataclasses import dataclass
from typing import Any

from store.records import Output, StepError
from worker.child import ChildEnd, EndReason
from worker.inputs import DigestMismatchError, InputMissingError

EXIT_DONE = 0
EXIT_FAILED = 3
EXIT_STOPPED = 4
EXIT_OVERTIME = 5
_SIGKILLED = -9
_FULL = (errno.ENOSPC, errno.EDQUOT)

_OUT_OF_MEMORY = re.compile(
    r"\b(OutOfMemoryError|MemoryError|out of memory|can't allocate|\w+_ALLOC_FAILED)\b"
)
# The last is NumPy's: a write that was cut short, without an error number.
_DISK_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|OSError: \d+ requested and \d+ written"
)

OUT_OF_MEMORY = StepError(
    "out_of_memory",
    "There was not enough memory for this step.",
    "Ask for fewer or smaller images, or run the worker where there is more memory.",
)
DISK_FULL = StepError(
    "disk_full",
    "There was no room left on the worker's disk.",
    "Free some space where the worker keeps its data, then submit the job again.",
)
CRASHED = StepError(
    "crashed",
    "The program that carries out this step ended unexpectedly.",
    "The worker's log says where. If it happens again with the same job, report it.",
)
SILENT = StepError(
    "silent",
    "The program that carries out this step did nothing that could be seen for a long time, and was"
    " ended.",
    "The worker's log says where it was. Raise GRAFT_SILENCE_SECONDS if the machine is that slow.",
)
INPUT_MISSING = StepError(
    "input_missing",
    "A file that this step reads is not in the object store any more.",
    "Was something deleted there? Upload the data set again, and submit the job with it.",
)
DIGEST_MISMATCH = StepError(
    "upload_digest_mismatch",
    "The upload's parts together have another SHA-256 than was said.",
    "Something was damaged on the way, or the file was changed meanwhile: upload it again.",
)
STORAGE_SILENT = StepError(
    "storage_unavailable",
    "The worker could not read or write the step's files.",
    "Look whether the object store answers (`graft doctor`), then submit the job again.",
)
OVERTIME = StepError(
    "ingest_time",
    "Reading the data set took longer than this service allows, and had to be ended.",
    "An image in it may be made to do harm. Send fewer or smaller images, or ask the service's"
    " operator to raise GRAFT_INGEST_MAX_SECONDS.",
)
INTERRUPTED = StepError(
    "interrupted",
    "Something stopped the step from outside.",
    "Submit the job again; what is finished is reused.",
)


@dataclass(frozen=True)
class Done:
    """The step has its outputs."""

    outputs: list[Output]


@dataclass(frozen=True)
class Failed:
    """The step failed.

    Attributes:
        error: For the person who asked.
        is_retryable: Whether another try may go better.
        pause_seconds: See ``StepLedger.fail``.
    """

    error: StepError
    is_retryable: bool
    pause_seconds: float = 0.0


@dataclass(frozen=True)
class Ended:
    """We ended the step ourselves."""

    reason: EndReason


@dataclass(frozen=True)
class Unfit:
    """This worker cannot carry out such steps, and another may: the step is handed back."""

    error: StepError


Outcome = Done | Failed | Ended | Unfit

# Others may free what they took meanwhile; and no step is begun until there is room (store.room).
_DISK_WAS_FULL = Failed(DISK_FULL, is_retryable=True, pause_seconds=15.0)
_OF_THE_DISK = ("disk_full", "checkpoint_not_written", "zip_not_written")
_OF_THE_WORKER = ("no_gpu", "weights_mismatch")
_STORAGE_PAUSE = 5.0
_CRASH_PAUSE = 10.0
_LARGEST_EVIDENCE = 200_000


def outcome_of(end: ChildEnd) -> Outcome:
    """Read a child's end.

    A child that finished in spite of being asked to end has finished: its outputs are good.
    """
    if end.returncode == EXIT_DONE and end.outputs is not None:
        return Done([Output(**output) for output in end.outputs])
    if end.returncode == EXIT_FAILED and end.failure is not None:
        return _explained(end.failure)
    if end.asked is EndReason.SILENT:
        return Failed(SILENT, is_retryable=True)
    if end.asked is not None:
        return Ended(end.asked)
    return _unexplained(end)


def _explained(failure: dict[str, Any]) -> Failed | Unfit:
    error = StepError(
        str(failure.get("code", "failed")),
        str(failure.get("detail", "")),
        str(failure.get("hint", "")),
        _evidence(failure.get("evidence")),
    )
    if error.code in _OF_THE_WORKER:
        return Unfit(error)
    if error.code in _OF_THE_DISK:
        return _DISK_WAS_FULL
    return Failed(error, is_retryable=False)


def _evidence(given: Any) -> dict[str, Any] | None:
    """Return what a database and a report can hold of a child's evidence.

    The last loss of a training that diverged is no number, and JSON has no name for that.
    """
    if not isinstance(given, dict):
        return None
    cleaned: dict[str, Any] = _cleaned(given)
    return cleaned if len(json.dumps(cleaned)) <= _LARGEST_EVIDENCE else None


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.replace("\0", "") if isinstance(value, str) else value


def _unexplained(end: ChildEnd) -> Failed:
    if end.returncode == EXIT_STOPPED:
        return Failed(INTERRUPTED, is_retryable=True)
    if end.returncode in (EXIT_OVERTIME, -signal.SIGXCPU):
        # The limits of gan_core.steps.limits, which only the reading of an upload has.
        return Failed(OVERTIME, is_retryable=False)
    last_words = "\n".join(end.stderr_tail)
    if end.returncode == _SIGKILLED or _OUT_OF_MEMORY.search(last_words):
        # The kernel's out-of-memory killer sends SIGKILL, and nobody else here does.
        return Failed(OUT_OF_MEMORY, is_retryable=True)
    if _DISK_FULL.search(last_words):
        return _DISK_WAS_FULL
    return Failed(CRASHED, is_retryable=True, pause_seconds=_CRASH_PAUSE)


def failure_of(error: Exception) -> Failed:
    """Read what went wrong on our own side, before or after the child."""
    if isinstance(error, DigestMismatchError):
        return Failed(DIGEST_MISMATCH, is_retryable=False)
    if isinstance(error, InputMissingError):
        return Failed(INPUT_MISSING, is_retryable=True)
    if _DISK_FULL.search(str(error)) or getattr(error, "errno", None) in _FULL:
        return _DISK_WAS_FULL
    if isinstance(error, OSError):
        return Failed(STORAGE_SILENT, is_retryable=True, pause_seconds=_STORAGE_PAUSE)
    return Failed(CRASHED, is_retryable=True)
