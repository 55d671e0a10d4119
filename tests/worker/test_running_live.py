"""What a step shows and tells while a worker carries it out; and what stays of it afterwards."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from api.jobs.course_service import CourseService
from api.problems import Problem
from gan_core.phantoms import draw_phantoms
from gan_core.reading import PackedDataset, pack
from gan_core.spec import StudySpec, plan_study, resolve
from gan_core.study import facts
from store.columns import new_id
from store.objects import Objects
from store.page_tables import LogLine
from store.repositories import Identity, JobRepository
from store.tables import Dataset, Job
from worker import live, processes
from worker.running import StepRunner
from worker.shared import SharedState
from worker.starting import child_command

_PRELUDE = """
import hashlib, json, pathlib, sys, time
here = pathlib.Path(sys.argv[1])
shown = here / "live"; shown.mkdir(exist_ok=True)
(here / "outputs").mkdir(exist_ok=True)
def say(**event): print(json.dumps(event), flush=True)
def show(text): (shown / "course.json").write_text(text)
def finish(text):
    (here / "outputs" / "course.json").write_text(text)
    say(event="done", outputs=[{"name": "course.json", "kind": "internal",
        "media_type": "application/json", "size": len(text),
        "sha256": hashlib.sha256(text.encode()).hexdigest()}])
"""


class Bell:
    def ring(self, queue: str, step_id: str) -> None:
        """Nobody listens."""


class Works:
    """A worker whose children are small scripts, or real; and whoever looks on."""

    def __init__(self, yard: Any, tmp_path: Path) -> None:
        self.yard = yard
        self.tmp_path = tmp_path
        self.objects = Objects.from_settings(yard.settings)
        self.shared = SharedState()

    def runner(self, code: str | None) -> StepRunner:
        command: Callable[[Path], list[str]] = child_command
        if code is not None:
            script = self.tmp_path / "child.py"
            script.write_text(_PRELUDE + code)
            command = lambda folder: [sys.executable, str(script), str(folder)]  # noqa: E731
        return StepRunner(
            self.yard.settings,
            self.yard.database,
            self.objects,
            Bell(),
            self.shared,
            command=command,
        )

    def run(self, step_id: str, code: str | None = None) -> str:
        return self.runner(code).run(step_id)

    def course(self, step_id: str) -> bytes | None:
        who = Identity(key_id="k", workspace_id=self.yard.workspace_id, scopes=frozenset())
        step = self.yard.step(step_id)
        service = CourseService(self.yard.database, self.objects, who)
        try:
            return service.read(step.job_id, step.name, "course.json")[1].content
        except Problem:
            return None

    def lines(self) -> list[tuple[str, str]]:
        with self.yard.database.read() as session:
            rows = session.scalars(select(LogLine).order_by(LogLine.id)).all()
            return [(row.level, _without_times(row.text)) for row in rows]

    def kept(self) -> list[str]:
        return sorted(self.objects.list(f"workspaces/{self.yard.workspace_id}/live/"))


def _without_times(text: str) -> str:
    return re.sub(r"^(Started.*), after .*|^(Done) in .*", r"\1\2", text)


@pytest.fixture
def works(yard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Works:
    monkeypatch.setattr(live.LiveCourier.__init__, "__defaults__", (0.05,))
    return Works(yard, tmp_path)


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def test_what_a_child_shows_is_seen_while_it_runs_and_then_among_its_outputs(
    works: Works, tmp_path: Path
) -> None:
    step_id = works.yard.submit()
    go_on = tmp_path / "go_on"
    code = f"""
say(event="notice", level="warning", text="The training went back.")
show("under way")
while not pathlib.Path({str(go_on)!r}).exists(): time.sleep(.02)
show("the end"); finish("among the outputs")
"""
    words: list[str] = []
    thread = threading.Thread(target=lambda: words.append(works.run(step_id, code)))
    thread.start()
    until(lambda: works.course(step_id) == b"under way")
    go_on.touch()
    thread.join()
    assert words == ["done"]
    assert works.course(step_id) == b"among the outputs"
    assert works.kept() == []
    assert works.lines() == [
        ("info", "Started"),
        ("warning", "The training went back."),
        ("info", "Done"),
    ]


def test_of_a_step_that_failed_the_last_that_it_showed_stays(works: Works) -> None:
    step_id = works.yard.submit()
    code = """
show("how it diverged")
say(event="failed", code="diverged", detail="The training diverged.", hint="Lower the rate.")
sys.exit(3)
"""
    assert works.run(step_id, code) == "failed"
    assert works.course(step_id) == b"how it diverged"
    assert works.lines()[-1] == (
        "error",
        "Failed (diverged): The training diverged. Lower the rate.",
    )


def test_the_next_attempt_takes_the_place_of_the_one_that_crashed(works: Works) -> None:
    step_id = works.yard.submit()
    crashes = """
