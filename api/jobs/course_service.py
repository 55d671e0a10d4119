"""Where the course of a training lies: among a step's outputs, or what a worker sent last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from api.problems import Problem, not_found
from store.database import Database
from store.live import live_prefix, newest_attempt
from store.objects import Objects
from store.repositories import Identity, JobRepository

_LOOKS = 2


@dataclass(frozen=True)
class CourseFileBytes:
    """One file of a course.

    Attributes:
        content: All of it.
        etag: Strong.
    """

    content: bytes
    etag: str


@dataclass(frozen=True)
class StepShown:
    """A step of which there may be something to see.

    Attributes:
        step_id: Its id.
        workspace_id: Whose it is.
        is_final: Whether it is over.
        keys: Keys of the objects among its outputs, by name; empty while it has none.
    """

    step_id: str
    workspace_id: str
    is_final: bool
    keys: Mapping[str, str] = field(default_factory=dict)


class CourseService:
    """Courses of trainings of the workspace that asks."""

    def __init__(self, database: Database, objects: Objects, identity: Identity) -> None:
        self._database = database
        self._objects = objects
        self._identity = identity

    def read(self, job_id: str, step_name: str, name: str) -> tuple[StepShown, CourseFileBytes]:
        """Return a file of a step's course, and the step.

        Raises:
            Problem: 404 ``not_found`` for the job or the step, ``no_course`` for the file.
        """
        for _ in range(_LOOKS):
            shown = self._step(job_id, step_name)
            try:
                return shown, self._file(shown, name)
            except FileNotFoundError:
                # Perhaps the step has succeeded this moment, and has it among its outputs now.
                continue
        raise Problem(
            404,
            "no_course",
            "There is nothing to see of this step: it shows nothing, has not begun, or its files"
            " are not kept any more.",
            "Trainings show how they go a few seconds after they began. Ask again later.",
        )

    def _step(self, job_id: str, step_name: str) -> StepShown:
        with self._database.read() as session:
            jobs = JobRepository(session, self._identity.workspace_id)
            if jobs.get(job_id) is None:
                raise not_found("job")
            step = jobs.step_named(job_id, step_name)
            if step is None:
                raise not_found("step")
            keys = {}
            if step.status == "succeeded":
                keys = {output["name"]: output["object_key"] for output in step.outputs}
            return StepShown(step.id, step.workspace_id, step.is_final, keys)

    def _file(self, shown: StepShown, name: str) -> CourseFileBytes:
        key = shown.keys.get(name)
        if key is None:
            home = live_prefix(shown.workspace_id, shown.step_id)
            newest = newest_attempt(self._objects.list(home))
            if newest is None:
                raise FileNotFoundError(home)
            key = newest + name
        content = b"".join(self._objects.iterate(key))
        return CourseFileBytes(content, f'"{hashlib.sha256(content).hexdigest()}"')
