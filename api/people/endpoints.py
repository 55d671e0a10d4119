"""``/v1/people``."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.auth import Admin
from api.context import Ctx
from api.http_rules import Cursor, Id, Limit, PageOf
from api.problems import described, not_found
from store.access_tables import Principal
from store.repositories import AuditTrail, SignInRepository
from store.repositories.principals import PrincipalRepository

router = APIRouter(prefix="/v1/people", tags=["identity"], responses=described(401, 403, 422))


class PersonView(BaseModel):
    """A person who has been here with a token."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """As the audit trail names them."""
    name: str
    """As the issuer called them when they were last seen."""
    issuer: str
    subject: str
    """As the issuer knows them: the token's ``sub``."""
    created_at: datetime
    last_seen_at: datetime | None

    @classmethod
    def of(cls, row: Principal) -> Self:
        """Return the view of a row."""
        return cls(
            id=row.id,
            name=row.name,
            issuer=row.issuer,
            subject=row.subject,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
        )


@router.get("")
def list_people(
    ctx: Ctx, who: Admin, limit: Limit = 50, cursor: Cursor = None
) -> PageOf[PersonView]:
    """List the people of the workspace who have been here, the newest first."""
    with ctx.database.read() as session:
        page = PrincipalRepository(session, who.workspace_id).page(limit, cursor)
        items = [PersonView.of(row) for row in page.items]
        return PageOf(items=items, next_cursor=page.next_cursor)


@router.get("/{person_id}", responses=described(404))
def get_person(ctx: Ctx, who: Admin, person_id: Id) -> PersonView:
    """Return one of them: who it is that a line of the trail names."""
    with ctx.database.read() as session:
        row = PrincipalRepository(session, who.workspace_id).get(person_id)
        if row is None:
            raise not_found("person")
        return PersonView.of(row)


@router.delete("/{person_id}/sign-ins", status_code=204, responses=described(404))
def sign_person_out(ctx: Ctx, who: Admin, person_id: Id) -> None:
    """Sign a person out of every browser, at once. A token of theirs is good until it expires."""
    with ctx.database.write() as session:
        if PrincipalRepository(session, who.workspace_id).get(person_id) is None:
            raise not_found("person")
        ended = SignInRepository(session, who.workspace_id).end_all(person_id)
        AuditTrail(session, who.workspace_id).append(
            who.key_id, "person.sign_out", person_id, {"sign_ins": ended}
        )
