"""The last look before a call is opened: do-not-call, caps, budgets, and the window by the database's clock.

It runs in the transaction that commits the intent, so that two workers cannot both find room for the last
call that a cap or a budget allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from dialer.calls.suppressions import suppressed
from dialer.campaign import Campaign
from dialer.campaign.caps import Cap
from dialer.store.database import Dialects, Store, as_rows

GUARD_US = 60_000_000
"""A cap's window is kept so much longer: a request may leave, and arrive, a little after it was opened."""
BUDGET_AGAIN_US = 5_000_000
"""A budget that open calls have reserved is looked at again after so long."""

ANY_SUPPRESSED = Dialects("SELECT EXISTS (SELECT 1 FROM suppressions)")

SUPPRESSED = Dialects(
    f"""
    SELECT r.attempt_id, contacts.contact_id
    FROM ROWS(attempt_id text, contact_id bigint) AS r
    JOIN contacts ON contacts.contact_id = r.contact_id
    JOIN campaigns ON campaigns.campaign_id = contacts.campaign_id
    WHERE {suppressed("contacts.phone", "campaigns.name", ":account")}"""
)

SUPPRESS = Dialects(
    """
    UPDATE contacts SET status = 'suppressed', reason = 'do_not_call', worker = NULL
    FROM ROWS(contact_id bigint) AS r
    WHERE contacts.contact_id = r.contact_id AND contacts.status = 'leased'"""
)

# Two workers that are about to open calls of one number under a cap do so one after the other.
LOCK_NUMBERS = Dialects(
    sqlite="SELECT 1",
    postgresql="""
    SELECT pg_advisory_xact_lock(4242003, hashtext(phones.phone)) FROM (
        SELECT DISTINCT contacts.phone
        FROM ROWS(attempt_id text, contact_id bigint, calls integer, window_us bigint) AS r
        JOIN contacts ON contacts.contact_id = r.contact_id ORDER BY contacts.phone) AS phones""",
)

# The moment of the call that fills the cap: the calls-th latest that may have reached the person.
CAPPED = Dialects(
    """
    SELECT r.attempt_id, r.window_us, (
        SELECT coalesce(ledger.sent_at_us, ledger.opened_at_us) FROM ledger
        WHERE ledger.phone = contacts.phone AND ledger.state IN ('sending', 'unknown', 'accepted', 'ended')
            AND ledger.opened_at_us > :now_us - r.window_us - :guard_us
        ORDER BY ledger.opened_at_us DESC LIMIT 1 OFFSET r.calls - 1)
    FROM ROWS(attempt_id text, contact_id bigint, calls integer, window_us bigint) AS r
    JOIN contacts ON contacts.contact_id = r.contact_id"""
)

LOCK_CAMPAIGN = Dialects(
    sqlite="SELECT 1",
    postgresql="SELECT 1 FROM campaigns WHERE campaign_id = :campaign_id FOR UPDATE",
)

SPENT = Dialects(
    """
    SELECT count(*), coalesce(sum(cost), 0), count(*) - count(cost), coalesce(max(cost), 0)
    FROM ledger
    WHERE campaign_id = :campaign_id AND state IN ('sending', 'unknown', 'accepted', 'ended')"""
)


class Asked(NamedTuple):
    """An attempt about to be opened, the end of its window, and the caps that its number is under."""

    attempt_id: str
    contact_id: int
    campaign_id: int
    until_us: int
    caps: tuple[Cap, ...]


class Kept(NamedTuple):
    """Why an attempt is not opened, and when it may be tried again; None: never."""

    reason: str
    again_at_us: int | None


class Budget(NamedTuple):
    """What a campaign may spend: calls, and money; what is reserved for a call (None: the dearest so far)."""

    calls_total: int | None
    cost_total: float | None
    cost_per_call: float | None


