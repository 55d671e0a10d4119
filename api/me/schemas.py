"""What is answered about whoever asks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from store.repositories import Identity
from store.repositories.workspaces import workspace_name
from store.roles import Role, what_scopes_allow

_SCOPES: tuple[Role, ...] = ("reader", "researcher", "admin")


class Me(BaseModel):
    """Who is asking, and what that allows."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: Literal["key", "person"]
    """``person``: whoever an OpenID Connect token speaks of."""
    id: str
    """As the audit trail names it."""
    name: str
    workspace_id: str
    workspace_name: str
    scopes: list[Role]
    """All of them, also those that another one brings with it."""
    expires_at: datetime | None
    """Of the key, the token or a person's sign-in; null: never."""

    @classmethod
    def of(cls, session: Session, who: Identity) -> Self:
        """Return the view of somebody."""
        allowed = what_scopes_allow(who.scopes)
        return cls(
            kind=who.kind,
            id=who.key_id,
            name=who.name,
            workspace_id=who.workspace_id,
            workspace_name=workspace_name(session, who.workspace_id),
            scopes=[scope for scope in _SCOPES if scope in allowed],
            expires_at=who.expires_at,
        )
