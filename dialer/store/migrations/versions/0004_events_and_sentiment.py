"""What applying events needs: what each one says, under which keys it counts once; and a call's sentiment."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, the events' keys and the index of what is to be applied."""
    op.add_column("ledger", sa.Column("sentiment", sa.Text(), nullable=True))
    op.add_column("call_events", sa.Column("proof", sa.Integer(), server_default="1", nullable=False))
    op.add_column("call_events", sa.Column("said", sa.Text(), nullable=True))
    op.add_column("call_events", sa.Column("result", sa.Text(), nullable=True))
    op.add_column("call_events", sa.Column("due_at_us", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(
        "call_events_due",
        "call_events",
        ["account", "due_at_us"],
        unique=False,
        sqlite_where=sa.text("applied_at_us IS NULL"),
        postgresql_where=sa.text("applied_at_us IS NULL"),
    )
    op.create_table(
        "event_keys",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "event_key"),
    )
