"""Jobs: every call about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from gan_core.spec.job import JobSpec
from gan_core.spec.results import Results
from graft.client.answers import (
    Page,
)
from graft.client.calls import Flows, Waiting, body_of, id_of, making, params_of
from graft.client.connection import ignore_update
from graft.client.course_models import Course, LogPage
from graft.client.flow import Flow, Send
from graft.client.models import (
    Job,
    JobStatus,
    PlannedJob,
    Step,
    Steps,
)

Spec = JobSpec | Mapping[str, Any]
JobKind = Literal["study", "images", "ingest"]

# Within a class that has a method `list`, the name means that method.
StepList = list[Step]


def _path(job: Job | str, *more: str) -> str:
    return "/".join(["/v1/jobs", id_of(job), *more])


def _course_path(job: Job | str, step: Step | str) -> str:
    name = step if isinstance(step, str) else step.name
    return _path(job, "steps", quote(name, safe=":"), "course")


class JobFlows(Flows):
    """The flows of jobs."""

    def submit(self, spec: Spec, *, idempotency_key: str | None = None) -> Flow[Job]:
        """Submit a job.

        Args:
            spec: A ``JobSpec`` or its fields: ``{"dataset_id": "ds_1", "profile": "quick"}``.
            idempotency_key: With the same one, sent again by whatever program, it is one job;
                default: one that only this call has.
        """
        return self._calls.read(Job, making("/v1/jobs", idempotency_key, json=body_of(spec)))

    def plan(self, spec: Spec) -> Flow[PlannedJob]:
        """Return what a job would do, without starting it."""
        params = params_of(dry_run=True)
        request = Send("POST", "/v1/jobs", params, json=body_of(spec), is_harmless=True)
        return self._calls.read(PlannedJob, request)

    def get(self, job: Job | str) -> Flow[Job]:
        """Return a job as it stands."""
        return self._calls.read(Job, Send("GET", _path(job)))

    def list(
        self,
        *,
        status: JobStatus | None = None,
        dataset_id: str | None = None,
        kind: JobKind | None = "study",
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Flow[Page[Job]]:
        """Return a page of jobs, the newest first; ``kind=None``: of every kind."""
        params = params_of(
            status=status,
            dataset_id=dataset_id,
            kind=kind,
            created_after=created_after,
            created_before=created_before,
            limit=limit,
            cursor=cursor,
        )
        return self._calls.read(Page[Job], Send("GET", "/v1/jobs", params))

    def wait(
        self,
        job: Job | str,
        *,
        on_update: Callable[[Job], None] = ignore_update,
        timeout: float | None = None,
        poll_seconds: float | None = None,
    ) -> Flow[Job]:
        """Return the job once it is over.

        Args:
            job: The job, or its id.
            on_update: Called with it whenever it has changed.
            timeout: Seconds after which to give up.
            poll_seconds: Pause between questions; default: what the service asks for.
        """
        waiting = Waiting(timeout, poll_seconds)
        return self._calls.wait(Job, _path(job), lambda j: j.is_over, on_update, waiting)

    def steps(self, job: Job | str) -> Flow[StepList]:
        """Return a job's steps, in an order in which they can be carried out."""
        return (yield from self._calls.read(Steps, Send("GET", _path(job, "steps")))).items

    def course(self, job: Job | str, step: Step | str) -> Flow[Course]:
        """Return how a training goes, or went: losses, judgements, snapshots.

        Args:
            job: The job, or its id.
            step: A step of it that trains, or its name.

        Raises:
            ApiError: ``no_course`` when there is nothing to see of the step, or not yet.
        """
        return self._calls.read(Course, Send("GET", _course_path(job, step)))

    def snapshot(self, job: Job | str, step: Step | str, number: int) -> Flow[bytes]:
        """Return a snapshot's sheet of samples, a PNG that says that it is synthetic.

        Args:
            job: The job, or its id.
            step: As for ``course``, which says what snapshots there are.
            number: Of the snapshot.
        """
        path = f"{_course_path(job, step)}/snapshots/{number:d}"
        return (yield from self._calls.send(Send("GET", path))).body

    def log(
        self,
        job: Job | str,
        *,
        order: Literal["asc", "desc"] = "asc",
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Flow[LogPage]:
        """Return a page of what a job's steps have told.

        Args:
            job: The job, or its id.
            order: ``asc``, the oldest first: then the page's cursor, given again later, gives what
                came since; ``desc``, the newest first.
            limit: At most so many lines.
            cursor: Of a page in the same order.
        """
        params = params_of(order=order, limit=limit, cursor=cursor)
        return self._calls.read(LogPage, Send("GET", _path(job, "log"), params))

    def cancel(self, job: Job | str) -> Flow[Job]:
        """Ask for a job to be cancelled; asking twice does no harm."""
        yield from self._calls.send(Send("POST", _path(job, "cancel"), is_harmless=True))
        return (yield from self.get(id_of(job)))

    def retry(self, job: Job | str, *, idempotency_key: str | None = None) -> Flow[Job]:
        """Submit what a job that is over was asked for once more; what it finished is reused."""
        return self._calls.read(Job, making(_path(job, "retry"), idempotency_key))

    def delete(self, job: Job | str) -> Flow[None]:
        """Delete a job that is over, with all its files."""
        yield from self._calls.send(Send("DELETE", _path(job)))

    def results(self, job: Job | str) -> Flow[Results]:
        """Return the table, the summaries and the verdicts."""
        return self._calls.read(Results, Send("GET", _path(job, "results")))
