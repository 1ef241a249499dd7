"""The tables of the results database, the same on SQLite and PostgreSQL.

Moments are UTC microseconds since 1970 (`..._at_us`); the views of `views.py` show them as times.
There are no foreign keys: on PostgreSQL each would lock a contact's row once more for every attempt.
`dialer audit` proves what they would prove.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from dialer.store.database import sqlite_lists

metadata = MetaData()

BigId = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER PRIMARY KEY counts up on SQLite


def _id(name: str) -> Column[int]:
    return Column(name, BigId, Identity(), primary_key=True)


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, **options)


def _at(name: str, **options: Any) -> Column[int]:
    return Column(name, BigInteger, **options)


CONTACT_STATUSES = ("waiting", "leased", "calling", "unknown", "done", "refused", "suppressed", "canceled")
ATTEMPT_STATES = ("sending", "accepted", "refused", "not_dialled", "unknown", "ended")


def _only(condition: str) -> dict[str, Any]:
    """Return what makes an index one of the rows that meet the condition, on both databases."""
    return {"sqlite_where": text(sqlite_lists(condition)), "postgresql_where": text(condition)}


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    allowed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({allowed})", name=f"{column}_is_known")


campaigns = Table(
    "campaigns",
    metadata,
    _id("campaign_id"),
    _text("name", nullable=False, unique=True),
    _text("account", nullable=False),
    _text("state", nullable=False, server_default="idle"),
    _text("reason"),
    _text("spec", nullable=False),
    _at("created_at_us", nullable=False),
    _at("changed_at_us", nullable=False),
    # The one worker that dials a campaign with a pace of its own; and whether it goes on without a run.
    _text("pace_worker"),
    Column("for_workers", Integer, nullable=False, server_default="0"),
    # How many more calls may be opened before the budget is added up again, for which budget that was found.
    Column("budget_left", BigInteger, nullable=False, server_default="0"),
    _text("budget_of"),
    _at("budget_at_us", nullable=False, server_default="0"),
    CheckConstraint(
        "state IN ('idle', 'running', 'paused', 'stopped', 'canceled')", name="campaign_state_is_known"
    ),
)

loads = Table(
    "loads",
    metadata,
    _id("load_id"),
    Column("campaign_id", BigInteger, nullable=False),
    _text("file", nullable=False),
    _text("sha256", nullable=False),
    _text("settings", nullable=False),
    _text("encoding"),
    _text("delimiter"),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_accepted", BigInteger, nullable=False),
    Column("rows_rejected", BigInteger, nullable=False),
    Column("rows_duplicate", BigInteger, nullable=False),
    _at("loaded_at_us", nullable=False),
    _text("columns"),  # the list's own, as JSON, in their order
    CheckConstraint("rows_read = rows_accepted + rows_rejected + rows_duplicate", name="books_balance"),
    Index("loads_of_campaign", "campaign_id", "sha256"),
)

contacts = Table(
    "contacts",
    metadata,
    _id("contact_id"),
    Column("campaign_id", BigInteger, nullable=False),
    Column("load_id", BigInteger, nullable=False),
    Column("list_row", BigInteger, nullable=False),
    _text("list_id"),
    _text("phone", nullable=False),
    _text("phone_region"),
    _text("phone_type"),
    _text("phone_extension"),
    _text("time_zones"),
    _text("other_phones"),
    _text("repaired"),
    _text("metadata"),
    _text("status", nullable=False, server_default="waiting"),
    _text("reason"),
    Column("calls", Integer, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    _at("next_call_at_us", nullable=False, server_default="0"),
    _text("worker"),
    _text("last_attempt_id"),
    _at("first_called_at_us"),
    _at("last_called_at_us"),
    # Contacts that may be called at the same moments; 0 before the campaign's next run gives one.
    Column("window_group", BigInteger, nullable=False, server_default="0"),
    # Calls beyond the campaign's limit, one for each later list that asked for one (`again = "call_again"`).
    Column("calls_granted", Integer, nullable=False, server_default="0"),
    _one_of("status", CONTACT_STATUSES),
    # The claim walks the first, a dead worker's leases are found by the second.
    Index(
        "contacts_waiting",
        "campaign_id",
        "window_group",
        "next_call_at_us",
        "contact_id",
        **_only("status = 'waiting'"),
    ),
    Index("contacts_suppressed", "campaign_id", "window_group", **_only("status = 'suppressed'")),
    Index("contacts_leased", "worker", **_only("status = 'leased'")),
    Index("contacts_once_per_campaign", "campaign_id", "phone", unique=True),
)

rejected_rows = Table(
    "rejected_rows",
    metadata,
    _id("reject_id"),
    Column("campaign_id", BigInteger, nullable=False),
    Column("load_id", BigInteger, nullable=False),
    Column("list_row", BigInteger, nullable=False),
    Column("list_line", BigInteger),
    _text("column_name"),
    _text("raw"),
    _text("reason", nullable=False),
    _text("detail"),
    _text("suggestion"),
    _text("row"),
    # A row that an export of rejects brought back: the reject it first was. And the load that brought this
    # one back, mended or not: from then on the row is told there.
    Column("origin_reject_id", BigInteger),
    Column("again_load_id", BigInteger),
    Index("rejected_rows_of_load", "load_id", "list_row"),
    Index("rejected_rows_of_origin", "origin_reject_id", **_only("origin_reject_id IS NOT NULL")),
    Index("rejected_rows_again", "campaign_id", "load_id", "reason", **_only("again_load_id IS NOT NULL")),
)

OPEN = "state IN ('sending', 'unknown', 'accepted')"
LIVE = "state IN ('sending', 'unknown', 'accepted', 'ended')"

ledger = Table(
    "ledger",
    metadata,
    _text("attempt_id", primary_key=True),
    Column("campaign_id", BigInteger, nullable=False),
    Column("contact_id", BigInteger, nullable=False),
    _text("phone", nullable=False),
    Column("call_number", Integer, nullable=False),
    Column("attempt_number", Integer, nullable=False),
    _text("account", nullable=False),
    _text("provider", nullable=False),
    _text("agent", nullable=False),
    _text("from_number"),
    _text("state", nullable=False),
    _text("execution_id"),
    _text("provider_ref"),
    _text("provider_status"),
    Column("http_status", Integer),
    _text("error_code"),
    _text("error"),
    _at("opened_at_us", nullable=False),
    _at("sent_at_us"),
    _at("answered_at_us"),
    _at("ended_at_us"),
    _text("outcome"),
    _text("disposition"),
    Column("duration_s", Float),
    Column("cost", Float),
    _text("currency"),
    _text("recording_url"),
    _text("transcript"),
    _text("time_zone"),
    _text("time_zone_from"),
    _text("local_time"),
    _text("rules"),
    _text("worker", nullable=False),
    _text("caps"),
    Column("lookups", Integer, nullable=False, server_default="0"),
    _at("next_lookup_at_us"),
    _text("sentiment"),
    _one_of("state", ATTEMPT_STATES),
    # The two promises that the database itself keeps: one open attempt per number over all campaigns,
    # and one attempt per call that may have reached the person.
    Index("ledger_calls_of_phone", "phone", "opened_at_us", **_only(LIVE)),
    # What a campaign has spent of its budget.
    Index("ledger_spent", "campaign_id", "cost", **_only(LIVE)),
    Index("ledger_one_open_per_phone", "phone", unique=True, **_only(OPEN)),
    Index("ledger_one_live_per_call", "contact_id", "call_number", unique=True, **_only(LIVE)),
    Index(
        "ledger_execution_once", "account", "execution_id", unique=True, **_only("execution_id IS NOT NULL")
    ),
    Index(
        "ledger_provider_ref_once",
        "account",
        "provider_ref",
        unique=True,
        **_only("provider_ref IS NOT NULL"),
    ),
    Index("ledger_open", "account", "opened_at_us", **_only(OPEN)),
    Index("ledger_unknown", "account", "next_lookup_at_us", **_only("state = 'unknown'")),
)

accounts = Table(
    "accounts",
    metadata,
    _text("account", primary_key=True),
    # The account's lines of time: when the next call, and the next request of any kind, may leave.
    _at("call_slot_at_us", nullable=False, server_default="0"),
    _at("request_slot_at_us", nullable=False, server_default="0"),
    _at("held_until_us", nullable=False, server_default="0"),
    Column("pace_factor", Float, nullable=False, server_default="1"),
    _at("changed_at_us", nullable=False, server_default="0"),
    # Who has the line for itself and until when; who took slots last, and until when the line is shared.
    _text("sole_worker"),
    _text("line_worker"),
    _at("sole_until_us", nullable=False, server_default="0"),
    _at("shared_until_us", nullable=False, server_default="0"),
    _at("wanted_at_us", nullable=False, server_default="0"),
    # How the line is divided among workers (dialer.attempts.pace.parts), as JSON.
    _text("line_parts"),
    # Until when one worker reads the provider's list, or looks up unknown attempts, for all of them.
    _at("polling_until_us", nullable=False, server_default="0"),
    _at("looking_until_us", nullable=False, server_default="0"),
)

workers = Table(
    "workers",
    metadata,
    _text("worker", primary_key=True),
    _text("state", nullable=False),
    _at("started_at_us", nullable=False),
    _at("lease_until_us", nullable=False),
    Column("campaign_id", BigInteger),  # a run's; a worker for every campaign has none
    Column("run_id", BigInteger),  # of campaign_runs, a run's too
    _at(
        "seen_at_us"
    ),  # when it last said that it lives; on SQLite, where no heart beats, when it came and left
    CheckConstraint("state IN ('alive', 'left', 'dead')", name="worker_state_is_known"),
)

call_events = Table(
    "call_events",
    metadata,
    _id("event_id"),
    _text("account", nullable=False),
    _text("provider", nullable=False),
    _text("delivery_id"),
    _text("execution_id"),
    _text("attempt_id"),
    _at("received_at_us", nullable=False),
    _at("applied_at_us"),
    _text("kind"),
    _text("body", nullable=False),
    # Whether its content may be believed, what it says of a call (JSON), and what came of applying it.
    Column("proof", Integer, nullable=False, server_default="1"),
    _text("said"),
    _text("result"),
    _at("due_at_us", nullable=False, server_default="0"),
    Index("call_events_once", "account", "delivery_id", unique=True, **_only("delivery_id IS NOT NULL")),
    Index("call_events_due", "account", "due_at_us", **_only("applied_at_us IS NULL")),
)

# Every key under which an event counts as one and the same: its delivery id, and what its provider adds.
event_keys = Table(
    "event_keys",
    metadata,
    _text("account", primary_key=True),
    _text("event_key", primary_key=True),
    _at("received_at_us", nullable=False),
)

suppressions = Table(
    "suppressions",
    metadata,
    _id("suppression_id"),
    # An E.164 number or how numbers begin; campaign and account are '' where it holds for all of them.
    _text("value", nullable=False),
    _text("kind", nullable=False),
    _text("campaign", nullable=False, server_default=""),
    _text("account", nullable=False, server_default=""),
    _text("reason"),
    _text("source"),
    _at("added_at_us", nullable=False),
    _at("expires_at_us"),
    _one_of("kind", ("number", "prefix")),
    Index("suppressions_once", "value", "kind", "campaign", "account", unique=True),
    Index("suppressions_prefixes", "value", **_only("kind = 'prefix'")),
)

campaign_runs = Table(
    "campaign_runs",
    metadata,
    _id("run_id"),
    # By name: a run may be refused before its campaign is in the database.
    _text("campaign", nullable=False),
    _text("started_by", nullable=False),
    _at("due_at_us"),
    _at("started_at_us", nullable=False),
    _at("ended_at_us"),
    _text("ended"),
    Column("exit_code", Integer),
    _text("figures"),
    # One run per due time, over any number of machines.
    Index("campaign_runs_once", "campaign", "due_at_us", unique=True, **_only("due_at_us IS NOT NULL")),
    Index("campaign_runs_of_campaign", "campaign", "run_id"),
)

window_groups = Table(
    "window_groups",
    metadata,
    _id("group_id"),
    _text("key", nullable=False),
    UniqueConstraint("key", name="window_groups_once"),
)

campaign_groups = Table(
    "campaign_groups",
    metadata,
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("group_id", BigInteger, primary_key=True, autoincrement=False),
)
