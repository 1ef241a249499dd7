"""Workers and their leases: who may dial, and what becomes of what a dead one left behind.

A worker's lease is one row, by the database's clock. Every transaction that opens attempts holds that
row (`FOR SHARE` on PostgreSQL), and declaring a worker dead changes it: so a worker either commits its
intents before it is declared dead, and they are seen, or finds out and sends nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from dialer.base.errors import NotReady
from dialer.calls import campaigns, runs
from dialer.store.database import Dialects, Store

log = structlog.get_logger()

LEASE_S = 15.0
"""How long a worker that says nothing is still taken to be alive."""

ENTER = Dialects(
    """
    INSERT INTO workers (worker, state, started_at_us, seen_at_us, lease_until_us, campaign_id, run_id)
    VALUES (:worker, 'alive', :now_us, :now_us, :until_us, :campaign_id, :run_id)"""
)

RENEW = Dialects(
    """
    UPDATE workers SET lease_until_us = :until_us, seen_at_us = :now_us
    WHERE worker = :worker AND state = 'alive'
    RETURNING lease_until_us"""
)

HOLD = Dialects(
    sqlite="""
    SELECT lease_until_us FROM workers WHERE worker = :worker AND state = 'alive'""",
    postgresql="""
    SELECT lease_until_us FROM workers WHERE worker = :worker AND state = 'alive' FOR SHARE""",
)

LEAVE = Dialects(
    "UPDATE workers SET state = 'left', seen_at_us = :now_us WHERE worker = :worker AND state = 'alive'"
)

DECLARE_DEAD = Dialects(
    """
    UPDATE workers SET state = 'dead'
    WHERE state = 'alive' AND worker <> :worker AND lease_until_us < :dead_before_us
    RETURNING worker, campaign_id"""
)

# What a dead worker had in the air may have been dialled; what it had only leased was not.
TURN_UNKNOWN = Dialects(
    """
    UPDATE ledger SET state = 'unknown', error_code = 'worker_died',
        error = 'the worker ended before an answer was written down', next_lookup_at_us = :now_us
    WHERE state IN ('sending', 'unknown', 'accepted') AND state = 'sending'
        AND worker IN (SELECT worker FROM workers WHERE state <> 'alive')
    RETURNING attempt_id"""
)

CONTACTS_UNKNOWN = Dialects(
    """
    UPDATE contacts SET status = 'unknown', reason = 'worker_died', worker = NULL, calls = ledger.call_number,
        tries = ledger.attempt_number, last_attempt_id = ledger.attempt_id,
        first_called_at_us = coalesce(contacts.first_called_at_us, ledger.opened_at_us),
        last_called_at_us = ledger.opened_at_us
    FROM ledger
    WHERE contacts.status = 'leased'
        AND contacts.worker IN (SELECT worker FROM workers WHERE state <> 'alive')
        AND ledger.contact_id = contacts.contact_id AND ledger.call_number = contacts.calls + 1
        AND ledger.state = 'unknown'"""
)

LEASES_BACK = Dialects(
    """
    UPDATE contacts SET status = 'waiting', worker = NULL
    WHERE status = 'leased' AND worker IN (SELECT worker FROM workers WHERE state <> 'alive')
    RETURNING contact_id"""
)


class Recovered(NamedTuple):
    """What dead workers left: workers declared dead, attempts that became unknown, leases returned."""

    workers: int
    unknown: int
    returned: int


class LeaseLost(NotReady):
    """This worker was declared dead: it was silent for longer than its lease. It must send nothing more."""


def enter(
    store: Store,
    worker: str,
    lease_s: float = LEASE_S,
    campaign_id: int | None = None,
    run_id: int | None = None,
) -> None:
    """Register a new worker, alive for `lease_s`; a run has a campaign, and its record's id."""
    with store.write() as connection:
        now_us = store.now_us(connection)
        until_us = now_us + round(lease_s * 1e6)
        store.execute(
            connection,
            ENTER,
            worker=worker,
            now_us=now_us,
            until_us=until_us,
            campaign_id=campaign_id,
            run_id=run_id,
        )
        if campaign_id is not None:
            campaigns.go_on(store, connection, campaign_id)
        if run_id is not None:
            runs.go_on(store, connection, run_id)


def renew(store: Store, worker: str, lease_s: float = LEASE_S) -> None:
    """Stay alive for another `lease_s`.

    Raises:
        LeaseLost: another worker declared this one dead.
    """
    with store.write() as connection:
        now_us = store.now_us(connection)
        until_us = now_us + round(lease_s * 1e6)
        if not store.execute(connection, RENEW, worker=worker, now_us=now_us, until_us=until_us):
            raise LeaseLost("this worker was silent for longer than its lease and lost it; start it again")


def holds(store: Store, connection: Connection, worker: str, now_us: int) -> bool:
    """Return whether the worker is alive; while the transaction lasts nobody can declare it dead."""
    rows = store.execute(connection, HOLD, worker=worker)
    return bool(rows) and rows[0][0] > now_us


def leave(store: Store, worker: str) -> Recovered:
    """Leave in good order: whatever is still under this worker's name returns as a dead one's would."""
    with store.write() as connection:
        store.execute(connection, LEAVE, worker=worker, now_us=store.now_us(connection))
        return _collect(store, connection, workers=0)


def recover(store: Store, worker: str, *, alone: bool = False) -> Recovered:
    """Take over what dead workers left behind: leases return, attempts in the air become `unknown`.

    `alone` says that no other worker can live (the caller holds the file's lock), so that nobody's lease
    is waited for. What only a dead run dialed is dialed no more, and its record ends when it was last seen.
    """
    with store.write() as connection:
        now_us = store.now_us(connection)
        dead_before_us = 2**62 if alone else now_us
        dead = store.execute(connection, DECLARE_DEAD, worker=worker, dead_before_us=dead_before_us)
        dialed = {row[1] for row in dead} - {None}
        if dialed:
            campaigns.end_dead_runs(store, connection, dialed)
        recovered = _collect(store, connection, workers=len(dead))
        ended = runs.end_dead(store, connection, alone=alone)
    for campaign, run_id in ended:
        log.warning("run.ended", campaign=campaign, run=run_id, ended=runs.INTERRUPTED)
    return recovered


def _collect(store: Store, connection: Connection, workers: int) -> Recovered:
    unknown = store.execute(connection, TURN_UNKNOWN, now_us=store.now_us(connection))
    store.execute(connection, CONTACTS_UNKNOWN)
    returned = store.execute(connection, LEASES_BACK)
    campaigns.settle_all_canceled(store, connection)
    return Recovered(workers, len(unknown), len(returned))
