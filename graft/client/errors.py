"""What the service refuses, as exceptions; RFC 9457 problem documents in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gan_core.spec.errors import GraftError

_OF_REQUEST = "urn:graft:request:"


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
        request_id: By which the service's logs know the request; empty when there was no answer.
        retry_after: Seconds after which to try again, where the service said so.
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
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, detail, hint)
        self.status = status
        self.title = title
        self.type = type
        self.problem = problem or {}
        self.request_id = request_id
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.__dict__.copy()))


class InvalidError(ApiError):
    """400, 413, 415, 422: the request itself is wrong; sent again it will be again."""


class NotAuthenticatedError(ApiError):
    """401: there is no key, or it is not known, not valid any more, or revoked."""


class NotAllowedError(ApiError):
    """403: the key may not do that."""


class NotFoundError(ApiError):
    """404: there is no such thing in this workspace."""


class ConflictError(ApiError):
    """409: it does not fit how things stand now."""


class GoneError(ApiError):
    """410: the service does not keep it any more."""


class LimitReachedError(ApiError):
    """429: too much; ``retry_after`` says when there will be room."""


class UnavailableError(ApiError):
    """5xx, or no answer: nothing is wrong with the request."""


class UnreachableError(UnavailableError):
    """There was no answer at all."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidError,
    401: NotAuthenticatedError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
    429: LimitReachedError,
}


def _rebuild(kind: type[ApiError], fields: dict[str, Any]) -> ApiError:
    return kind(**fields)


def unreachable(base_url: str, why: str) -> UnreachableError:
    """Return the error for a service that gave no answer."""
    return UnreachableError(
        "unreachable",
        f"The service at {base_url} does not answer: {why.rstrip('.')}.",
        "Start it with `graft serve`, or give its address with --url or GRAFT_URL.",
        title="No answer",
    )


def from_reply(status: int, body: bytes, headers: Mapping[str, str]) -> ApiError:
    """Return the error for an answer of 400 or more, whatever its body holds."""
    kind = _BY_STATUS.get(status, UnavailableError if status >= 500 else ApiError)
    request_id = headers.get("x-request-id", "")
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        # Not from the service itself: a proxy in between, or another program on that port.
        return kind(
            f"http_{status}",
            f"The service answered with status {status} and no explanation.",
            "Is this the address of a Graft service?",
            status=status,
            request_id=request_id,
            retry_after=retry_after(headers),
        )
    title = str(problem.get("title", ""))
    uri = str(problem.get("type", "about:blank"))
    code = problem.get("code") or uri.rstrip("/").rsplit("/", 1)[-1]
    instance = str(problem.get("instance", ""))
    if not request_id and instance.startswith(_OF_REQUEST):
        request_id = instance.removeprefix(_OF_REQUEST)
    return kind(
        f"http_{status}" if code == "about:blank" else str(code),
        str(problem.get("detail") or title or f"The service answered with status {status}."),
        str(problem.get("hint") or ""),
        status=status,
        title=title,
        type=uri,
        problem=problem,
        request_id=request_id,
        retry_after=retry_after(headers),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3), or None."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
