"""A child that is started ahead of its step."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.child import ChildEnd, run_child
from worker.outcome import EXIT_FAILED, EXIT_STOPPED
from worker.priority import NICENESS
from worker.ready import ReadyChild, code_stamp
from worker.starting import child_environment


@pytest.fixture
def ready() -> Iterator[ReadyChild]:
    made = ReadyChild(child_environment(os.environ, None))
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A step that a child can read, and fails at in a way that is told."""
    step = {"name": "s", "kind": "unheard-of", "key": "k", "params": {}, "inputs": {}}
    settings = {"device": "cpu", "cache_dir": str(tmp_path / "cache")}
    (tmp_path / "step.json").write_text(json.dumps(step | {"settings": settings}))
    (tmp_path / "tmp").mkdir()
    return tmp_path


def carried_out(ready: ReadyChild, folder: Path, *, gives_way: bool = True) -> ChildEnd:
    """What becomes of the step when a forked child carries it out."""
    started = ready.take(folder, gives_way=gives_way)
    assert started is not None
    return run_child(
        ["no such program"],
        cwd=folder,
        env={},
        end_reason=lambda: None,
        on_progress=lambda *_: None,
        grace_seconds=5.0,
        started=started,
    )


def test_each_step_has_a_child_of_its_own_from_one_process_that_has_loaded_everything(
    ready: ReadyChild, folder: Path
) -> None:
    ready.prepare()
    ready.prepare()
    process = ready._process
    for _ in range(3):
        end = carried_out(ready, folder)
        assert end.returncode == EXIT_FAILED, end.stderr_tail
        assert end.failure is not None
        assert end.failure["code"] == "unknown_step"
    assert ready._process is process
    assert process is not None
    assert process.poll() is None


def test_a_child_is_in_its_folder_in_a_session_of_its_own_and_gives_way_as_it_should(
    ready: ReadyChild, folder: Path
) -> None:
    ready.prepare()
    os.mkfifo(folder / "step.json.pipe")
    (folder / "step.json").unlink()
    # Reading its step waits until somebody writes it, so that it can be looked at.
    (folder / "step.json").symlink_to("step.json.pipe")
    for gives_way, niceness in ((True, NICENESS), (False, 0)):
        started = ready.take(folder, gives_way=gives_way)
        assert started is not None
        assert os.getsid(started.pid) == os.getpgid(started.pid) == started.pid
        assert os.getpriority(os.PRIO_PROCESS, started.pid) == niceness
        until = time.monotonic() + 30
        while Path(f"/proc/{started.pid}/cwd").resolve() != folder:
            assert time.monotonic() < until
            time.sleep(0.01)
        started.signal_group(signal.SIGKILL)
        started.finish()
        assert started.returncode == -signal.SIGKILL
        assert not Path(f"/proc/{started.pid}").exists()


def test_with_the_process_that_forked_it_a_child_ends(ready: ReadyChild, folder: Path) -> None:
    ready.prepare()
    (folder / "step.json").unlink()
    os.mkfifo(folder / "step.json")
    started = ready.take(folder, gives_way=False)
    assert started is not None
    process = ready._process
    assert process is not None
    process.kill()
    until = time.monotonic() + 30
    while not started.has_ended():
        assert time.monotonic() < until
        time.sleep(0.01)
    started.finish()
    assert started.returncode == -signal.SIGKILL
    while Path(f"/proc/{started.pid}").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    assert ready.take(folder, gives_way=False) is None
    ready.prepare()
    assert ready._process is not process


def test_without_one_that_waits_there_is_none_to_take(ready: ReadyChild, folder: Path) -> None:
    assert ready.take(folder, gives_way=True) is None


def test_one_that_was_killed_meanwhile_is_not_taken_and_another_is_started(
    ready: ReadyChild, folder: Path
) -> None:
    ready.prepare()
    first = ready._process
    assert first is not None
    first.kill()
    first.wait()
    assert ready.take(folder, gives_way=True) is None
    ready.prepare()
    second = ready._process
    assert second is not None
    assert second.pid != first.pid


def test_one_that_has_loaded_what_was_updated_since_is_not_taken(
    ready: ReadyChild, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.prepare()
    process = ready._process
    assert process is not None
    monkeypatch.setattr("worker.ready.code_stamp", lambda: "another version's")
    assert ready.take(folder, gives_way=True) is None
    assert process.returncode == -signal.SIGKILL
    ready.prepare()
    assert ready._process is not None


def test_the_stamp_changes_with_whatever_file_is_replaced_added_or_removed(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    module = tmp_path / "deep" / "module.py"
    stamps = [code_stamp(tmp_path)]
    for content in ("a = 1", "a = 1  # longer"):
        module.write_text(content)
        stamps.append(code_stamp(tmp_path))
    os.utime(module, (1, 1))  # older than before, as after going back to an older version
    stamps.append(code_stamp(tmp_path))
    assert len(set(stamps)) == len(stamps)
    assert code_stamp(tmp_path) == stamps[-1]
    module.unlink()
    assert code_stamp(tmp_path) == stamps[0]


def test_one_that_waits_ends_at_once_when_it_is_told_to(ready: ReadyChild) -> None:
    ready.prepare()
    process = ready._process
    assert process is not None
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == -signal.SIGTERM


def test_one_whose_worker_says_nothing_more_ends_without_a_step(ready: ReadyChild) -> None:
    ready.prepare()
    process, asked = ready._process, ready._asked
    assert process is not None
    assert asked is not None
    asked.close()
    assert process.wait(timeout=180) == EXIT_STOPPED


def test_closing_leaves_no_process_behind(ready: ReadyChild) -> None:
    ready.prepare()
    process = ready._process
    assert process is not None
    ready.close()
    assert process.returncode == -signal.SIGKILL
    ready.close()
