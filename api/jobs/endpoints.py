"""``/v1/jobs``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Header, Query, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from api.artifacts.schemas import ArtifactView
from api.auth import Reader, Researcher
from api.context import Context, Ctx
from api.http_rules import (
    CreatedAfter,
    CreatedBefore,
    Cursor,
    Id,
    Limit,
    PageOf,
    has_tag,
    retry_after,
)
from api.idempotency import Made, Once
from api.jobs.answering import accepted
from api.jobs.schemas import (
    EstimateView,
    JobView,
    PlannedJobView,
    PlannedStepView,
    StepList,
    StepView,
)
from api.jobs.service import JobService
from api.problems import described
from gan_core.spec import JobSpec, Results
from store.repositories import Identity
from store.repositories.paging import Period
from store.tables import JobKind, JobStatus

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=described(401, 403, 422))


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    responses={
        200: {"model": PlannedJobView, "description": "A dry run: nothing was started."},
        **described(404, 409, 413),
    },
)
def submit_job(
    *,
    tasks: BackgroundTasks,
    ctx: Ctx,
    who: Researcher,
    spec: JobSpec,
    dry_run: Annotated[bool, Query(description="Answer the plan, and start nothing.")] = False,
    once: Once,
) -> Response:
    """Submit a study of a data set that is ready."""
    if dry_run:
        return JSONResponse(_planned(ctx, who, spec).model_dump(mode="json"))

    def work(session: Session) -> Made:
        job, is_new = JobService(session, who, ctx.objects).submit(
            spec, once.key, weights_sha256=ctx.weights_sha256
        )
        return accepted(JobView.of(job), is_new=is_new)

    outcome = once.carry_out(who, spec, work)
    if outcome.is_new:
        ctx.ring_after(tasks)
    return outcome.response


def _planned(ctx: Context, who: Identity, spec: JobSpec) -> PlannedJobView:
    with ctx.database.read() as session:
        planned = JobService(session, who, ctx.objects).plan(
            spec, weights_sha256=ctx.weights_sha256
        )
    steps = [
        PlannedStepView.of(step, is_reused=step.key in planned.finished_keys)
        for step in planned.plan.steps
    ]
    estimate = EstimateView.of(steps)
    return PlannedJobView(
        spec=planned.spec.model_dump(mode="json"),
        steps=steps,
        estimate_seconds=estimate.seconds,
        estimate=estimate,
        advice=planned.plan.advice,
    )


@router.get("")
def list_jobs(
    *,
    ctx: Ctx,
    who: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: JobStatus | None = None,
    dataset_id: Annotated[str | None, Query(max_length=64)] = None,
    kind: JobKind | None = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
) -> PageOf[JobView]:
    """List jobs, the newest first."""
    with ctx.database.read() as session:
        page = JobService(session, who, ctx.objects).page(
            limit,
            cursor,
            status=status,
            dataset_id=dataset_id,
            kind=kind,
            created=Period(created_after, created_before),
        )
        return PageOf(items=[JobView.of(row) for row in page.items], next_cursor=page.next_cursor)


@router.get(
    "/{job_id}",
    response_model=JobView,
    responses={304: {"description": "Nothing has changed."}, **described(404)},
)
def get_job(
    ctx: Ctx,
    who: Reader,
    response: Response,
    job_id: Id,
    if_none_match: Annotated[str | None, Header()] = None,
) -> JobView | Response:
    """Look at a job. While it is unfinished, ``Retry-After`` says when to look again."""
    with ctx.database.read() as session:
        job = JobService(session, who, ctx.objects).get(job_id)
    headers = {"ETag": f'"{job.id}-{job.version}"'}
    if not job.is_final:
        headers["Retry-After"] = retry_after(job.eta_seconds)
    if has_tag(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return JobView.of(job)


@router.get("/{job_id}/steps", responses=described(404))
def list_steps(ctx: Ctx, who: Reader, job_id: Id) -> StepList:
    """List a job's steps in the order in which they can be carried out."""
    with ctx.database.read() as session:
        service = JobService(session, who, ctx.objects)
        steps, needs = service.steps(job_id), service.needs(job_id)
        return StepList(items=[StepView.of(step, needs.get(step.id, [])) for step in steps])


