"""Every error is a problem document (RFC 9457)."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DataError, DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from gan_core.spec.errors import GraftError

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger("api")

_STATUS_OF_CODE = {"cursor_unknown": 400}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# As the file storage, PostgreSQL and SQLite say it.
_FULL_DISK = ("No space left", "disk is full")


class ProblemError(BaseModel):
    """One thing that is wrong with a request."""

    pointer: str
    """Where: a JSON pointer (RFC 6901) into the body, or ``query/limit``, ``header/…``."""
    detail: str


class ProblemDocument(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    type: str = Field(examples=["urn:graft:problem:real_count_too_large"])
    title: str
    """The status in words."""
    status: int
    detail: str
    """A sentence for the person."""
    instance: str
    """Names this one occurrence: the request's id, which the service's log holds too."""
    code: str
    """Stable and machine-readable; the last part of ``type``."""
    hint: str = ""
    """What to do next."""
    errors: list[ProblemError] = []
    """For a request that is not valid: each thing that is wrong with it."""


class Problem(Exception):  # noqa: N818  # RFC 9457's own word
    """Raised anywhere below an endpoint to answer with a problem document."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        hint: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint
        self.headers = dict(headers or {})
        self.extra = extra


def not_found(what: str) -> Problem:
    """Return the answer for an id that this workspace does not have."""
    return Problem(
        404, "not_found", f"There is no such {what}.", "Check the id, and whose key you use."
    )


def answer(request: Request, problem: Problem) -> Response:
    """Return a problem as a response."""
    document = {
        "type": f"urn:graft:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": f"urn:graft:request:{getattr(request.state, 'request_id', 'none')}",
        "code": problem.code,
        "hint": problem.hint,
        **problem.extra,
    }
    return Response(
        json.dumps(document),
        status_code=problem.status,
        headers={"Cache-Control": "no-store"} | problem.headers,
        media_type=MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Have every exception answered with a problem document (see also ``api.middleware``)."""

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> Response:
        return answer(request, error)

    @app.exception_handler(GraftError)
    async def on_graft_error(request: Request, error: GraftError) -> Response:
        status = _STATUS_OF_CODE.get(error.code, 422)
        return answer(request, Problem(status, error.code, error.detail, error.hint))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        if any(found["loc"] == ("body",) for found in error.errors()) and not _is_json(request):
            return answer(request, _not_json())
        return answer(request, _invalid(error))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers = {"Allow": _allowed(request)}
        return answer(request, _of_status(error.status_code, headers))

    @app.exception_handler(DBAPIError)
    async def on_database(request: Request, error: DBAPIError) -> Response:
        if isinstance(error, DataError):
            return answer(request, _unstorable())
        _log.error("database_failed", kind=type(error.orig).__name__, exc_info=error)
        if any(words in str(error.orig) for words in _FULL_DISK):
            return answer(request, _full())
        return answer(request, _unavailable("database_unavailable", "The database"))

    @app.exception_handler(OSError)
    async def on_storage(request: Request, error: OSError) -> Response:
        _log.error("storage_failed", errno=error.errno, exc_info=error)
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        if is_full or any(words in str(error) for words in _FULL_DISK):
            return answer(request, _full())
        return answer(request, _unavailable("storage_unavailable", "The file storage"))


def internal() -> Problem:
    """Return the answer for what nobody foresaw."""
    return Problem(
        500,
        "internal_error",
        "Something went wrong in the service.",
        "Try again. If it happens again, give its operator the `instance` of this answer.",
    )


def stopping() -> Problem:
    """Return the answer for what a stop of the service interrupts."""
    return Problem(
        503,
        "stopping",
        "The service is being stopped, and the request did not come to its end.",
        "Send it again when the service is back.",
        # What was not read of the body must not be taken for another request.
        headers={"Retry-After": "5", "Connection": "close"},
    )


def too_large() -> Problem:
    """Return the answer for a body that is larger than any spec could be."""
    return _of_status(413, {})


def _unavailable(code: str, what: str) -> Problem:
    return Problem(
        503, code, f"{what} does not answer.", "Try again soon.", headers={"Retry-After": "5"}
    )


def _full() -> Problem:
    return Problem(
        507,
        "storage_full",
        "The service's disk is full.",
        "Its operator has to free some space. Nothing of this request was kept.",
    )


def _unstorable() -> Problem:
    return Problem(
        422,
        "invalid_request",
        "The request holds text or a number that cannot be stored.",
        "Leave out control characters.",
    )


def _is_json(request: Request) -> bool:
    """Say whether a body claims to be JSON; none at all claims nothing else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = request.headers.get("content-length", "0") != "0" or (
        "transfer-encoding" in request.headers
    )
    return not has_body or kind == "application/json" or kind.endswith("+json")


def _not_json() -> Problem:
    return Problem(
        415,
        "media_type_unsupported",
        "The body is JSON, and has to say so.",
        "Send the header `Content-Type: application/json`.",
        headers={"Accept-Post": "application/json"},
    )


def _invalid(error: RequestValidationError) -> Problem:
    errors = []
    for found in error.errors():
        place, *path = found["loc"]
        if found["type"] == "json_invalid":
            path = []
        elif place == "body":
            path = _path_in(error.body, path, is_missing=found["type"] == "missing")
        tail = "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in path)
        pointer = tail if place == "body" else f"{place}{tail}"
        # What was sent is not sent back: it may be long, and it is no secret of ours to repeat.
        errors.append({"pointer": pointer, "detail": _sentence(found["msg"])})
    first = errors[0]
    return Problem(
        422,
        "invalid_request",
        f"The request is not valid: {first['pointer'] or 'the body'}: {first['detail']}.",
        "Mend what `errors` names; /docs describes every field.",
        errors=errors,
    )


def _sentence(message: object) -> str:
    """Return a finding without the name of the exception that carried it."""
    return str(message).removeprefix("Value error, ")


def _path_in(body: Any, path: list[str | int], *, is_missing: bool) -> list[str | int]:
    """Return a path without the parts that name a branch of a union and no place in the body."""
    found: list[str | int] = []
    for number, part in enumerate(path, 1):
        if isinstance(body, list) and isinstance(part, int):
            body = body[part]
        elif isinstance(body, dict) and (part in body or (is_missing and number == len(path))):
            body = body.get(part)
        else:
            continue
        found.append(part)
    return found


def _allowed(request: Request) -> str:
    """Return the methods that an address takes; the framework names those of its first route."""
    return ", ".join(
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    )


def _of_status(status: int, headers: Mapping[str, str]) -> Problem:
    texts = {
        400: ("bad_request", "The request could not be read.", "JSON is sent in UTF-8."),
        404: ("not_found", "There is nothing at this address.", "/docs lists every address."),
        405: (
            "method_not_allowed",
            "This address does not take that method.",
            "The header `Allow` names those that it takes.",
        ),
        413: ("too_large", "The request's body is too large.", ""),
    }
    phrase = HTTPStatus(status).phrase
    code, detail, hint = texts.get(status, (phrase.lower().replace(" ", "_"), f"{phrase}.", ""))
    return Problem(status, code, detail, hint, headers=headers)


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of these statuses as problem documents."""
    reference = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: reference}}
        for status in statuses
    }
