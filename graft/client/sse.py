"""Server-sent events, as the WHATWG HTML standard (9.2.6) has them parsed, and followed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import httpx

from graft.client.calls import Calls, id_of
from graft.client.errors import from_reply, unreachable
from graft.client.flow import Flow, Reply, Send, is_worth_another_try, reliably
from graft.client.models import (
    TERMINAL_JOB_STATES,
    Event,
    Job,
)

# Not str.splitlines(): it also cuts at characters that JSON may hold as they are.
_END = re.compile(rb"\r\n|\n|\r")


class EventParser:
    """Takes what arrives, gives events.

    Attributes:
        last_id: Id of the last event, for ``Last-Event-ID``.
        retry_seconds: How long to wait before connecting again.
    """

    def __init__(self, last_id: str | None = None) -> None:
        self.last_id = last_id
        self.retry_seconds = 1.0
        self.reset()

    def reset(self) -> None:
        """Forget what the end of a connection has cut off: an event counts when it is whole."""
        self._id = self.last_id
        self._event = ""
        self._data: list[str] = []
        self._rest = b""

    def take(self, chunk: bytes) -> list[Event]:
        """Take some bytes; return the events that they complete."""
        text = self._rest + chunk
        # A CR at the end may be half of a CR LF.
        held = b"\r" if text.endswith(b"\r") else b""
        *lines, rest = _END.split(text.removesuffix(held))
        self._rest = rest + held
        found = [self.feed(line.decode(errors="replace")) for line in lines]
        return [event for event in found if event is not None]

    def feed(self, line: str) -> Event | None:
        """Take one line without its end; return the event that it completes, if it does."""
        if line == "":
            return self._complete()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._event = value
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            self.retry_seconds = int(value) / 1000
        return None

    def _complete(self) -> Event | None:
        self.last_id = self._id
        text, name = "\n".join(self._data), self._event or "message"
        self._data, self._event = [], ""
        if not text:
            return None
        try:
            data = json.loads(text)
        except ValueError:
            data = {"text": text}
        if not isinstance(data, dict):
            data = {"value": data}
        return Event(id=self.last_id, event=name, data=data)

    def headers(self) -> dict[str, str]:
        """Return the headers of a (new) connection."""
        headers = {"Accept": "text/event-stream"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        return headers


class EventWatch:
    """Follows a job's events over as many connections as it takes; both clients drive it.

    Attributes:
        job_id: Whose.
        path: Where they are.
        is_over: Whether the job's last event was seen.
    """

    def __init__(self, calls: Calls, job: Job | str, last_event_id: str | None) -> None:
        self.job_id = id_of(job)
        self.path = f"/v1/jobs/{self.job_id}/events"
        self.is_over = False
        self._calls = calls
        self._patience = calls.patience.for_long()
        self._parser = EventParser(last_event_id)
        self._in_vain = 0
        self._was_over = False

    def connecting(self) -> dict[str, str]:
        """Begin a connection; return its headers."""
        self._parser.reset()
        return self._parser.headers()

    def take(self, chunk: bytes) -> list[Event]:
        """Take some bytes; return the events that they complete."""
        events = []
        for event in self._parser.take(chunk):
            self._in_vain = 0
            events.append(event)
            if event.data.get("status") in TERMINAL_JOB_STATES:
                self.is_over = True
                break
        return events

    def ended(self) -> None:
        """Note that a connection has ended well: of a job that is over, that was all."""
        self.is_over = self.is_over or self._was_over

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Note a refusal.

        Raises:
            ApiError: It would be the same next time, or was too often.
        """
        self._in_vain += 1
        request = Send("GET", self.path)
        is_lasting = not is_worth_another_try(request, Reply(status, headers, body))
        if is_lasting or self._in_vain > self._patience.retries:
            raise from_reply(status, body, headers)

    def broke(self, error: httpx.TransportError) -> None:
        """Note that a connection broke, or there was none.

        Raises:
            ApiError: It was too often in a row.
        """
        self._in_vain += 1
        if self._in_vain > self._patience.retries:
            raise unreachable(self._calls.base_url, str(error) or type(error).__name__) from error

    def standing(self) -> Flow[Job]:
        """Return the job as it stands."""
        request = Send("GET", f"/v1/jobs/{self.job_id}")
        reply = yield from reliably(request, self._patience, self._calls.base_url)
        return self._calls.parse(Job, reply)

    def pause(self, job: Job) -> float:
        """Return the seconds before the next connection, with the job as it stands.

        One that is over has events yet that were not seen: the last one at least.
        """
        self._was_over = job.is_over
        if self._in_vain:
            return self._patience.wait(self._in_vain - 1)
        return 0.0 if job.is_over else self._parser.retry_seconds
