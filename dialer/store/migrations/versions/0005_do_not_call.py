"""Numbers and prefixes that must not be called."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table; it is empty."""
    op.create_table(
        "suppressions",
        sa.Column(
            "suppression_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(),
            nullable=False,
        ),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), server_default="", nullable=False),
        sa.Column("account", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("added_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('number', 'prefix')", name="kind_is_known"),
        sa.PrimaryKeyConstraint("suppression_id"),
    )
    op.create_index(
        "suppressions_once", "suppressions", ["value", "kind", "campaign", "account"], unique=True
    )
    op.create_index(
        "suppressions_prefixes",
        "suppressions",
        ["value"],
        unique=False,
        sqlite_where=sa.text("kind = 'prefix'"),
        postgresql_where=sa.text("kind = 'prefix'"),
    )
