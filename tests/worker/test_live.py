"""What a training shows on its way to the object store, and who may write there."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from store.live import attempt_prefix
from store.objects import Objects
from store.records import ClaimedStep
from worker.live import LiveCourier

STEP = ClaimedStep(
    id="step_1",
    job_id="job_1",
    workspace_id="ws_1",
    dataset_id="ds_1",
    name="train:infogan:10:s0",
    kind="train",
    queue="gpu",
    key="k",
    params={},
    attempt=1,
    token="t",
    output_prefix="workspaces/ws_1/steps/step_1/1-t/",
    inputs={},
    step_keys={},
    dataset=None,
    job_created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
HOME = "workspaces/ws_1/live/step_1"


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects((tmp_path / "objects").as_uri())


@pytest.fixture
def live(tmp_path: Path) -> Path:
    folder = tmp_path / "step" / "live"
    folder.mkdir(parents=True)
    return folder


def courier(objects: Objects, live: Path, attempt: int = 1, kind: str = "train") -> LiveCourier:
    step = replace(STEP, attempt=attempt, kind=kind)
    return LiveCourier(objects, step, live.parent, interval_seconds=0.05)


def there(objects: Objects) -> list[str]:
    return sorted(key.removeprefix(f"{HOME}/") for key in objects.list(f"{HOME}/"))


def content(objects: Objects, key: str) -> bytes:
    return b"".join(objects.iterate(f"{HOME}/{key}"))


def test_what_has_changed_is_copied_and_what_was_taken_back_is_removed(
    objects: Objects, live: Path
) -> None:
    sender = courier(objects, live)
    assert sender.send() == 0
    (live / "snapshot-000000.png").write_bytes(b"first")
    (live / "snapshot-000001.png").write_bytes(b"second")
    (live / "course.json").write_bytes(b"{}")
    (live / ".course.json.part").write_bytes(b"half")
    assert sender.send() == 3
    assert sender.send() == 0
    (live / "course.json").write_bytes(b'{"a":1}')
    assert sender.send() == 1
    assert content(objects, "000001/course.json") == b'{"a":1}'
    (live / "snapshot-000001.png").unlink()
    assert sender.send() == 0
    assert there(objects) == ["000001/course.json", "000001/snapshot-000000.png"]


def test_the_course_goes_after_the_sheets_that_it_speaks_of(
    objects: Objects, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    put = objects.put_file

    def noting(key: str, *rest: Any) -> None:
        sent.append(key)
        put(key, *rest)

    monkeypatch.setattr(objects, "put_file", noting)
    for name in ("course.json", "snapshot-000000.png", "snapshot-000001.png"):
        (live / name).write_bytes(b"x")
    courier(objects, live).send()
    assert [key.rsplit("/", 1)[1] for key in sent][-1] == "course.json"


def test_a_later_attempt_takes_the_place_of_an_earlier_one_and_never_the_other_way(
    objects: Objects, live: Path
) -> None:
    (live / "snapshot-000000.png").write_bytes(b"x")
    (live / "course.json").write_bytes(b"of the first")
    first = courier(objects, live)
    first.send()
    (live / "course.json").unlink()
    second = courier(objects, live, attempt=2)
    second.send()
    # It has no course yet, so what the first has shown is still there to be seen.
    assert "000001/course.json" in there(objects)
    (live / "course.json").write_bytes(b"of the second")
    second.send()
    assert there(objects) == ["000002/course.json", "000002/snapshot-000000.png"]
    # The first one was thought dead, and comes back.
    (live / "course.json").write_bytes(b"of the first, late")
    first.send()
    assert content(objects, "000002/course.json") == b"of the second"
    assert attempt_prefix("ws_1", "step_1", 2) > attempt_prefix("ws_1", "step_1", 1)


@pytest.mark.parametrize("is_ours", [True, False])
def test_the_last_state_is_sent_by_who_still_has_the_step(
    objects: Objects, live: Path, *, is_ours: bool
) -> None:
    sender = LiveCourier(objects, STEP, live.parent, interval_seconds=600)
    sender.start()
    (live / "course.json").write_bytes(b"the end")
    sender.stop(looks_again=is_ours)
    assert there(objects) == (["000001/course.json"] if is_ours else [])


def test_it_copies_by_itself_and_bears_a_store_that_fails(
    objects: Objects, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, failures = objects.put_file, iter([True, True])

    def failing(*given: object) -> None:
        if next(failures, False):
            raise OSError("the store is away")
        put(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(objects, "put_file", failing)
    (live / "course.json").write_bytes(b"x")
    sender = courier(objects, live)
    sender.start()
    until = time.monotonic() + 20
    while not there(objects) and time.monotonic() < until:
        time.sleep(0.02)
    sender.stop(looks_again=True)
    assert there(objects) == ["000001/course.json"]


def test_a_step_that_shows_nothing_is_not_looked_at(objects: Objects, live: Path) -> None:
    (live / "course.json").write_bytes(b"x")
    sender = courier(objects, live, kind="report")
    sender.start()
    sender.stop(looks_again=True)
    assert there(objects) == []


def test_what_was_shown_is_forgotten_of_all_attempts(objects: Objects, live: Path) -> None:
    (live / "course.json").write_bytes(b"x")
    courier(objects, live).send()
    courier(objects, live, attempt=2).send()
    courier(objects, live, attempt=2).forget()
    assert there(objects) == []


def test_what_the_attempt_before_left_stays_until_the_next_has_a_course(
    objects: Objects, live: Path
) -> None:
    for name in ("snapshot-000000.png", "course.json"):
        (live / name).write_bytes(b"of the first")
    sender = courier(objects, live, attempt=2)
    assert sender.send() == 2
    # The child begins again, and has nothing to show yet.
    for path in live.iterdir():
        path.unlink()
    (live / "snapshot-000000.png").write_bytes(b"of the second")
    assert sender.send() == 0
    assert content(objects, "000002/course.json") == b"of the first"
    assert content(objects, "000002/snapshot-000000.png") == b"of the first"
    (live / "course.json").write_bytes(b"of the second")
    assert sender.send() == 2
    assert content(objects, "000002/course.json") == b"of the second"
