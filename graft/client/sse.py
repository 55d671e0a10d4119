"""Server-sent events, as the WHATWG HTML standard (9.2.6) has them parsed."""

from __future__ import annotations

import json

from graft.client.models import Event


class EventParser:
    """Takes lines, gives events.

    Attributes:
        last_id: Id of the last event, for ``Last-Event-ID``.
        retry_seconds: How long to wait before connecting again.
    """

    def __init__(self, last_id: str | None = None) -> None:
        self.last_id = last_id
        self.retry_seconds = 1.0
        self._event = ""
        self._data: list[str] = []

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
            self.last_id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            self.retry_seconds = int(value) / 1000
        return None

    def _complete(self) -> Event | None:
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