class Spent(NamedTuple):
    """What a campaign has spent: calls, money, calls whose cost is not known yet, the dearest call."""

    calls: int
    cost: float
    unsettled: int
    dearest: float

    def room(self, budget: Budget) -> float:
        """Return how many more calls the budget pays for; calls without a known cost are reserved."""
        left = float("inf")
        if budget.calls_total is not None:
            left = budget.calls_total - self.calls
        if budget.cost_total is not None:
            price = budget.cost_per_call if budget.cost_per_call is not None else self.dearest
            free = budget.cost_total - self.cost - self.unsettled * price
            left = min(left, free // price if price > 0 else (float("inf") if free > 0 else 0))
        return max(0, left)


def budget_of(campaign: Campaign) -> Budget | None:
    """Return what the campaign's file lets it spend; None where it says nothing."""
    caps = campaign.caps
    if caps.calls_total is None and caps.cost_total is None:
        return None
    return Budget(caps.calls_total, caps.cost_total, caps.cost_per_call)


def kept_back(
    store: Store,
    connection: Connection,
    account: str,
    asked: Sequence[Asked],
    budgets: Mapping[int, Budget],
    now_us: int,
) -> dict[str, Kept]:
    """Return which attempts must not be opened now; contacts on a do-not-call list become suppressed."""
    kept = {one.attempt_id: Kept("window_closed", now_us) for one in asked if now_us >= one.until_us}
    kept.update(_suppressed(store, connection, account, _others(asked, kept), now_us))
    kept.update(_capped(store, connection, _others(asked, kept), now_us))
    kept.update(_beyond_budget(store, connection, _others(asked, kept), budgets, now_us))
    return kept


def spent(store: Store, connection: Connection, campaign_id: int) -> Spent:
    """Return what the campaign's calls have cost so far; costs a look at each of them."""
    row = store.execute(connection, SPENT, campaign_id=campaign_id)[0]
    return Spent(row[0], float(row[1]), row[2], float(row[3]))


def _others(asked: Iterable[Asked], kept: Mapping[str, Kept]) -> list[Asked]:
    return [one for one in asked if one.attempt_id not in kept]


def _suppressed(
    store: Store, connection: Connection, account: str, asked: Sequence[Asked], now_us: int
) -> dict[str, Kept]:
    if not asked or not store.execute(connection, ANY_SUPPRESSED)[0][0]:
        return {}
    rows = as_rows((one.attempt_id, one.contact_id) for one in asked)
    found = store.execute(connection, SUPPRESSED, rows=rows, account=account, now_us=now_us)
    if found:
        store.execute(connection, SUPPRESS, rows=as_rows(sorted({(row[1],) for row in found})))
    return {row[0]: Kept("do_not_call", None) for row in found}


def _capped(store: Store, connection: Connection, asked: Sequence[Asked], now_us: int) -> dict[str, Kept]:
    wanted = [(one.attempt_id, one.contact_id, cap.calls, cap.window_us) for one in asked for cap in one.caps]
    if not wanted:
        return {}
    rows = as_rows(wanted)
    store.execute(connection, LOCK_NUMBERS, rows=rows)
    found = store.execute(connection, CAPPED, rows=rows, now_us=now_us, guard_us=GUARD_US)
    kept: dict[str, Kept] = {}
    for attempt_id, window_us, full_since_us in found:
        if full_since_us is not None:
            again_at_us = max(now_us + 1, full_since_us + window_us + GUARD_US)
            before = kept.get(attempt_id)
            if before is None or (before.again_at_us or 0) < again_at_us:
                kept[attempt_id] = Kept("cap", again_at_us)
    return kept


def _beyond_budget(
    store: Store,
    connection: Connection,
    asked: Sequence[Asked],
    budgets: Mapping[int, Budget],
    now_us: int,
) -> dict[str, Kept]:
    kept: dict[str, Kept] = {}
    for campaign_id in sorted({one.campaign_id for one in asked} & budgets.keys()):
        budget = budgets[campaign_id]
        store.execute(connection, LOCK_CAMPAIGN, campaign_id=campaign_id)
        so_far = spent(store, connection, campaign_id)
        room = so_far.room(budget)
        mine = [one for one in asked if one.campaign_id == campaign_id]
        # What is reserved may be released; what is spent is not.
        used_up = room < 1 and (so_far.unsettled == 0 or so_far.calls == budget.calls_total)
        for place, one in enumerate(mine):
            if place >= room:
                kept[one.attempt_id] = Kept("budget", None if used_up else now_us + BUDGET_AGAIN_US)
    return kept
