"""What workers compute with, and how long work takes there.

Compatible with the code of 0002: what it writes leaves the new columns empty, and nothing is
learned from it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from store.columns import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _columns() -> list[tuple[str, sa.Column[Any]]]:
    return [
        ("workers", sa.Column("device", _JSON, nullable=True)),
        ("steps", sa.Column("workload", sa.String(length=200), nullable=True)),
        ("steps", sa.Column("units", sa.Float(), nullable=True)),
    ]


def upgrade() -> None:
    """Add columns, and the table of speeds."""
    for table, column in _columns():
        op.add_column(table, column)
    op.create_table(
        "measured_speeds",
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("workload", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("units", sa.Float(), nullable=False),
        sa.Column("measured_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("device", "workload", name=op.f("pk_measured_speeds")),
    )


def downgrade() -> None:
    """Take them away again: speeds are measured anew."""
    op.drop_table("measured_speeds")
    for table, column in reversed(_columns()):
        op.drop_column(table, column.name)
