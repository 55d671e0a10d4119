"""People of one workspace, as an issuer vouched for them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access_tables import Principal
from store.columns import new_id, utc_now
from store.repositories.paging import Page, page_of


class PrincipalRepository:
    """People of one workspace."""

    def __init__(self, session: Session, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def find(self, issuer: str, subject: str) -> Principal | None:
        """Return whom an issuer calls so, or null."""
        return self._session.scalar(
            select(Principal).where(
                Principal.workspace_id == self._workspace_id,
                Principal.issuer == issuer,
                Principal.subject == subject,
            )
        )

    def add(self, issuer: str, subject: str, name: str) -> Principal:
        """Keep somebody who comes for the first time.

        Raises:
            sqlalchemy.exc.IntegrityError: Another request of the same person was faster.
        """
        row = Principal(
            id=new_id("usr"),
            workspace_id=self._workspace_id,
            issuer=issuer,
            subject=subject,
            name=name,
            last_seen_at=utc_now(),
        )
        self._session.add(row)
        self._session.flush()
        return row

    def touch(self, principal_id: str, name: str) -> None:
        """Note that somebody came now, and what they are called."""
        row = self.get(principal_id)
        if row is not None:
            row.name, row.last_seen_at = name, utc_now()

    def get(self, principal_id: str) -> Principal | None:
        """Return a person, or null."""
        return self._session.scalar(
            select(Principal).where(
                Principal.id == principal_id, Principal.workspace_id == self._workspace_id
            )
        )

    def page(self, limit: int, cursor: str | None) -> Page[Principal]:
        """Return people, the newest first."""
        query = select(Principal).where(Principal.workspace_id == self._workspace_id)
        return page_of(self._session, query, Principal.id, limit, cursor)