@router.get(
    "/{job_id}/events",
    response_class=Response,
    responses={
        200: {
            "description": "Events `status` and `progress`, until the job is over.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **described(404),
    },
)
def watch_job(
    ctx: Ctx,
    who: Reader,
    job_id: Id,
    last_event_id: Annotated[
        int | None,
        Header(
            ge=0,
            lt=2**63,
            description="Go on after this event; 0 for every status from the start, and the latest"
            " progress.",
        ),
    ] = None,
) -> Response:
    """Watch a job (server-sent events). Without ``Last-Event-ID`` it begins with the latest."""
    # sse_starlette drags uvicorn's command line in: only those who watch pay for it.
    from api.jobs.watching import watch

    with ctx.database.read() as session:
        JobService(session, who, ctx.objects).get(job_id)
    return watch(ctx, who, job_id, last_event_id)


@router.post("/{job_id}/cancel", status_code=202, responses=described(404))
def cancel_job(
    ctx: Ctx, who: Researcher, response: Response, tasks: BackgroundTasks, job_id: Id
) -> JobView:
    """Cancel a job. It is ``cancelling`` until the workers have let go."""
    with ctx.database.write() as session:
        view = JobView.of(JobService(session, who, ctx.objects).cancel(job_id))
    if view.kind == "ingest":
        ctx.remove_uploads_after(tasks)
    response.headers["Location"] = f"/v1/jobs/{view.id}"
    if view.status == "cancelling":
        response.headers["Retry-After"] = retry_after(None)
    return view


@router.post(
    "/{job_id}/retry", status_code=202, response_model=JobView, responses=described(404, 409)
)
def retry_job(
    *, ctx: Ctx, who: Researcher, tasks: BackgroundTasks, job_id: Id, once: Once
) -> Response:
    """Ask once more for what a job that is over was asked for, as a new job.

    What was finished is reused, so only what failed, or is not kept any more, is carried out.
    """

    def work(session: Session) -> Made:
        job, is_new = JobService(session, who, ctx.objects).retry(
            job_id, once.key, weights_sha256=ctx.weights_sha256
        )
        return accepted(JobView.of(job), is_new=is_new)

    outcome = once.carry_out(who, None, work)
    if outcome.is_new:
        ctx.ring_after(tasks)
    return outcome.response


@router.delete("/{job_id}", status_code=204, responses=described(404, 409))
def delete_job(ctx: Ctx, who: Researcher, job_id: Id) -> None:
    """Delete a job that is over, with its files. Files that another job reuses stay with that."""
    with ctx.database.write() as session:
        JobService(session, who, ctx.objects).delete(job_id)


@router.get(
    "/{job_id}/results",
    response_model=Results,
    responses={304: {"description": "Nothing has changed."}, **described(404, 409, 410)},
)
def get_results(
    ctx: Ctx,
    who: Reader,
    response: Response,
    job_id: Id,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Results | Response:
    """Return the table: a row for each run, summaries with intervals, and the verdicts."""
    with ctx.database.read() as session:
        service = JobService(session, who, ctx.objects)
        file = service.results_file(job_id)
        etag = f'"{file.sha256}"'
        if has_tag(if_none_match, etag):
            return Response(status_code=304, headers={"ETag": etag})
        results = service.read_results(file)
    # Only now: a file storage that is slow must not keep every other writer waiting.
    with ctx.database.write() as session:
        JobService(session, who, ctx.objects).note_results_read(job_id)
    response.headers["ETag"] = etag
    return results


@router.get("/{job_id}/artifacts", responses=described(404))
def list_artifacts(ctx: Ctx, who: Reader, job_id: Id) -> PageOf[ArtifactView]:
    """List the files that a job left, in the order in which they were made; one page has all."""
    with ctx.database.read() as session:
        found = JobService(session, who, ctx.objects).artifacts(job_id)
        return PageOf(items=[ArtifactView.of(row) for row in found])
