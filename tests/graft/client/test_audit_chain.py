"""A trail that was tampered with in any way is told from one that is whole."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from gan_core.spec.errors import GraftError
from graft.client.audit_chain import BEGINNING, Head, head_of, seal_of, verify_lines


def trail(count: int, actor: str = "key_a") -> Iterator[bytes]:
    """A trail as it is exported."""
    prev_hash = BEGINNING
    for number in range(1, count + 1):
        line: dict[str, Any] = {
            "workspace_id": "ws_1",
            "number": number,
            "at": "2026-11-28T12:00:00.000001+00:00",
            "actor": actor,
            "action": "artifact.download",
            "subject": f"art_{number}",
            "detail": {"sha256": "a" * 64, "größe": 3},
            "prev_hash": prev_hash,
        }
        prev_hash = line["hash"] = seal_of(line)
        yield json.dumps(line, ensure_ascii=False).encode() + b"\n"


def changed(line: bytes, *, sealed: bool = False, **changes: Any) -> bytes:
    made = json.loads(line) | changes
    if sealed:
        made["hash"] = seal_of(made)
    return json.dumps(made).encode()


LINES = list(trail(6))


def broken_at(lines: list[bytes], noted: Head | None = None) -> int:
    with pytest.raises(GraftError) as raised:
        verify_lines(lines, noted)
    assert raised.value.code == "audit_broken"
    return int(raised.value.detail.split("line ")[1].split(":")[0])


def test_a_whole_trail_has_a_head_and_an_empty_one_has_one_too() -> None:
    head = verify_lines(LINES)
    assert head == Head(6, json.loads(LINES[-1])["hash"])
    assert head_of(str(head)) == head
    assert verify_lines(LINES, Head(3, json.loads(LINES[2])["hash"])) == head
    assert verify_lines([]) == Head(0, BEGINNING)


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": "key_b"},
        {"at": "2026-11-28T12:00:00.000002+00:00"},
        {"action": "job.submit"},
        {"subject": "art_9"},
        {"detail": {}},
        {"workspace_id": "ws_2"},
        {"hash": "f" * 64},
        {"prev_hash": "f" * 64},
        {"number": 4},
        {"number": 3.0},
        {"number": True},
        {"note": "put in"},
    ],
)
def test_a_changed_line_is_found_where_it_is(changes: dict[str, Any]) -> None:
    lines = list(LINES)
    lines[2] = changed(lines[2], **changes)
    assert broken_at(lines) == 3
    # With its own hash made to fit, too, the next line does not follow it any more.
    if not {"hash", "note"} & changes.keys():
        lines[2] = changed(LINES[2], sealed=True, **changes)
        assert broken_at(lines) in {3, 4}


def test_a_line_that_was_removed_put_in_doubled_or_moved_is_found() -> None:
    one, two, three, four, *rest = LINES
    assert broken_at([one, three, four, *rest]) == 2
    assert broken_at([two, three]) == 1
    assert broken_at([one, two, two, three, four, *rest]) == 3
    assert broken_at([one, three, two, four, *rest]) == 2
    forged = changed(two, sealed=True, subject="art_x", prev_hash=json.loads(two)["hash"], number=3)
    assert broken_at([one, two, forged, three]) == 4


def test_a_tail_that_was_cut_off_is_found_with_a_head_that_was_noted() -> None:
    noted = verify_lines(LINES)
    assert verify_lines(LINES[:4]).number == 4  # nothing in it tells
    assert broken_at(LINES[:4], noted) == 5
    assert broken_at([], noted) == 1


def test_a_trail_that_was_made_anew_is_found_with_a_head_that_was_noted() -> None:
    noted = Head(4, json.loads(LINES[3])["hash"])
    anew = list(trail(8, actor="key_b"))
    assert verify_lines(anew).number == 8  # nothing in it tells
    assert broken_at(anew, noted) == 4
    # Cut off and made longer again.
    assert broken_at([*LINES[:3], changed(LINES[3], sealed=True, actor="x")], noted) == 4


@pytest.mark.parametrize(
    "line",
    [
        LINES[2][:50],
        b"",
        b"\n",
        b"null",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        LINES[2].replace(b'"number": 3', b'"number": 9, "number": 3'),
        LINES[2].replace(b'"number": 3', b'"number": NaN'),
    ],
)
def test_what_is_no_line_is_found(line: bytes) -> None:
    assert broken_at([*LINES[:2], line, *LINES[3:]]) == 3


@pytest.mark.parametrize(
    "text", ["", "3", "x:y", f"-1:{'a' * 64}", f"3:{'A' * 64}", f"3:{'a' * 63}"]
)
def test_a_head_that_was_noted_wrongly_is_refused(text: str) -> None:
    with pytest.raises(GraftError) as raised:
        head_of(text)
    assert raised.value.code == "head_unreadable"


def test_many_lines_are_verified_in_flat_memory() -> None:
    verify_lines(trail(100))
    tracemalloc.start()
    started = time.perf_counter()
    verify_lines(trail(20_000))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert time.perf_counter() - started < 60
