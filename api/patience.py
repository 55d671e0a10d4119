"""Asking something that may never answer, such as a database whose machine has frozen."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Silent(Exception):  # noqa: N818  # it is a state of what was asked, not an error of ours
    """It did not answer in time, or has not answered an earlier question yet."""


class Patience(Generic[T]):
    """Asks one question at a time, each in a thread of its own that may be left behind.

    Args:
        ask: The question; what it raises is raised to who asks.
        seconds: How long to wait for the answer. As long as a thread is still at it afterwards,
            whoever asks next is told so at once: threads must not pile up.
    """

    def __init__(self, ask: Callable[[], T], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._turn = threading.Lock()
        self._stuck: threading.Thread | None = None

    def __call__(self) -> T:
        """Return the answer.

        Raises:
            Silent: There is none.
        """
        with self._turn:
            if self._stuck is not None and self._stuck.is_alive():
                raise Silent
            answers: list[T] = []
            errors: list[Exception] = []

            def work() -> None:
                try:
                    answers.append(self._ask())
                except Exception as error:  # noqa: BLE001 - raised to who asked
                    errors.append(error)

            # A daemon: it must not keep the process from ending.
            context = contextvars.copy_context()
            self._stuck = threading.Thread(target=lambda: context.run(work), daemon=True)
            self._stuck.start()
            self._stuck.join(self._seconds)
            if errors:
                raise errors[0]
            if not answers:
                raise Silent
            return answers[0]
