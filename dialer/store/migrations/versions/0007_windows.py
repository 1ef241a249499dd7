"""Which contacts may be called at the same moments, why a call was allowed, and what caps count."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

LIVE = "state IN ('sending', 'unknown', 'accepted', 'ended')"


def upgrade() -> None:
    """Add groups; contacts that are there already get theirs when their campaign is next dialled."""
    big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "window_groups",
        sa.Column("group_id", big_id, sa.Identity(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("group_id"),
        sa.UniqueConstraint("key", name="window_groups_once"),
    )
    op.create_table(
        "campaign_groups",
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "group_id"),
    )
    op.execute("INSERT INTO campaign_groups (campaign_id, group_id) SELECT campaign_id, 0 FROM campaigns")
    op.add_column("contacts", sa.Column("window_group", sa.BigInteger(), server_default="0", nullable=False))
    op.drop_index("contacts_waiting", table_name="contacts")
    op.create_index(
        "contacts_waiting",
        "contacts",
        ["campaign_id", "window_group", "next_call_at_us", "contact_id"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index(
        "contacts_suppressed",
        "contacts",
        ["campaign_id", "window_group"],
        unique=False,
        sqlite_where=sa.text("status = 'suppressed'"),
        postgresql_where=sa.text("status = 'suppressed'"),
    )
    op.add_column("ledger", sa.Column("caps", sa.Text(), nullable=True))
    op.create_index(
        "ledger_calls_of_phone",
        "ledger",
        ["phone", "opened_at_us"],
        unique=False,
        sqlite_where=sa.text(LIVE),
        postgresql_where=sa.text(LIVE),
    )
    op.create_index(
        "ledger_spent",
        "ledger",
        ["campaign_id", "cost"],
        unique=False,
        sqlite_where=sa.text(LIVE),
        postgresql_where=sa.text(LIVE),
    )
