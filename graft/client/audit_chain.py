"""Checking the audit trail's chain of hashes without trusting the service that it came from.

The recipe is in ``docs/audit.md``, short enough to be written again by whoever does not want to
trust this program either.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gan_core.spec.errors import GraftError

BEGINNING = "0" * 64
_SEALED = ("prev_hash", "workspace_id", "number", "at", "actor", "action", "subject", "detail")
_FIELDS = frozenset({*_SEALED, "hash"})


@dataclass(frozen=True)
class Head:
    """The last line of a trail as it was at some time: what was noted of it elsewhere."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


def head_of(text: str) -> Head:
    """Read a head that was noted, ``NUMBER:HASH``.

    Raises:
        GraftError: ``head_unreadable``.
    """
    match = re.fullmatch(r"\s*(\d{1,15}):([0-9a-f]{64})\s*", text)
    if match is None:
        raise GraftError(
            "head_unreadable",
            "The head is not a number and a SHA-256 with a colon between them.",
            "Give it as `graft audit verify` has printed it: 1234:9f86d0…",
        )
    return Head(int(match[1]), match[2])


def verify_lines(lines: Iterable[bytes | str], noted: Head | None = None) -> Head:
    """Check a trail from its first line to its last.

    Every hash is computed anew. A line that was changed, put in, taken out or moved breaks the
    chain where it is. Lines cut off at the end, and a trail that was made anew from some line on,
    can be told only with a head that was noted before.

    Args:
        lines: One JSON object each, as ``GET /v1/audit/export`` has them.
        noted: What the trail's head was at some time.

    Returns:
        The trail's head, to be noted.

    Raises:
        GraftError: ``audit_broken``.
    """
    last = Head(0, BEGINNING)
    workspace_id = None
    for text in lines:
        line = _read(text, last.number + 1)
        if workspace_id is None:
            workspace_id = line["workspace_id"]
        if line["number"] != last.number + 1:
            raise _broken(last.number + 1, f"there is a line with the number {line['number']}")
        if line["workspace_id"] != workspace_id:
            raise _broken(line["number"], "it is of another workspace")
        if line["prev_hash"] != last.hash:
            raise _broken(line["number"], "it does not follow the line before it")
        if line["hash"] != seal_of(line):
            raise _broken(line["number"], "its hash is not that of what it says")
        last = Head(line["number"], line["hash"])
        if noted is not None and last.number == noted.number and last.hash != noted.hash:
            raise _broken(last.number, "it is not the line that was noted as the head")
    if noted is not None and last.number < noted.number:
        raise _broken(
            last.number + 1, f"the trail ends before the line {noted.number} that was noted"
        )
    return last


def seal_of(line: dict[str, Any]) -> str:
    """Return the hash that a line should have: of its other fields as a JSON array."""
    sealed = [line[name] for name in _SEALED]
    return hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest()


def _read(text: bytes | str, number: int) -> dict[str, Any]:
    try:
        line = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _broken(number, "it is no line of a trail, or only a part of one") from None
    # What is there beside what is sealed could say anything.
    if not isinstance(line, dict) or line.keys() != _FIELDS or type(line["number"]) is not int:
        raise _broken(number, "it has other fields than a line of a trail")
    return line


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_number(_: str) -> None:
    raise ValueError("not a number")


def _broken(number: int, why: str) -> GraftError:
    return GraftError(
        "audit_broken",
        f"The trail is broken at line {number}: {why}.",
        "Keep this copy and the service's database as they are, and compare them with older exports"
        " and backups.",
    )
