"""The ledger of attempts: the intent before the request, the answer after it, in small group commits.

One transaction (`exchange`) writes the answers that have come in, opens the attempts that leave next and
claims the contacts after them. An attempt's row is committed as `sending` before its request leaves;
whatever happens afterwards, the row is there and the database lets no second one open beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from dialer.attempts import workers
from dialer.attempts.answered import Answer, record, record_alone
from dialer.attempts.open_calls import LOCK_ACCOUNT, OPEN_BY_CAMPAIGN, OPEN_CALLS
from dialer.attempts.pace import account_row
from dialer.attempts.pace.account_row import Held
from dialer.attempts.pace.account_row import ensure_account as ensure_account
from dialer.attempts.pace.windows import Slowed
from dialer.calls import campaigns, limits
from dialer.calls import claim as claims
from dialer.calls.allowed import FAR_US, Grounds
from dialer.calls.claim import Asked, Call, Returned
from dialer.calls.groups import UNGROUPED
from dialer.calls.limits import Budget, Kept, Looked
from dialer.store.database import Dialects, Store, as_rows

OPEN = Dialects(
    # Sorted by number: two workers that open the same numbers wait for each other in one order.
    """
    INSERT INTO ledger (attempt_id, campaign_id, contact_id, phone, call_number, attempt_number, account,
        provider, agent, from_number, state, opened_at_us, worker, time_zone, time_zone_from, local_time,
        rules, caps)
    SELECT r.attempt_id, r.campaign_id, r.contact_id, contacts.phone, r.call_number, r.attempt_number,
        :account, :provider, r.agent, r.from_number, 'sending', :now_us, :worker, r.time_zone,
        r.time_zone_from, r.local_time, r.rules, r.caps
    FROM ROWS(attempt_id text, campaign_id bigint, contact_id bigint, call_number integer,
        attempt_number integer, agent text, from_number text, time_zone text, time_zone_from text,
        local_time text, rules text, caps text) AS r
    JOIN contacts ON contacts.contact_id = r.contact_id
    JOIN campaigns ON campaigns.campaign_id = r.campaign_id
    WHERE contacts.status = 'leased' AND contacts.worker = :worker AND campaigns.state = 'running'
        AND coalesce(campaigns.pace_worker, :worker) = :worker
    ORDER BY contacts.phone
    ON CONFLICT DO NOTHING"""
)

OPENED = Dialects(
    "SELECT attempt_id FROM ledger WHERE attempt_id IN (SELECT r.attempt_id FROM ROWS(attempt_id text) AS r)"
)

STATES = Dialects(
    """
    SELECT campaign_id, state, pace_worker, held_until_us, pace_factor, accounts.changed_at_us
    FROM campaigns JOIN accounts ON accounts.account = :account
    WHERE campaign_id IN (SELECT r.id FROM ROWS(id bigint) AS r)"""
)


class Opening(NamedTuple):
    """An attempt about to be opened for a leased contact, to leave before `until_us`, on these grounds."""

    attempt_id: str
    campaign_id: int
    contact_id: int
    call_number: int
    attempt_number: int
    agent: str
    from_number: str | None
    grounds: Grounds = Grounds()
    until_us: int = FAR_US


class Wanted(NamedTuple):
    """Contacts to claim of one campaign in the same transaction."""

    campaign_id: int
    how_many: int
    groups: Sequence[Asked] = (Asked(UNGROUPED),)


class Exchanged(NamedTuple):
    """What a transaction of the ledger brought.

    `alive`: our lease holds; where it does not, nothing was opened or claimed.
    `opened`: the ids that are committed as `sending` and may leave.
    `full`: the ids that a limit of open calls kept out; `kept`: what do-not-call, a cap, a budget or a window
    that closed kept out; others that were not opened have their number open elsewhere.
    `claimed`: calls under our lease now, one list per `Wanted`.
    `states`: the state of every campaign that was asked about; `paced_by`: who keeps its own pace.
    `held`: how the account is held and slowed. `now_us`: the database's clock.
    """

    alive: bool
    opened: frozenset[str]
    full: frozenset[str]
    claimed: list[list[Call]]
    states: dict[int, str]
    now_us: int
    paced_by: dict[int, str | None] = {}  # noqa: RUF012 - never written to
    held: Held = Held()
    kept: dict[str, Kept] = {}  # noqa: RUF012 - never written to


class Desk(NamedTuple):
    """Who writes into the ledger, and for which account."""

    store: Store
    worker: str
    account: str
    provider: str
    calls_open_max: int | None = None


class Refusal(NamedTuple):
    """The provider found the account too fast: hold it for everybody, and lower its pace."""

    hold_s: float
    factor: float


class Stop(NamedTuple):
    """A campaign that a breaker or the provider stopped, for every worker."""

    campaign_id: int
    reason: str


def exchange(
    desk: Desk,
    campaign_ids: Sequence[int],
    *,
    answers: Sequence[Answer] = (),
    openings: Sequence[Opening] = (),
    returned: Sequence[Returned] = (),
    wanted: Sequence[Wanted] = (),
    stops: Sequence[Stop] = (),
    refusal: Refusal | None = None,
    rooms: Mapping[int, int] | None = None,
    budgets: Mapping[int, Budget] | None = None,
) -> Exchanged:
    """Write answers, give leases back, open attempts and claim contacts, all in one transaction.

    `rooms` are the campaigns' own limits of open calls, `budgets` what they may spend, where they say so.

    Answers are written whatever became of the worker's lease: they are facts. An opening that the database
    does not take (another campaign has the number open, the campaign was paused, too many calls are open)
    is missing in `opened`, and its contact is still under our lease.

    Raises:
        NotReady: the database did not take it. Nothing was written or, where the connection broke during
            the commit, everything: answers may be said again, openings must be withdrawn.
    """
    page = _Page(
        desk, campaign_ids, answers, openings, returned, wanted, stops, refusal, rooms or {}, budgets or {}
    )
    try:
        return _exchange(page, together=True)
    except IntegrityError:
        # Some answer brings an execution id that another attempt has already: take them one by one.
        return _exchange(page, together=False)


class _Page(NamedTuple):
    """One transaction's work; see `exchange`."""

    desk: Desk
    campaign_ids: Sequence[int]
    answers: Sequence[Answer]
    openings: Sequence[Opening]
    returned: Sequence[Returned]
    wanted: Sequence[Wanted]
    stops: Sequence[Stop]
    refusal: Refusal | None
    rooms: Mapping[int, int]
    budgets: Mapping[int, Budget]


