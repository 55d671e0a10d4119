"""What a child's end means."""

from __future__ import annotations

import errno
import signal
from collections import deque

import pytest

from gan_core.steps import limits
from store.records import Output
from worker.child import ChildEnd, EndReason
from worker.inputs import DigestMismatchError, InputMissingError
from worker.outcome import EXIT_OVERTIME, Done, Ended, Failed, failure_of, outcome_of

FILE = {"name": "a", "kind": "internal", "media_type": "text/plain", "size": 1, "sha256": "00"}


def test_exit_0_with_a_done_line_is_done() -> None:
    assert outcome_of(ChildEnd(returncode=0, outputs=[FILE])) == Done([Output(**FILE)])


def test_a_child_that_finished_although_it_was_asked_to_stop_is_done() -> None:
    end = ChildEnd(returncode=0, outputs=[FILE], asked=EndReason.SHUTDOWN)
    assert isinstance(outcome_of(end), Done)


def test_exit_0_without_a_done_line_is_a_crash() -> None:
    outcome = outcome_of(ChildEnd(returncode=0))
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.is_retryable) == ("crashed", True)


def test_what_a_person_can_mend_is_passed_on_and_not_tried_again() -> None:
    failure = {"event": "failed", "code": "diverged", "detail": "It diverged.", "hint": "Wait."}
    outcome = outcome_of(ChildEnd(returncode=3, failure=failure))
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.error.hint) == ("diverged", "Wait.")
    assert not outcome.is_retryable


@pytest.mark.parametrize("reason", [EndReason.CANCELLED, EndReason.LOST, EndReason.SHUTDOWN])
def test_a_child_that_we_ended_is_no_failure(reason: EndReason) -> None:
    assert outcome_of(ChildEnd(returncode=-9, asked=reason)) == Ended(reason)


def test_a_step_that_fell_silent_is_worth_another_try() -> None:
    outcome = outcome_of(ChildEnd(returncode=4, asked=EndReason.SILENT))
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.is_retryable) == ("silent", True)


@pytest.mark.parametrize(
    ("returncode", "last_words", "code", "is_retryable"),
    [
        (-9, "", "out_of_memory", True),
        (1, "torch.OutOfMemoryError: CUDA out of memory.", "out_of_memory", True),
        (1, "OSError: [Errno 28] No space left on device", "disk_full", True),
        (1, "OSError: 967680 requested and 835456 written", "disk_full", True),
        (1, "ZeroDivisionError: division by zero", "crashed", True),
        (-11, "", "crashed", True),
        (4, "", "interrupted", True),
    ],
)
def test_an_unexplained_end_has_a_reason_that_a_person_can_act_on(
    returncode: int, last_words: str, code: str, is_retryable: bool
) -> None:
    end = ChildEnd(returncode=returncode, stderr_tail=deque(last_words.splitlines()))
    outcome = outcome_of(end)
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.is_retryable) == (code, is_retryable)
    assert outcome.error.hint
    assert "Error" not in outcome.error.detail


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputMissingError("train.npy"), "input_missing"),
        (OSError(errno.ENOSPC, "full"), "disk_full"),
        (OSError("Generic S3 error"), "storage_unavailable"),
        (RuntimeError("a bug"), "crashed"),
    ],
)
def test_our_own_troubles_have_reasons_too(error: Exception, code: str) -> None:
    assert failure_of(error).error.code == code


@pytest.mark.parametrize("returncode", [EXIT_OVERTIME, -signal.SIGXCPU])
def test_a_reading_that_had_to_be_ended_for_its_time_is_not_tried_again(returncode: int) -> None:
    outcome = outcome_of(ChildEnd(returncode=returncode))
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.is_retryable) == ("ingest_time", False)
    assert EXIT_OVERTIME == limits.EXIT_OVERTIME


def test_an_upload_that_is_not_what_was_said_is_not_tried_again() -> None:
    outcome = failure_of(DigestMismatchError("upload.zip"))
    assert (outcome.error.code, outcome.is_retryable) == ("upload_digest_mismatch", False)
