"""The workspaces themselves: for the operator, and for whoever may choose among several."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.columns import new_id
from store.tables import Workspace


def workspace_name(session: Session, workspace_id: str) -> str:
    """Return what a workspace is called."""
    return session.get_one(Workspace, workspace_id).name


def workspaces_named(session: Session, names: Collection[str]) -> Sequence[Workspace]:
    """Return the workspaces that are called so, by name; names of none are left out."""
    return session.scalars(
        select(Workspace).where(Workspace.name.in_(names)).order_by(Workspace.name)
    ).all()


def all_workspaces(session: Session) -> Sequence[Workspace]:
    """Return every workspace, the oldest first."""
    return session.scalars(select(Workspace).order_by(Workspace.id)).all()


def add_workspace(session: Session, name: str) -> Workspace:
    """Make a workspace whose name no other has."""
    row = Workspace(id=new_id("ws"), name=name)
    session.add(row)
    session.flush()
    return row