def _exchange(page: _Page, *, together: bool) -> Exchanged:
    desk, store = page.desk, page.desk.store
    with store.write() as connection:
        if together:
            record(store, connection, page.answers)
        else:
            for answer in page.answers:
                record_alone(store, connection, answer)
        claims.give_back(store, connection, desk.worker, page.returned)
        now_us = store.now_us(connection)
        for stop in page.stops:
            campaigns.stop(store, connection, stop.campaign_id, stop.reason)
        if page.refusal is not None:
            hold_s, factor = page.refusal
            account_row.hold(store, connection, desk.account, seconds=hold_s, factor=factor, now_us=now_us)
        states, paced_by, held = _states(store, connection, desk.account, page.campaign_ids)
        if not workers.holds(store, connection, desk.worker, now_us):
            nothing: list[list[Call]] = [[] for _ in page.wanted]
            return Exchanged(False, frozenset(), frozenset(), nothing, states, now_us, paced_by, held)
        openings, full = _fitting(page, connection)
        openings, looked = _lawful(desk, connection, openings, page.budgets, now_us)
        opened = _open(desk, connection, openings, looked.caps, now_us)
        if len(opened) < len(openings):
            # On PostgreSQL a pause may have come in since we asked: that is not a number that is busy.
            states, paced_by, held = _states(store, connection, desk.account, page.campaign_ids)
        claimed = [
            claims.claim(
                store,
                connection,
                desk.worker,
                one.campaign_id,
                count=one.how_many,
                groups=one.groups,
                now_us=now_us,
            )
            if states.get(one.campaign_id) == "running"
            else []
            for one in page.wanted
        ]
        return Exchanged(True, opened, full, claimed, states, now_us, paced_by, held, looked.kept)


def _fitting(page: _Page, connection: Connection) -> tuple[Sequence[Opening], frozenset[str]]:
    """Return the openings that the limits of open calls let in, and the ids of the others."""
    desk = page.desk
    if not page.openings or (desk.calls_open_max is None and not page.rooms):
        return page.openings, frozenset()
    desk.store.execute(connection, LOCK_ACCOUNT, account=desk.account)
    if page.rooms:
        rows = desk.store.execute(connection, OPEN_BY_CAMPAIGN, account=desk.account)
    else:
        rows = desk.store.execute(connection, OPEN_CALLS, account=desk.account)
    open_calls = {row[0]: row[1] for row in rows}
    left = {one: most - open_calls.get(one, 0) for one, most in page.rooms.items()}
    whole = math.inf if desk.calls_open_max is None else desk.calls_open_max - sum(open_calls.values())
    fitting: list[Opening] = []
    for opening in page.openings:
        room = left.get(opening.campaign_id, math.inf)
        if len(fitting) < whole and room > 0:
            fitting.append(opening)
            left[opening.campaign_id] = room - 1
    let_in = {opening.attempt_id for opening in fitting}
    return fitting, frozenset(one.attempt_id for one in page.openings if one.attempt_id not in let_in)


def _lawful(
    desk: Desk,
    connection: Connection,
    openings: Sequence[Opening],
    budgets: Mapping[int, Budget],
    now_us: int,
) -> tuple[list[Opening], Looked]:
    """Return the openings that may leave by now, and why the others may not.

    This is the last look, in the transaction that commits the intent: at do-not-call, at the number's calls
    over all campaigns, at the budget, and at the window by the database's clock.
    """
    asked = [
        limits.Asked(one.attempt_id, one.contact_id, one.campaign_id, one.until_us, one.grounds.caps)
        for one in openings
    ]
    looked = limits.kept_back(desk.store, connection, desk.account, asked, budgets, now_us)
    return [one for one in openings if one.attempt_id not in looked.kept], looked


def _open(
    desk: Desk, connection: Connection, openings: Sequence[Opening], caps: Mapping[str, str], now_us: int
) -> frozenset[str]:
    if not openings:
        return frozenset()
    opened = desk.store.change(
        connection,
        OPEN,
        rows=as_rows((*one[:7], *one.grounds[:4], caps.get(one.attempt_id)) for one in openings),
        account=desk.account,
        provider=desk.provider,
        worker=desk.worker,
        now_us=now_us,
    )
    ids = [one.attempt_id for one in openings]
    if opened == len(ids):
        return frozenset(ids)
    rows = desk.store.execute(connection, OPENED, rows=as_rows([one] for one in ids))
    return frozenset(row[0] for row in rows)


def _states(
    store: Store, connection: Connection, account: str, campaign_ids: Sequence[int]
) -> tuple[dict[int, str], dict[int, str | None], Held]:
    asked = as_rows([[campaign_id] for campaign_id in campaign_ids])
    rows = store.execute(connection, STATES, rows=asked, account=account)
    held = Held()
    if rows and (rows[0][3] or rows[0][4] < 1):
        held = Held(rows[0][3], Slowed(rows[0][4], rows[0][5] / 1e6))
    return {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}, held
