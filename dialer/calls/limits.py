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
BUDGET_AGAIN_US = 2_000_000
"""A budget that calls without a known cost have reserved is looked at again after so long."""
SENDING_AGAIN_US = 200_000
"""The same where requests are on their way, which may yet not be taken."""
ADD_UP_AGAIN_US = 10_000_000
"""For so long it is believed how many more calls there is money for: what calls cost is learned meanwhile."""

TICKETS_MAX = 1_000_000_000
"""More calls than that are found by adding up once more."""

ANY_SUPPRESSED = Dialects("SELECT EXISTS (SELECT 1 FROM suppressions)")

SUPPRESSED = Dialects(
    f"""
    SELECT r.attempt_id, contacts.contact_id
    FROM ROWS(attempt_id text, contact_id bigint) AS r
    JOIN contacts ON contacts.contact_id = r.contact_id
    JOIN campaigns ON campaigns.campaign_id = contacts.campaign_id
    WHERE {suppressed("contacts.phone", "campaigns.name", ":account")}"""
)

# Whose entry has expired or was taken off since, and whose next call is still allowed.
TAKE_BACK = Dialects(
    f"""
    UPDATE contacts SET status = 'waiting', reason = NULL
    WHERE contact_id IN (
        SELECT c.contact_id FROM contacts AS c JOIN campaigns ON campaigns.campaign_id = c.campaign_id
        WHERE c.campaign_id = :campaign_id AND c.status = 'suppressed' AND c.reason = 'do_not_call'
            AND (c.calls = 0 OR c.calls < :calls_max + c.calls_granted)
            AND NOT {suppressed("c.phone", "campaigns.name", "campaigns.account")})
    RETURNING contact_id"""
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
    SELECT pg_advisory_xact_lock(4242003, numbers.key) FROM (
        SELECT DISTINCT hashtext(contacts.phone) AS key
        FROM ROWS(attempt_id text, contact_id bigint, window_us bigint) AS r
        JOIN contacts ON contacts.contact_id = r.contact_id ORDER BY 1) AS numbers""",
)

# The calls of a number that may have reached the person. CROSS JOIN is an order for SQLite: rows, then index.
CALLS = Dialects(
    """
    SELECT r.attempt_id, coalesce(ledger.sent_at_us, ledger.opened_at_us)
    FROM ROWS(attempt_id text, contact_id bigint, window_us bigint) AS r CROSS JOIN contacts CROSS JOIN ledger
    WHERE contacts.contact_id = r.contact_id AND ledger.phone = contacts.phone
        AND ledger.state IN ('sending', 'unknown', 'accepted', 'ended')
        AND ledger.opened_at_us > :now_us - r.window_us - :guard_us"""
)

# Two workers that open calls of one campaign under a budget do so one after the other.
TICKETS = Dialects(
    sqlite="SELECT budget_left, budget_of, budget_at_us FROM campaigns WHERE campaign_id = :campaign_id",
    postgresql="""
    SELECT budget_left, budget_of, budget_at_us FROM campaigns WHERE campaign_id = :campaign_id FOR UPDATE""",
)

LEAVE_TICKETS = Dialects(
    """
    UPDATE campaigns SET budget_left = :left, budget_of = :budget, budget_at_us = :at_us
    WHERE campaign_id = :campaign_id"""
)

BELIEVED = Dialects(
    """
    SELECT campaign_id, budget_of FROM campaigns
    WHERE budget_left > 0 AND budget_of LIKE '% at %'
        AND campaign_id IN (SELECT r.id FROM ROWS(id bigint) AS r)"""
)

ADD_UP_AGAIN = Dialects("UPDATE campaigns SET budget_left = 0 WHERE campaign_id = :campaign_id")

SPENT = Dialects(
    """
    SELECT count(*), coalesce(sum(cost), 0), count(*) - count(cost), coalesce(max(cost), 0)
    FROM ledger
    WHERE campaign_id = :campaign_id AND state IN ('sending', 'unknown', 'accepted', 'ended')"""
)


SENDING = Dialects(
    """
    SELECT count(*) FROM ledger
    WHERE account = :account AND state IN ('sending', 'unknown', 'accepted') AND state = 'sending'
        AND campaign_id = :campaign_id"""
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


class Looked(NamedTuple):
    """What the last look found: which attempts must not be opened, and how the others stand to their caps
    (`2 of 3 per 24h (US-FL)`: the second call of three that any 24 hours may have).
    """

    kept: dict[str, Kept]
    caps: dict[str, str]


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

    def price(self, budget: Budget) -> float:
        """Return what is reserved for a call."""
        return budget.cost_per_call if budget.cost_per_call is not None else self.dearest

    def room(self, budget: Budget) -> float:
        """Return how many more calls the budget pays for; calls without a known cost are reserved.

        While no price is known at all, calls go one by one.
        """
        left = float("inf")
        if budget.calls_total is not None:
            left = budget.calls_total - self.calls
        if budget.cost_total is not None:
            price = self.price(budget)
            free = budget.cost_total - self.cost - self.unsettled * price
            left = min(left, free // price if price > 0 else 1 - self.unsettled)
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
) -> Looked:
    """Return which attempts must not be opened now; contacts on a do-not-call list become suppressed."""
    kept = {one.attempt_id: Kept("window_closed", now_us) for one in asked if now_us >= one.until_us}
    kept.update(_suppressed(store, connection, account, _others(asked, kept), now_us))
    capped, caps = _capped(store, connection, _others(asked, kept), now_us)
    kept.update(capped)
    kept.update(_beyond_budget(store, connection, account, _others(asked, kept), budgets, now_us))
    return Looked(kept, caps)


def take_back(store: Store, campaign_id: int, calls_max: int) -> int:
    """Let contacts wait again whose do-not-call entry has expired or was taken off; return how many."""
    with store.write() as connection:
        now_us = store.now_us(connection)
        return len(
            store.execute(connection, TAKE_BACK, campaign_id=campaign_id, calls_max=calls_max, now_us=now_us)
        )


def spent(store: Store, connection: Connection, campaign_id: int) -> Spent:
    """Return what the campaign's calls have cost so far; costs a look at each of them."""
    row = store.execute(connection, SPENT, campaign_id=campaign_id)[0]
    return Spent(row[0], float(row[1]), row[2], float(row[3]))


def learn(store: Store, connection: Connection, costs: Mapping[int, float]) -> None:
    """Have budgets added up again for which a call turned out dearer than was believed; by campaign."""
    rows = as_rows([one] for one in sorted(costs))
    for campaign_id, told in store.execute(connection, BELIEVED, rows=rows) if costs else ():
        if costs[campaign_id] > float(told.rpartition(" at ")[2]):
            store.execute(connection, ADD_UP_AGAIN, campaign_id=campaign_id)


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


def _capped(
    store: Store, connection: Connection, asked: Sequence[Asked], now_us: int
) -> tuple[dict[str, Kept], dict[str, str]]:
    """Return what the caps keep back, and how each attempt stands to its caps."""
    mine = [one for one in asked if one.caps]
    if not mine:
        return {}, {}
    rows = as_rows((one.attempt_id, one.contact_id, max(cap.window_us for cap in one.caps)) for one in mine)
    store.execute(connection, LOCK_NUMBERS, rows=rows)
    moments: dict[str, list[int]] = {one.attempt_id: [] for one in mine}
    for attempt_id, at_us in store.execute(connection, CALLS, rows=rows, now_us=now_us, guard_us=GUARD_US):
        moments[attempt_id].append(at_us)
    kept: dict[str, Kept] = {}
    told: dict[str, str] = {}
    for one in mine:
        calls_at_us = sorted(moments[one.attempt_id], reverse=True)
        again_at_us = max(_free_at_us(cap, calls_at_us) for cap in one.caps)
        if again_at_us > now_us:
            kept[one.attempt_id] = Kept("cap", again_at_us)
        told[one.attempt_id] = "; ".join(
            f"{sum(at_us > now_us - cap.window_us for at_us in calls_at_us) + 1} of {cap}" for cap in one.caps
        )
    return kept, told


def _free_at_us(cap: Cap, calls_at_us: Sequence[int]) -> int:
    """Return from when on the cap lets a further call through, by the moments of the latest calls."""
    if len(calls_at_us) < cap.calls:
        return 0
    return calls_at_us[cap.calls - 1] + cap.window_us + GUARD_US


def _beyond_budget(
    store: Store,
    connection: Connection,
    account: str,
    asked: Sequence[Asked],
    budgets: Mapping[int, Budget],
    now_us: int,
) -> dict[str, Kept]:
    kept: dict[str, Kept] = {}
    for campaign_id in sorted({one.campaign_id for one in asked} & budgets.keys()):
        budget = budgets[campaign_id]
        mine = [one for one in asked if one.campaign_id == campaign_id]
        if _have_tickets(store, connection, campaign_id, budget, len(mine), now_us):
            continue
        so_far = spent(store, connection, campaign_id)
        room = so_far.room(budget)
        price = so_far.price(budget)
        _leave_tickets(store, connection, campaign_id, budget, room - len(mine), price, now_us)
        used_up, again_us = False, SENDING_AGAIN_US
        if room < 1:
            # What is reserved may be released: a request that is on its way may yet not be taken.
            sending = store.execute(connection, SENDING, account=account, campaign_id=campaign_id)[0][0]
            all_called = budget.calls_total is not None and so_far.calls >= budget.calls_total
            used_up = sending == 0 and (so_far.unsettled == 0 or all_called)
            again_us = again_us if sending else BUDGET_AGAIN_US
        for place, one in enumerate(mine):
            if place >= room:
                kept[one.attempt_id] = Kept("budget", None if used_up else now_us + again_us)
    return kept


def _have_tickets(
    store: Store, connection: Connection, campaign_id: int, budget: Budget, calls: int, now_us: int
) -> bool:
    """Take so many of the calls that the last sum had room for, so that what was spent is not added up again.

    The campaign's row is ours from here on, whether there were as many or not.
    """
    [(left, found_for, at_us)] = store.execute(connection, TICKETS, campaign_id=campaign_id)
    lasts = budget.cost_total is None or 0 <= now_us - at_us < ADD_UP_AGAIN_US
    if not lasts or left < calls or not str(found_for).startswith(f"{_told(budget)} at "):
        return False
    values = {"campaign_id": campaign_id, "left": left - calls, "budget": found_for, "at_us": at_us}
    store.execute(connection, LEAVE_TICKETS, **values)
    return True


def _leave_tickets(
    store: Store,
    connection: Connection,
    campaign_id: int,
    budget: Budget,
    room: float,
    price: float,
    now_us: int,
) -> None:
    """Note for how many more calls there is room, at which price; half of them, where money decides.

    Calls that are not placed after all give room back, which the next sum finds. Costs take it away: a call
    may turn out dearer than those before it (`learn`). So does one that was placed after all (`revive_in`).
    """
    left = int(min(TICKETS_MAX, max(0, room if budget.cost_total is None else room // 2)))
    values = {"left": left, "budget": f"{_told(budget)} at {price!r}", "at_us": now_us}
    store.execute(connection, LEAVE_TICKETS, campaign_id=campaign_id, **values)


def _told(budget: Budget) -> str:
    return repr(tuple(budget))
