"""What can be done with jobs. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy.orm import Session

from api.artifacts.service import gone, refuse_expired
from api.jobs.once import earlier_job, hash_of
from api.limits.quotas import Quotas
from api.models.starting import ImagesStarter
from api.problems import Problem, not_found
from gan_core.spec import DatasetFacts, ImagesSpec, JobSpec, Plan, Results, plan_study, resolve
from store.columns import new_id
from store.fairness import PRIORITIES
from store.objects import Objects
from store.repositories import (
    ArtifactRepository,
    AuditTrail,
    DatasetRepository,
    Identity,
    JobRepository,
)
from store.repositories.paging import Page, Period
from store.speeds import SpeedBook
from store.step_tables import Step
from store.tables import Artifact, Dataset, Job, JobEvent

_ENDED = {"succeeded": "has succeeded", "failed": "has failed", "cancelled": "was cancelled"}


@dataclass(frozen=True)
class PlannedJob:
    """A job that was thought through and not started."""

    spec: JobSpec
    plan: Plan
    finished_keys: frozenset[str]


class JobService:
    """Jobs of the workspace that asks."""

    def __init__(self, session: Session, identity: Identity, objects: Objects) -> None:
        self._identity = identity
        self._objects = objects
        self._jobs = JobRepository(session, identity.workspace_id)
        self._datasets = DatasetRepository(session, identity.workspace_id)
        self._artifacts = ArtifactRepository(session, identity.workspace_id)
        self._audit = AuditTrail(session, identity.workspace_id)
        self._speeds = SpeedBook(session)
        self._quotas = Quotas(session, identity)
        self._images = ImagesStarter(session, identity, objects)

    def plan(self, asked: JobSpec, *, weights_sha256: str | None = None) -> PlannedJob:
        """Think a job through without starting it.

        Args:
            asked: The spec as sent.
            weights_sha256: Digest of the operator's own upscaler weights, if any are set.

        Raises:
            Problem: 404 or 409 for the data set.
            GraftError: The spec does not fit the data set.
        """
        spec, plan = self._thought_through(_own_words(asked), weights_sha256)
        finished = self._jobs.finished_keys([step.key for step in plan.steps])
        return PlannedJob(spec, plan, finished)

    def submit(
        self,
        asked: JobSpec,
        idempotency_key: str | None,
        *,
        weights_sha256: str | None = None,
    ) -> tuple[Job, bool]:
        """Start a job; arguments as for ``plan``.

        Returns:
            The job, and whether it is new: a repeated request gets the first one's.

        Raises:
            Problem: 404 or 409 for the data set; 422 ``idempotency_key_reused``.
            GraftError: The spec does not fit the data set.
        """
        sent = asked.model_dump(mode="json", exclude_unset=True)
        request_sha256 = hash_of(["job", sent])
        earlier = earlier_job(self._jobs, idempotency_key, request_sha256)
        if earlier is not None:
            return earlier, False
        job = self._start(_own_words(asked), weights_sha256)
        if idempotency_key is not None:
            self._jobs.remember(idempotency_key, request_sha256, job.id)
        self._audit.append(
            self._identity.key_id, "job.submit", job.id, {"dataset_id": job.dataset_id}
        )
        self._quotas.refuse_surplus()
        return job, True

    def retry(
        self, job_id: str, idempotency_key: str | None, *, weights_sha256: str | None = None
    ) -> tuple[Job, bool]:
        """Start a job that asks for the same as one that is over: what it finished is reused.

        Args:
            job_id: The job that is over; it stays as it is.
            idempotency_key: As for ``submit``.
            weights_sha256: As for ``plan``.

        Returns:
            The new job, and whether it is new: a repeated request gets the first one's.

        Raises:
            Problem: 404; 409 ``job_unfinished`` or ``job_not_retryable``, or for the data set;
                422 ``idempotency_key_reused``.
            GraftError: The spec does not fit the data set.
        """
        request_sha256 = hash_of(["retry", job_id])
        earlier = earlier_job(self._jobs, idempotency_key, request_sha256)
        if earlier is not None:
            return earlier, False
        old = self.get(job_id)
        if old.kind == "ingest":
            raise Problem(
                409,
                "job_not_retryable",
                "The job read an upload, which is not kept afterwards.",
                "Upload the data set again.",
            )
        if not old.is_final:
            raise _unfinished("Wait for its end, or cancel it, before you retry it.")
        try:
            job = self._again(old, weights_sha256)
        except ValidationError:
            raise Problem(
                409,
                "job_not_retryable",
                "The job's spec is of an older version of the service, which this one cannot read.",
                "Submit a new job; `requested` shows what was asked for.",
            ) from None
        if idempotency_key is not None:
            self._jobs.remember(idempotency_key, request_sha256, job.id)
        self._audit.append(self._identity.key_id, "job.retry", job.id, {"retry_of": old.id})
        self._quotas.refuse_surplus()
        return job, True

    def _again(self, old: Job, weights_sha256: str | None) -> Job:
        if old.kind == "study":
            return self._start(JobSpec.model_validate(old.spec), weights_sha256, retried=old)
        asked = ImagesSpec.model_validate({k: v for k, v in old.spec.items() if k != "model_id"})
        # It has the model as its own: the study that trained it may be deleted by now.
        models = self._artifacts.of_job(old.id, kind="model")
        model_id = models[0].id if models else str(old.spec["model_id"])
        return self._images.start(model_id, asked, weights_sha256, retry_of=old.id)

    def _start(
        self, asked: JobSpec, weights_sha256: str | None, *, retried: Job | None = None
    ) -> Job:
        planned = asked if retried is None else _as_chosen(asked, retried)
        spec, plan = self._thought_through(planned, weights_sha256)
        self._quotas.refuse_new_job(plan)
        job = Job(
            id=new_id("job"),
            kind="study",
            name=spec.name,
            dataset_id=spec.dataset_id,
            spec=asked.model_dump(mode="json", exclude_unset=True),
            resolved=spec.model_dump(mode="json"),
            advice=list(plan.advice),
            priority=PRIORITIES[spec.priority],
            created_by=self._identity.key_id,
            retry_of=None if retried is None else retried.id,
        )
        self._jobs.add(job, plan, self._objects)
        return job

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            Problem: 404.
        """
        found = self._jobs.get(job_id)
        if found is None:
            raise not_found("job")
        return found

    def page(
        self,
        limit: int,
        cursor: str | None,
        *,
        status: str | None,
        dataset_id: str | None,
        kind: str | None,
        created: Period,
    ) -> Page[Job]:
        """Return jobs, the newest first."""
        return self._jobs.page(
            limit, cursor, status=status, dataset_id=dataset_id, kind=kind, created=created
        )

    def cancel(self, job_id: str) -> Job:
        """Ask for a job to be cancelled; a second time, or too late, changes nothing.

        Raises:
            Problem: 404.
        """
        found = self._jobs.cancel(job_id)
        if found is None:
            raise not_found("job")
        job, has_changed = found
        if has_changed:
            self._audit.append(self._identity.key_id, "job.cancel", job.id)
        return job

    def delete(self, job_id: str) -> None:
        """Delete a job that is over, with everything that it left; the audit trail stays.

        Raises:
            Problem: 404; 409 ``job_unfinished``, or ``job_of_dataset`` for a job that belongs to
                its data set.
        """
        job = self._jobs.hold(job_id)
        if job is None:
            raise not_found("job")
        if job.kind == "ingest":
            raise Problem(
                409,
                "job_of_dataset",
                "The job made a data set, and is deleted with it.",
                f"Delete the data set: DELETE /v1/datasets/{job.dataset_id}.",
            )
        if self._jobs.unfinished_among([job]):
            raise _unfinished("Cancel it, wait until it is `cancelled`, then delete it.")
        self._jobs.delete(job)
        self._audit.append(
            self._identity.key_id, "job.delete", job_id, {"dataset_id": job.dataset_id}
        )

    def steps(self, job_id: str) -> Sequence[Step]:
        """Return a job's steps.

        Raises:
            Problem: 404.
        """
        return self._jobs.steps(self.get(job_id).id)

    def needs(self, job_id: str) -> dict[str, list[str]]:
        """Return for each of a job's steps that needs others the names of those, by its id."""
        return self._jobs.needs(job_id)

    def artifacts(self, job_id: str) -> Sequence[Artifact]:
        """Return a job's artifacts.

        Raises:
            Problem: 404.
        """
        return self._artifacts.of_job(self.get(job_id).id)

    def results_file(self, job_id: str) -> Artifact:
        """Return the file that holds a job's table.

        Raises:
            Problem: 404, 409 while there is none, or 410 when it is not kept any more.
        """
        job = self.get(job_id)
        found = self._artifacts.of_job(job.id, kind="results-json")
        if found:
            refuse_expired(found[0])
            return found[0]
        if job.is_final:
            raise Problem(
                409,
                "job_without_results",
                f"The job {_ENDED[job.status]} and left no results.",
                "Its `error`, if any, says why.",
            )
        raise _unfinished("Ask again later, or watch its events.")

    def read_results(self, file: Artifact) -> Results:
        """Return the table.

        Raises:
            Problem: 410 when the storage has lost it.
        """
        try:
            content = b"".join(self._objects.iterate(file.object_key))
        except FileNotFoundError:
            raise gone() from None
        return Results.model_validate_json(content)

    def note_results_read(self, job_id: str) -> None:
        """Write into the trail that the table was handed out."""
        self._audit.append(self._identity.key_id, "results.read", job_id)

    def events(self, job_id: str, after: int | None) -> tuple[Sequence[JobEvent], bool]:
        """Return a job's events after one, or the latest; and whether no more will come.

        Raises:
            Problem: 404.
        """
        # The job first: what is final here has its last event already.
        is_final = self.get(job_id).is_final
        if after is None:
            return self._jobs.latest_event(job_id), is_final
        events = self._jobs.events_after(job_id, after)
        return events, is_final

    def _thought_through(self, asked: JobSpec, weights_sha256: str | None) -> tuple[JobSpec, Plan]:
        dataset = self._ready_dataset(asked.dataset_id)
        facts = DatasetFacts.model_validate(dataset.facts)
        speeds = self._speeds.speeds()
        spec = resolve(asked, facts.train_counts(), data_size=facts.image_size, speeds=speeds)
        return spec, plan_study(spec, facts, weights_sha256=weights_sha256, speeds=speeds)

    def _ready_dataset(self, dataset_id: str) -> Dataset:
        dataset = self._datasets.get(dataset_id)
        if dataset is None:
            raise not_found("data set")
        if dataset.status == "ingesting":
            raise Problem(
                409,
                "dataset_not_ready",
                "The data set is still being read.",
                "Ask for it until its status is `ready`, then submit again.",
                headers={"Retry-After": "2"},
            )
        if dataset.status == "rejected":
            raise Problem(
                409,
                "dataset_rejected",
                "The data set was rejected, so there is nothing to work on.",
                "Its `problems` say why. Mend them, and upload it again.",
            )
        return dataset


def _own_words(asked: JobSpec) -> JobSpec:
    """Return the spec without reasons that the profile did not give: advice is the service's."""
    return asked.model_copy(update={"chosen_because": []}) if asked.chosen_because else asked


def _as_chosen(asked: JobSpec, earlier: Job) -> JobSpec:
    """Return the spec with the GANs that were chosen for an earlier job that asked for the same.

    Another device, or another speed of the same, would have others chosen, and nothing reused.
    """
    if "gans" in asked.model_fields_set:
        return asked
    try:
        before = JobSpec.model_validate(earlier.resolved)
    except ValidationError:  # of an older version of the service
        return asked
    if not before.chosen_because:
        return asked
    chosen = {"gans": before.gans, "chosen_because": before.chosen_because}
    return asked.model_copy(update=chosen)


def _unfinished(hint: str) -> Problem:
    return Problem(
        409, "job_unfinished", "The job is not finished yet.", hint, headers={"Retry-After": "5"}
    )
