"""The first tables: lists in, the ledger of attempts, outcomes out."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "accounts",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("call_slot_at_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("request_slot_at_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held_until_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("pace_factor", sa.Float(), server_default="1", nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "call_events",
        sa.Column("event_id", BIG_ID, sa.Identity(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=True),
        sa.Column("execution_id", sa.Text(), nullable=True),
        sa.Column("attempt_id", sa.Text(), nullable=True),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.Column("applied_at_us", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_index(
        "call_events_once",
        "call_events",
        ["account", "delivery_id"],
        unique=True,
        sqlite_where=sa.text("delivery_id IS NOT NULL"),
        postgresql_where=sa.text("delivery_id IS NOT NULL"),
    )
    op.create_table(
        "campaigns",
        sa.Column("campaign_id", BIG_ID, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="idle", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('idle', 'running', 'paused', 'stopped', 'canceled')", name="campaign_state_is_known"
        ),
        sa.PrimaryKeyConstraint("campaign_id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "contacts",
        sa.Column("contact_id", BIG_ID, sa.Identity(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.Column("list_row", sa.BigInteger(), nullable=False),
        sa.Column("list_id", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("phone_region", sa.Text(), nullable=True),
        sa.Column("phone_type", sa.Text(), nullable=True),
        sa.Column("phone_extension", sa.Text(), nullable=True),
        sa.Column("time_zones", sa.Text(), nullable=True),
        sa.Column("other_phones", sa.Text(), nullable=True),
        sa.Column("repaired", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_call_at_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("last_attempt_id", sa.Text(), nullable=True),
        sa.Column("first_called_at_us", sa.BigInteger(), nullable=True),
        sa.Column("last_called_at_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'leased', 'calling', 'unknown', 'done', 'refused', 'suppressed', 'canceled')",
            name="status_is_known",
        ),
        sa.PrimaryKeyConstraint("contact_id"),
    )
    op.create_index(
        "contacts_leased",
        "contacts",
        ["worker"],
        unique=False,
        sqlite_where=sa.text("status = 'leased'"),
        postgresql_where=sa.text("status = 'leased'"),
    )
    op.create_index("contacts_once_per_campaign", "contacts", ["campaign_id", "phone"], unique=True)
    op.create_index(
        "contacts_waiting",
        "contacts",
        ["campaign_id", "next_call_at_us", "contact_id"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_table(
        "ledger",
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("call_number", sa.Integer(), nullable=False),
        sa.Column("attempt_number", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("from_number", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=True),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("provider_status", sa.Text(), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("opened_at_us", sa.BigInteger(), nullable=False),
        sa.Column("sent_at_us", sa.BigInteger(), nullable=True),
        sa.Column("answered_at_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("duration_s", sa.Float(), nullable=True),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("recording_url", sa.Text(), nullable=True),
        sa.Column("transcript", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("time_zone_from", sa.Text(), nullable=True),
        sa.Column("local_time", sa.Text(), nullable=True),
        sa.Column("rules", sa.Text(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("lookups", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_lookup_at_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('sending', 'accepted', 'refused', 'not_dialled', 'unknown', 'ended')",
            name="state_is_known",
        ),
        sa.PrimaryKeyConstraint("attempt_id"),
    )
    op.create_index(
        "ledger_execution_once",
        "ledger",
        ["account", "execution_id"],
        unique=True,
        sqlite_where=sa.text("execution_id IS NOT NULL"),
        postgresql_where=sa.text("execution_id IS NOT NULL"),
    )
    op.create_index(
        "ledger_one_live_per_call",
        "ledger",
        ["contact_id", "call_number"],
        unique=True,
        sqlite_where=sa.text("state IN ('sending', 'unknown', 'accepted', 'ended')"),
        postgresql_where=sa.text("state IN ('sending', 'unknown', 'accepted', 'ended')"),
    )
    op.create_index(
        "ledger_one_open_per_phone",
        "ledger",
        ["phone"],
        unique=True,
        sqlite_where=sa.text("state IN ('sending', 'unknown', 'accepted')"),
        postgresql_where=sa.text("state IN ('sending', 'unknown', 'accepted')"),
    )
    op.create_index(
        "ledger_open",
        "ledger",
        ["account", "opened_at_us"],
        unique=False,
        sqlite_where=sa.text("state IN ('sending', 'unknown', 'accepted')"),
        postgresql_where=sa.text("state IN ('sending', 'unknown', 'accepted')"),
    )
    op.create_index(
        "ledger_provider_ref_once",
        "ledger",
        ["account", "provider_ref"],
        unique=True,
        sqlite_where=sa.text("provider_ref IS NOT NULL"),
        postgresql_where=sa.text("provider_ref IS NOT NULL"),
    )
    op.create_index(
        "ledger_unknown",
        "ledger",
        ["account", "next_lookup_at_us"],
        unique=False,
        sqlite_where=sa.text("state = 'unknown'"),
        postgresql_where=sa.text("state = 'unknown'"),
    )
    op.create_table(
        "loads",
        sa.Column("load_id", BIG_ID, sa.Identity(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=True),
        sa.Column("delimiter", sa.Text(), nullable=True),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("rows_accepted", sa.BigInteger(), nullable=False),
        sa.Column("rows_rejected", sa.BigInteger(), nullable=False),
        sa.Column("rows_duplicate", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "rows_read = rows_accepted + rows_rejected + rows_duplicate", name="books_balance"
        ),
        sa.PrimaryKeyConstraint("load_id"),
    )
    op.create_index("loads_of_campaign", "loads", ["campaign_id", "sha256"], unique=False)
    op.create_table(
        "rejected_rows",
        sa.Column("reject_id", BIG_ID, sa.Identity(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.Column("list_row", sa.BigInteger(), nullable=False),
        sa.Column("list_line", sa.BigInteger(), nullable=True),
        sa.Column("column_name", sa.Text(), nullable=True),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("suggestion", sa.Text(), nullable=True),
        sa.Column("row", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("reject_id"),
    )
    op.create_index("rejected_rows_of_load", "rejected_rows", ["load_id", "list_row"], unique=False)
    op.create_table(
        "workers",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at_us", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('alive', 'left', 'dead')", name="worker_state_is_known"),
        sa.PrimaryKeyConstraint("worker"),
    )
