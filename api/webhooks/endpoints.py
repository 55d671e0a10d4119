"""``/v1/webhooks``: for administrators alone, since a URL can be a secret of its receiver."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api.auth import Admin
from api.context import Context, Ctx
from api.http_rules import Cursor, Id, Limit, Moment, PageOf
from api.idempotency import Made, Once
from api.problems import described
from api.webhooks.addresses import AddressRules
from api.webhooks.schemas import (
    DeliveryView,
    NewWebhookView,
    ReplayedView,
    Rotation,
    WebhookChange,
    WebhookRequest,
    WebhookView,
)
from api.webhooks.service import WebhookService
from store.webhook_secrets import Sealer
from store.webhook_tables import DeliveryStatus

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], responses=described(401, 403, 422))


Since = Annotated[
    Moment | None,
    Query(description="Only messages from then on; left out: all that are kept, 30 days."),
]


def _rules(ctx: Context) -> AddressRules:
    return AddressRules.from_settings(ctx.settings)


@router.post("", status_code=201, response_model=NewWebhookView, responses=described(409, 413))
def create_webhook(ctx: Ctx, who: Admin, asked: WebhookRequest, once: Once) -> Response:
    """Make a webhook. The answer is the only time that its signing secret is shown."""

    def work(session: Session) -> Made:
        row, secret = WebhookService(session, who).create(asked, _rules(ctx), Sealer(ctx.pepper))
        headers = {"Location": f"{router.prefix}/{row.id}", "Cache-Control": "no-store"}
        return Made(NewWebhookView.of(row, secret=secret), 201, headers, subject=row.id)

    return once.carry_out(who, asked, work, holds_secret=True).response


@router.get("")
def list_webhooks(
    ctx: Ctx, who: Admin, limit: Limit = 50, cursor: Cursor = None
) -> PageOf[WebhookView]:
    """List the workspace's webhooks, the newest first."""
    with ctx.database.read() as session:
        page = WebhookService(session, who).page(limit, cursor)
        items = [WebhookView.of(row) for row in page.items]
        return PageOf(items=items, next_cursor=page.next_cursor)


@router.get("/{webhook_id}", responses=described(404))
def get_webhook(ctx: Ctx, who: Admin, webhook_id: Id) -> WebhookView:
    """Look at a webhook, and why it is disabled if it is."""
    with ctx.database.read() as session:
        return WebhookView.of(WebhookService(session, who).get(webhook_id))


@router.patch("/{webhook_id}", responses=described(404, 413))
def change_webhook(
    ctx: Ctx, who: Admin, webhook_id: Id, asked: WebhookChange | None = None
) -> WebhookView:
    """Change a webhook, or disable it, or enable it again."""
    with ctx.database.write() as session:
        service = WebhookService(session, who)
        return WebhookView.of(service.change(webhook_id, asked or WebhookChange(), _rules(ctx)))


@router.delete("/{webhook_id}", status_code=204, responses=described(404))
def delete_webhook(ctx: Ctx, who: Admin, webhook_id: Id) -> None:
    """Delete a webhook, and what waits to be sent to it."""
    with ctx.database.write() as session:
        WebhookService(session, who).delete(webhook_id)


@router.post(
    "/{webhook_id}/rotate-secret",
    response_model=NewWebhookView,
    responses=described(404, 409, 413),
)
def rotate_webhook_secret(
    *, ctx: Ctx, who: Admin, webhook_id: Id, asked: Rotation | None = None, once: Once
) -> Response:
    """Make a new signing secret, shown this once; for a while both sign every message."""
    overlap = (asked or Rotation()).overlap_seconds

    def work(session: Session) -> Made:
        service = WebhookService(session, who)
        secret = service.rotate_secret(webhook_id, overlap, Sealer(ctx.pepper))
        view = NewWebhookView.of(service.get(webhook_id), secret=secret)
        return Made(view, 200, {"Cache-Control": "no-store"}, subject=webhook_id)

    return once.carry_out(who, asked, work, holds_secret=True).response


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    response_model=DeliveryView,
    responses=described(404, 409),
)
def test_webhook(who: Admin, webhook_id: Id, once: Once) -> Response:
    """Send a message of the type `webhook.test`; the delivery tells how it fares."""

    def work(session: Session) -> Made:
        service = WebhookService(session, who)
        view = DeliveryView.of(*service.delivery(webhook_id, service.test(webhook_id).id))
        location = f"{router.prefix}/{webhook_id}/deliveries/{view.id}"
        return Made(view, 202, {"Location": location}, subject=webhook_id)

    return once.carry_out(who, None, work).response


@router.get("/{webhook_id}/deliveries", responses=described(404))
def list_webhook_deliveries(
    *,
    ctx: Ctx,
    who: Admin,
    webhook_id: Id,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: DeliveryStatus | None = None,
) -> PageOf[DeliveryView]:
    """List what was sent to a webhook or waits to be, the newest first; kept for 30 days."""
    with ctx.database.read() as session:
        page = WebhookService(session, who).deliveries(webhook_id, limit, cursor, status)
        items = [DeliveryView.of(row, kind) for row, kind in page.items]
        return PageOf(items=items, next_cursor=page.next_cursor)


@router.get("/{webhook_id}/deliveries/{delivery_id}", responses=described(404))
def get_webhook_delivery(ctx: Ctx, who: Admin, webhook_id: Id, delivery_id: Id) -> DeliveryView:
    """Look at one delivery."""
    with ctx.database.read() as session:
        return DeliveryView.of(*WebhookService(session, who).delivery(webhook_id, delivery_id))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    response_model=DeliveryView,
    responses=described(404, 409),
)
def replay_webhook_delivery(who: Admin, webhook_id: Id, delivery_id: Id, once: Once) -> Response:
    """Send a message again, with the same `webhook-id`, whatever came of it before."""

    def work(session: Session) -> Made:
        replayed = WebhookService(session, who).replay(webhook_id, delivery_id)
        return Made(DeliveryView.of(*replayed), 202, subject=webhook_id)

    return once.carry_out(who, None, work).response


@router.post(
    "/{webhook_id}/replay",
    status_code=202,
    response_model=ReplayedView,
    responses=described(404, 409),
)
def replay_failed_webhook_deliveries(
    *, who: Admin, webhook_id: Id, since: Since = None, once: Once
) -> Response:
    """Send again everything that has failed."""

    def work(session: Session) -> Made:
        count = WebhookService(session, who).replay_failed(webhook_id, since)
        return Made(ReplayedView(replayed=count), 202, subject=webhook_id)

    return once.carry_out(who, None, work).response
