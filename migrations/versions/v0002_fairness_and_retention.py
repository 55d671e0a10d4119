"""Fair queues, steps that may fail alone, another try, and what is to be deleted.

Compatible with the code of 0001: what it writes leaves the new columns to their defaults.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from store.columns import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_INDEXES = [
    ("ix_jobs_workspace_id_id", "jobs", ["workspace_id", "id"]),
    ("ix_jobs_workspace_id_served_at", "jobs", ["workspace_id", "served_at"]),
    ("ix_steps_output_prefix", "steps", ["output_prefix"]),
]


def _columns() -> list[tuple[str, sa.Column[Any]]]:
    return [
        ("jobs", sa.Column("priority", sa.Integer(), nullable=False, server_default="0")),
        ("jobs", sa.Column("served_at", UtcDateTime(), nullable=True)),
        ("jobs", sa.Column("failures", _JSON, nullable=True)),
        ("jobs", sa.Column("retry_of", sa.String(length=64), nullable=True)),
        ("steps", sa.Column("code_version", sa.Integer(), nullable=True)),
        ("steps", sa.Column("strikes", sa.Integer(), nullable=False, server_default="0")),
        ("steps", sa.Column("best_fraction", sa.Float(), nullable=False, server_default="0")),
        ("steps", sa.Column("available_at", UtcDateTime(), nullable=True)),
        ("steps", sa.Column("place", sa.String(length=100), nullable=True)),
        ("step_dependencies", sa.Column("soft_group", sa.Integer(), nullable=True)),
        ("artifacts", sa.Column("removed_at", UtcDateTime(), nullable=True)),
        ("workers", sa.Column("place", sa.String(length=100), nullable=True)),
        ("workers", sa.Column("paused", sa.Text(), nullable=True)),
    ]


def upgrade() -> None:
    """Add columns, indexes and the table of removals."""
    for table, column in _columns():
        op.add_column(table, column)
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns, unique=False)
    op.create_table(
        "removals",
        sa.Column("id", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("workspace_id", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_removals_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removals")),
    )


def downgrade() -> None:
    """Take them away again; a step that was skipped is then one that was cancelled."""
    op.execute("UPDATE steps SET status = 'cancelled' WHERE status = 'skipped'")
    op.drop_table("removals")
    for name, table, _ in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
    for table, column in reversed(_columns()):
        op.drop_column(table, column.name)
