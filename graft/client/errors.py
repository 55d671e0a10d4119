"""What the service refuses, as an exception; RFC 9457 problem documents in."""

from __future__ import annotations

import json
from typing import Any

from gan_core.spec.errors import GraftError


class ApiError(GraftError):
    """The service refused a request, or could not be reached.

    Attributes:
        code: Stable, machine-readable ("real_count_too_large"); ``unreachable`` when there was
            no answer at all.
        detail: One sentence for the person.
        hint: What to do next; may be empty.
        status: HTTP status; 0 when there was no answer.
        title: The problem's kind in a few words.
        type: URI of the problem's kind; ``about:blank`` when there is none.
        problem: The whole problem document, with whatever else the service put there.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        hint: str = "",
        *,
        status: int = 0,
        title: str = "",
        type: str = "about:blank",  # noqa: A002 - the field's name in RFC 9457
        problem: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code, detail, hint)
        self.status = status
        self.title = title
        self.type = type
        self.problem = problem or {}

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.__dict__.copy(),))


def _rebuild(fields: dict[str, Any]) -> ApiError:
    return ApiError(**fields)


def unreachable(base_url: str, why: str) -> ApiError:
    """Return the error for a service that gave no answer."""
    return ApiError(
        "unreachable",
        f"The service at {base_url} does not answer: {why}.",
        "Start it with `graft serve`, or give its address with --url or GRAFT_URL.",
        title="No answer",
    )


def from_reply(status: int, body: bytes) -> ApiError:
    """Return the error for an answer of 400 or more, whatever its body holds."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        # Not from the service itself: a proxy in between, or another program on that port.
        return ApiError(
            f"http_{status}",
            f"The service answered with status {status} and no explanation.",
            "Is this the address of a Graft service?",
            status=status,
        )
    title = str(problem.get("title", ""))
    kind = str(problem.get("type", "about:blank"))
    code = problem.get("code") or kind.rstrip("/").rsplit("/", 1)[-1]
    return ApiError(
        f"http_{status}" if code == "about:blank" else str(code),
        str(problem.get("detail") or title or f"The service answered with status {status}."),
        str(problem.get("hint") or ""),
        status=status,
        title=title,
        type=kind,
        problem=problem,
    )
