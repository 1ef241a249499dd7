"""What several workers tell each other: who paces an account or a campaign, and whose turn it is to ask."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; every default is what one worker alone would write."""
    for name in ("sole_worker", "line_worker"):
        op.add_column("accounts", sa.Column(name, sa.Text(), nullable=True))
    moments = ("sole_until_us", "shared_until_us", "wanted_at_us", "polling_until_us", "looking_until_us")
    for name in moments:
        op.add_column("accounts", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("campaigns", sa.Column("pace_worker", sa.Text(), nullable=True))
    op.add_column("campaigns", sa.Column("for_workers", sa.Integer(), server_default="0", nullable=False))
    op.add_column("workers", sa.Column("campaign_id", sa.BigInteger(), nullable=True))
