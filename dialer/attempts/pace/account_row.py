"""An account's row: its lines of time, its holds, its turns; one small transaction each.

What several workers must agree on about an account stands in this row, by the database's clock.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from dialer.attempts.pace.parts import IN_PARTS, PartAsk, PartGrant, divide, read_parts, write_parts
from dialer.attempts.pace.slots import Ask, Grant, LineRow, RequestRule, reserve_calls, reserve_requests
from dialer.attempts.pace.windows import FULL, Slowed, slowed
from dialer.store.database import Dialects, Store

ENSURE = Dialects("INSERT INTO accounts (account) VALUES (:account) ON CONFLICT DO NOTHING")

LINE = Dialects(
    sqlite="""
    SELECT call_slot_at_us, sole_worker, sole_until_us, line_worker, shared_until_us, wanted_at_us
    FROM accounts WHERE account = :account""",
    postgresql="""
    SELECT call_slot_at_us, sole_worker, sole_until_us, line_worker, shared_until_us, wanted_at_us
    FROM accounts WHERE account = :account FOR UPDATE""",
)

MOVE_LINE = Dialects(
    """
    UPDATE accounts SET call_slot_at_us = :call_slot_at_us, sole_worker = :sole_worker,
        sole_until_us = :sole_until_us, line_worker = :line_worker, shared_until_us = :shared_until_us,
        wanted_at_us = :wanted_at_us
    WHERE account = :account"""
)

PARTS = Dialects(
    sqlite="SELECT line_parts FROM accounts WHERE account = :account",
    postgresql="SELECT line_parts FROM accounts WHERE account = :account FOR UPDATE",
)

MOVE_PARTS = Dialects(
    """
    UPDATE accounts SET line_parts = :line_parts, sole_worker = :sole_worker, sole_until_us = :sole_until_us
    WHERE account = :account"""
)

REQUESTS = Dialects(
    sqlite="SELECT request_slot_at_us FROM accounts WHERE account = :account",
    postgresql="SELECT request_slot_at_us FROM accounts WHERE account = :account FOR UPDATE",
)

MOVE_REQUESTS = Dialects("UPDATE accounts SET request_slot_at_us = :line_us WHERE account = :account")

HELD = Dialects(
    sqlite="SELECT held_until_us, pace_factor, changed_at_us FROM accounts WHERE account = :account",
    postgresql="""
    SELECT held_until_us, pace_factor, changed_at_us FROM accounts WHERE account = :account FOR UPDATE""",
)

HOLD = Dialects(
    """
    UPDATE accounts SET held_until_us = :held_until_us, pace_factor = :factor, changed_at_us = :changed_at_us
    WHERE account = :account"""
)

TAKE_POLLING = Dialects(
    """
    UPDATE accounts SET polling_until_us = :until_us WHERE account = :account AND polling_until_us <= :now_us
    RETURNING account"""
)

# Only where there is something to look up: most of the time nobody writes anything.
TAKE_LOOKING = Dialects(
    """
    UPDATE accounts SET looking_until_us = :until_us
    WHERE account = :account AND looking_until_us <= :now_us
        AND EXISTS (SELECT 1 FROM ledger
            WHERE account = :account AND state = 'unknown' AND next_lookup_at_us <= :now_us)
    RETURNING account"""
)

END_POLLING = Dialects("UPDATE accounts SET polling_until_us = :until_us WHERE account = :account")
END_LOOKING = Dialects("UPDATE accounts SET looking_until_us = :until_us WHERE account = :account")

HOLD_US_MAX = 24 * 3600 * 1_000_000
"""No provider holds an account for longer; a row that says so was written before a clock was set back."""


class Held(NamedTuple):
    """Until when an account is held, and how its pace was lowered, by the database's clock."""

    until_us: int = 0
    slowed: Slowed = FULL


def ensure_account(store: Store, account: str) -> None:
    """Make sure that the account has its row."""
    with store.write() as connection:
        store.execute(connection, ENSURE, account=account)


def take_slots(store: Store, account: str, ask: Ask) -> Grant:
    """Give a worker its next block of the account's line of calls."""
    with store.write() as connection:
        before = LineRow(*store.execute(connection, LINE, account=account)[0])
        row, grant = reserve_calls(before, ask, store.now_us(connection))
        store.execute(connection, MOVE_LINE, account=account, **row._asdict())
        return grant


def take_part(store: Store, account: str, ask: PartAsk) -> PartGrant:
    """Give a worker its part of the account's line of calls, or let it keep it."""
    with store.write() as connection:
        before = LineRow(*store.execute(connection, LINE, account=account)[0])
        written = store.execute(connection, PARTS, account=account)[0][0]
        now_us = store.now_us(connection)
        parts = read_parts(written, before, ask.window_us, ask.total)
        parts, grant = divide(parts, ask, now_us)
        until_us = max(one.until_us for one in parts.held)
        store.execute(
            connection,
            MOVE_PARTS,
            account=account,
            line_parts=write_parts(parts),
            sole_worker=IN_PARTS,
            sole_until_us=until_us,
        )
        return grant


def take_requests(store: Store, account: str, rule: RequestRule, count: int) -> tuple[int, list[int]]:
    """Return the database's clock and the moments at which the next `count` requests may leave."""
    with store.write() as connection:
        before_us = store.execute(connection, REQUESTS, account=account)[0][0]
        now_us = store.now_us(connection)
        line_us, moments_us = reserve_requests(before_us, count, rule, now_us)
        store.execute(connection, MOVE_REQUESTS, account=account, line_us=line_us)
        return now_us, moments_us


def hold(
    store: Store, connection: Connection, account: str, *, seconds: float, factor: float, now_us: int
) -> None:
    """Hold the account for every worker and lower its pace; refusals at nearly one moment are one event."""
    held_until_us, pace_factor, changed_at_us = store.execute(connection, HELD, account=account)[0]
    until_us = now_us + min(round(seconds * 1e6), HOLD_US_MAX)
    lower = slowed(Slowed(pace_factor, changed_at_us / 1e6), factor, now_us / 1e6)
    store.execute(
        connection,
        HOLD,
        account=account,
        held_until_us=max(until_us, held_until_us if held_until_us < now_us + HOLD_US_MAX else 0),
        factor=lower.factor,
        changed_at_us=round(lower.at_s * 1e6),
    )


def take_polling_turn(store: Store, account: str, for_s: float) -> bool:
    """Return whether this worker is to read the provider's list now, for all workers, within `for_s`."""
    return _take(store, TAKE_POLLING, account, for_s)


def end_polling_turn(store: Store, account: str, again_s: float) -> None:
    """Let the list be read again in `again_s`."""
    _end(store, END_POLLING, account, again_s)


def take_looking_turn(store: Store, account: str, for_s: float) -> bool:
    """Return whether this worker is to look up unknown attempts now: some are due and nobody else does."""
    return _take(store, TAKE_LOOKING, account, for_s)


def end_looking_turn(store: Store, account: str) -> None:
    """Let the next look-ups be anybody's."""
    _end(store, END_LOOKING, account, 0.0)


def _take(store: Store, statement: Dialects, account: str, for_s: float) -> bool:
    with store.write() as connection:
        now_us = store.now_us(connection)
        until_us = now_us + round(for_s * 1e6)
        return bool(store.execute(connection, statement, account=account, now_us=now_us, until_us=until_us))


def _end(store: Store, statement: Dialects, account: str, again_s: float) -> None:
    with store.write() as connection:
        until_us = store.now_us(connection) + round(again_s * 1e6)
        store.execute(connection, statement, account=account, until_us=until_us)
