"""What a step's child has to tell, on its way into the job's log.

From a thread: a database that does not answer must not keep anyone from listening to the child, and
a line that cannot be written is worth less than the step.
"""

from __future__ import annotations

import contextvars
import threading
import time
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from store.database import Database
from store.graph import lock_job
from store.job_log import Told, note_all
from store.page_tables import LogLevel
from store.records import ClaimedStep
from store.step_tables import Step
from worker.telling import without_names

log = structlog.get_logger(__name__)

MOST_LINES = 200
"""Of one attempt."""
_BATCH_SECONDS = 0.5
_RETRY_SECONDS = 5.0
_LONGEST_FAREWELL = 5.0


class StepLog:
    """Writes lines about one attempt at a step, in order, within about a second.

    Args:
        database: Where to.
        step: As claimed.
    """

    def __init__(self, database: Database, step: ClaimedStep) -> None:
        self._database = database
        self._step = step
        self._told = 0
        self._waiting: list[tuple[float, str, LogLevel]] = []
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._ending = threading.Event()
        # With the ids of the step that its log lines carry.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=lambda: context.run(self._keep), name="step-log", daemon=True
        )

    def tell(self, text: str, level: LogLevel = "info") -> None:
        """Have a line written; returns at once."""
        with self._lock:
            self._told += 1
            if self._told > MOST_LINES:
                return
            if self._told == MOST_LINES:
                text, level = "There was more to tell of this attempt than is kept.", "warning"
            self._waiting.append((time.monotonic(), text, level))
            if not self._thread.ident:
                self._thread.start()
        self._news.set()

    def notice(self, text: str, level: LogLevel) -> None:
        """Have a child's notice written, without names from the upload."""
        for line in without_names([text], self._step):
            self.tell(line, level)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._news.set()
        if self._thread.ident:
            self._thread.join(timeout=_LONGEST_FAREWELL)

    def _keep(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            is_last = self._ending.wait(_BATCH_SECONDS)
            while not self._try_to_write() and not is_last:
                is_last = self._ending.wait(_RETRY_SECONDS)
            if is_last:
                # What was told between the last write and the end.
                self._try_to_write()
                return

    def _try_to_write(self) -> bool:
        with self._lock:
            waiting = list(self._waiting)
        if not waiting:
            return True
        now = time.monotonic()
        lines = [Told(text, level, now - told_at) for told_at, text, level in waiting]
        try:
            self._write(lines)
        except (SQLAlchemyError, OSError) as error:
            log.warning("log_lines_not_written", reason=type(error).__name__)
            return False
        with self._lock:
            del self._waiting[: len(waiting)]
        return True

    def _write(self, lines: list[Told]) -> None:
        with self._database.write() as session:
            if lock_job(session, self._step.job_id) is None:  # deleted, and its lines with it
                return
            step = session.get(Step, self._step.id)
            if step is not None:
                note_all(session, step, self._step.attempt, lines)
