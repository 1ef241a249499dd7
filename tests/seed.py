"""Campaigns and contacts put straight into the database, for tests of what comes after loading."""

from __future__ import annotations

import orjson
from sqlalchemy import text

from dialer.attempts import workers
from dialer.attempts.ledger import Desk, ensure_account
from dialer.store.database import Store

ACCOUNT = "unleashx"


def seed_campaign(store: Store, name: str = "spring", contacts: int = 0, first_phone: int = 0) -> int:
    """Make a running campaign with `contacts` waiting contacts; return its id."""
    with store.write() as connection:
        campaign_id = connection.scalar(
            text(
                "INSERT INTO campaigns (name, account, state, spec, created_at_us, changed_at_us)"
                " VALUES (:name, :account, 'running', '{}', 0, 0) RETURNING campaign_id"
            ),
            {"name": name, "account": ACCOUNT},
        )
        assert isinstance(campaign_id, int)
        load_id = connection.scalar(
            text(
                "INSERT INTO loads (campaign_id, file, sha256, settings, rows_read, rows_accepted,"
                " rows_rejected, rows_duplicate, loaded_at_us)"
                " VALUES (:campaign_id, 'list.csv', '', '', :rows, :rows, 0, 0, 0) RETURNING load_id"
            ),
            {"campaign_id": campaign_id, "rows": contacts},
        )
        for number in range(contacts):
            connection.execute(
                text(
                    "INSERT INTO contacts (campaign_id, load_id, list_row, phone, metadata)"
                    " VALUES (:campaign_id, :load_id, :row, :phone, :metadata)"
                ),
                {
                    "campaign_id": campaign_id,
                    "load_id": load_id,
                    "row": number + 1,
                    "phone": phone(first_phone + number),
                    "metadata": orjson.dumps({"row": number + 1}).decode(),
                },
            )
        return campaign_id


def phone(number: int) -> str:
    """Return the n-th test number."""
    return f"+1202555{number:04d}"


def desk(store: Store, worker: str, calls_open_max: int | None = None) -> Desk:
    """Register a worker; return its desk."""
    ensure_account(store, ACCOUNT)
    workers.enter(store, worker)
    return Desk(store, worker, ACCOUNT, "unleashx", calls_open_max)


def statuses(store: Store) -> dict[str, int]:
    """Return how many contacts are in each status, as analysts see it."""
    with store.read() as connection:
        rows = connection.execute(text("SELECT status, count(*) FROM outcomes GROUP BY status"))
        return {row[0]: row[1] for row in rows}


def states(store: Store) -> dict[str, int]:
    """Return how many attempts are in each state."""
    with store.read() as connection:
        rows = connection.execute(text("SELECT state, count(*) FROM ledger GROUP BY state"))
        return {row[0]: row[1] for row in rows}
