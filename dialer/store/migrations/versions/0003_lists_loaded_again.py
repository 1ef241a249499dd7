"""What loading a list again needs: which rejects were mended, who may be called once more, a list's columns."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; every default is what a list loaded once has."""
    op.add_column("loads", sa.Column("columns", sa.Text(), nullable=True))
    op.add_column("contacts", sa.Column("calls_granted", sa.Integer(), server_default="0", nullable=False))
    op.add_column("rejected_rows", sa.Column("again_load_id", sa.BigInteger(), nullable=True))
    op.add_column("rejected_rows", sa.Column("origin_reject_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "rejected_rows_of_origin",
        "rejected_rows",
        ["origin_reject_id"],
        unique=False,
        sqlite_where=sa.text("origin_reject_id IS NOT NULL"),
        postgresql_where=sa.text("origin_reject_id IS NOT NULL"),
    )
    op.create_index(
        "rejected_rows_again",
        "rejected_rows",
        ["campaign_id", "load_id", "reason"],
        unique=False,
        sqlite_where=sa.text("again_load_id IS NOT NULL"),
        postgresql_where=sa.text("again_load_id IS NOT NULL"),
    )
