"""Workers that have a part of an account's pace each, and budgets that are not added up for every page."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns; their defaults say that nothing was divided and nothing added up yet."""
    op.add_column("accounts", sa.Column("line_parts", sa.Text(), nullable=True))
    for name in ("budget_left", "budget_at_us"):
        op.add_column("campaigns", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("campaigns", sa.Column("budget_of", sa.Text(), nullable=True))