show("of the first")
raise RuntimeError("in /secret/folder/of/this/machine/file.py")
"""
    assert works.run(step_id, crashes) == "retried"
    assert works.course(step_id) == b"of the first"
    assert works.run(step_id, "show('2')\nsys.exit(1)") in {
        "retried",
        "failed",
    }
    assert works.course(step_id) == b"2"
    assert len(works.kept()) == 1
    told = dict((text.split("\n")[0], text) for _, text in works.lines())  # noqa: C402
    said = told["What its program said last:"]
    assert "RuntimeError" in said
    assert "/secret/" not in said
    assert str(works.tmp_path) not in said


def test_names_of_classes_are_not_among_the_last_words(works: Works) -> None:
    with works.yard.database.write() as session:
        dataset = session.get_one(Dataset, works.yard.dataset_id)
        dataset.facts = {
            "digest": "d",
            "image_size": 64,
            "classes": {"Kim Min-su": {"train": 9}, "b": {"train": 5}},
        }
    step_id = works.yard.submit()
    assert works.run(step_id, "raise RuntimeError('nothing of Kim Min-su')") == "retried"
    text = " ".join(text for _, text in works.lines())
    assert "nothing of <class>" in text
    assert "Kim" not in text


def test_a_job_that_was_cancelled_keeps_what_its_training_showed(works: Works) -> None:
    step_id = works.yard.submit()
    job_id = works.yard.step(step_id).job_id
    code = "show('until then')\nsay(event='progress', fraction=.1, detail='x')\ntime.sleep(60)"
    words: list[str] = []
    thread = threading.Thread(target=lambda: words.append(works.run(step_id, code)))
    thread.start()
    until(lambda: works.course(step_id) is not None)
    with works.yard.database.write() as session:
        JobRepository(session, works.yard.workspace_id).cancel(job_id)
    thread.join()
    assert words == ["cancelled"]
    assert works.course(step_id) == b"until then"
    assert works.lines()[-1] == ("info", "Cancelled.")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_training_that_is_killed_shows_all_of_its_course_again(
    works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a machine that others keep busy, a child that gives way would not get to its first step.
    monkeypatch.setattr(processes, "give_way", lambda _: None)
    works.yard.settings = works.yard.settings.model_copy(
        update={"checkpoint_seconds": 0.5, "threads": 1}
    )
    step_id = _submit_training(works, tmp_path)
    words: list[str] = []
    points: list[int] = []

    def look() -> int:
        content = works.course(step_id)
        points.append(0 if content is None else content.count(b'"epoch":'))
        return points[-1]

    def run() -> None:
        words.append(works.run(step_id))
        words.append(works.run(step_id))

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: look() > 6, 600)
    for pid in _children_in(works.yard.settings.data_dir / "work"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: bool(words), 60)
    # The second attempt goes on from a checkpoint, which may be of before; there is never nothing.
    while thread.is_alive():
        assert look() > 0
        time.sleep(0.1)
    assert words == ["retried", "done"]
    content = works.course(step_id)
    assert content is not None
    names = [output["name"] for output in works.yard.step(step_id).outputs]
    assert {"course.json", "snapshot-000000.png", "snapshot-000001.png"} <= set(names)
    told = [text for _, text in works.lines()]
    assert told[0] == "Started"
    assert told[1].startswith("The training runs on")
    assert any("Failed (out_of_memory)" in text for text in told)  # which is what a kill means
    assert any(text.startswith("The training goes on from a checkpoint, of epoch") for text in told)
    assert told[-1] == "Done"
    assert works.kept() == []


def _submit_training(works: Works, tmp_path: Path) -> str:
    counts: Any = {
        "train": {"benign": 16, "malignant": 14},
        "test": {"benign": 4, "malignant": 4},
    }
    draw_phantoms(tmp_path / "phantoms", counts=counts, image_size=64)
    pack(tmp_path / "phantoms", tmp_path / "packed", image_size=32)
    dataset = PackedDataset.open(tmp_path / "packed")
    files = []
    for path in sorted((tmp_path / "packed").iterdir()):
        works.objects.put_file(f"k/{path.name}", path)
        size = path.stat().st_size
        files.append(
            {"name": path.name, "object_key": f"k/{path.name}", "size": size, "sha256": path.name}
        )
    gan = {"name": "infogan", "image_size": 32, "epochs": 120, "batch_size": 4, "snapshots": 2}
    asked = {"real_counts": [12], "balance_to": 14, "gans": [gan]}
    spec = resolve(
        StudySpec.model_validate(asked | {"benchmark": {"classifiers": []}}),
        facts(dataset).train_counts(),
    )
    with works.yard.database.write() as session:
        row = session.get_one(Dataset, works.yard.dataset_id)
        row.facts = facts(dataset).model_dump(mode="json")
        row.files = files
        job = Job(id=new_id("job"), kind="study", dataset_id=row.id, spec={}, resolved={})
        jobs = JobRepository(session, works.yard.workspace_id)
        jobs.add(job, plan_study(spec, facts(dataset)), works.objects)
        found: str = jobs.steps(job.id)[0].id
    return found


def _children_in(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink().is_relative_to(folder):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
