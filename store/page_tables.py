"""Tables that the page for people needs: who has signed in, and what a job's steps have said."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import utc_now
from store.tables import COUNTER, ID, Base

LogLevel = Literal["info", "warning", "error"]

Base.registry.update_type_annotation_map({LogLevel: String(16)})


class SignIn(Base):
    """A browser that somebody has signed in with; see ``api.session``.

    Of a key it holds no more than the id: a key that is revoked, or runs out, ends what was signed
    in with it. A person's scopes are those of the token that they came with.
    """

    __tablename__ = "sign_ins"
    __table_args__ = (Index("ix_sign_ins_expires_at", "expires_at"),)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """HMAC of the cookie's value, which is kept nowhere."""
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    actor: Mapped[str] = mapped_column(ID)
    """Id of the key or person."""
    is_person: Mapped[bool]
    name: Mapped[str] = mapped_column(String(200), default="")
    """As the token calls the person; empty for a key, which has its own."""
    scopes: Mapped[list[Any] | None]
    """A person's; null for a key, which has its own."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_seen_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]


class LogLine(Base):
    """Something about a job's steps that is worth telling whoever asked for it.

    It holds nothing that an upload brought with it: no file name, no path.
    """

    __tablename__ = "log_lines"
    __table_args__ = (Index("ix_log_lines_job_id_id", "job_id", "id"),)
    id: Mapped[int] = mapped_column(COUNTER, primary_key=True, autoincrement=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    # With the job go its lines, also where code that knows no lines deletes it.
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    step_name: Mapped[str] = mapped_column(String(200))
    attempt: Mapped[int]
    level: Mapped[LogLevel]
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
