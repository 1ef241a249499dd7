"""Runs of campaigns: started by what, when, and how they ended."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table; it is empty."""
    op.create_table(
        "campaign_runs",
        sa.Column(
            "run_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(),
            nullable=False,
        ),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("due_at_us", sa.BigInteger(), nullable=True),
        sa.Column("started_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("figures", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_index(
        "campaign_runs_once",
        "campaign_runs",
        ["campaign", "due_at_us"],
        unique=True,
        sqlite_where=sa.text("due_at_us IS NOT NULL"),
        postgresql_where=sa.text("due_at_us IS NOT NULL"),
    )
    op.create_index("campaign_runs_of_campaign", "campaign_runs", ["campaign", "run_id"], unique=False)
