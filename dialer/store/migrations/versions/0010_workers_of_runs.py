"""Workers that say which run they dial for, and when they last said that they live."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns; of workers that came before neither is known."""
    for name in ("run_id", "seen_at_us"):
        op.add_column("workers", sa.Column(name, sa.BigInteger(), nullable=True))
