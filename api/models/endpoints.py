"""``/v1/models``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from api.auth import Reader, Researcher
from api.context import Context, Ctx
from api.http_rules import CreatedAfter, CreatedBefore, Cursor, Id, Limit, PageOf
from api.idempotency import Made, Once
from api.jobs.answering import accepted
from api.jobs.schemas import EstimateView, JobView, PlannedJobView, PlannedStepView
from api.models.schemas import ModelDetailView, ModelView
from api.models.service import ModelService
from api.models.waiting import Prefer, at_its_end
from api.problems import described
from gan_core.spec import ImagesSpec
from gan_core.spec.job import GanName
from store.repositories import Identity
from store.repositories.paging import Period

router = APIRouter(prefix="/v1/models", tags=["models"], responses=described(401, 403, 422))


@router.get("")
def list_models(
    *,
    ctx: Ctx,
    who: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    job_id: Annotated[str | None, Query(max_length=64)] = None,
    dataset_id: Annotated[str | None, Query(max_length=64)] = None,
    gan: GanName | None = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
) -> PageOf[ModelView]:
    """List the generators that studies have trained, the newest first."""
    with ctx.database.read() as session:
        page = ModelService(session, who, ctx.objects).page(
            limit,
            cursor,
            job_id=job_id,
            dataset_id=dataset_id,
            gan=gan,
            created=Period(created_after, created_before),
        )
        items = [ModelView.of(model) for model in page.items]
        return PageOf(items=items, next_cursor=page.next_cursor)


@router.get("/{model_id}", responses=described(404, 410))
def get_model(ctx: Ctx, who: Reader, model_id: Id) -> ModelDetailView:
    """Look at a generator: what it was trained on and how, and what can be chosen of its images."""
    with ctx.database.read() as session:
        model, card = ModelService(session, who, ctx.objects).get(model_id)
        return ModelDetailView.with_card(model, card)


@router.post(
    "/{model_id}/images",
    status_code=202,
    response_model=JobView,
    responses={
        200: {"model": PlannedJobView, "description": "A dry run: nothing was started."},
        **described(404, 409, 410, 413),
    },
)
def make_images(
    *,
    tasks: BackgroundTasks,
    ctx: Ctx,
    who: Researcher,
    model_id: Id,
    spec: ImagesSpec | None = None,
    dry_run: Annotated[bool, Query(description="Answer the plan, and start nothing.")] = False,
    once: Once,
    prefer: Prefer = None,
) -> Response:
    """Make images from a generator: a job of the kind `images`, which leaves a zip.

    They are compared with the training images and labelled as a study's are. Up to 64 go before
    every study, and are usually there within a second or two: with `Prefer: wait=10` the answer
    says how the job is once it is over.
    """
    asked = spec or ImagesSpec()
    if dry_run:
        return JSONResponse(_planned(ctx, who, model_id, asked).model_dump(mode="json"))

    def work(session: Session) -> Made:
        job, is_new = ModelService(session, who, ctx.objects).make_images(
            model_id, asked, once.key, weights_sha256=ctx.weights_sha256
        )
        return accepted(JobView.of(job), is_new=is_new)

    outcome = once.carry_out(who, asked, work)
    if outcome.is_new:
        ctx.ring_after(tasks)
    return at_its_end(ctx, who, outcome.response, prefer)


def _planned(ctx: Context, who: Identity, model_id: str, asked: ImagesSpec) -> PlannedJobView:
    with ctx.database.read() as session:
        planned = ModelService(session, who, ctx.objects).plan_images(
            model_id, asked, weights_sha256=ctx.weights_sha256
        )
    steps = [
        PlannedStepView.of(step, is_reused=step.key in planned.finished_keys)
        for step in planned.plan.steps
    ]
    estimate = EstimateView.of(steps)
    return PlannedJobView(
        spec=planned.spec,
        steps=steps,
        estimate_seconds=estimate.seconds,
        estimate=estimate,
        advice=planned.plan.advice,
    )
