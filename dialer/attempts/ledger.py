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

from dialer.attempts import account_row, workers
from dialer.attempts.account_row import Held
from dialer.attempts.account_row import ensure_account as ensure_account
from dialer.attempts.windows import Slowed
from dialer.base.ids import first_attempt_id
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

_ANSWERED = (
    "attempt_id text, state text, execution_id text, provider_status text, http_status integer,"
    " error_code text, error text, sent_at_us bigint, answered_at_us bigint, next_lookup_at_us bigint,"
    " contact_id bigint, status text, reason text, calls integer, tries integer, next_call_at_us bigint,"
    " called_at_us bigint"
)
_ANSWER = """
    UPDATE ledger SET state = r.state, execution_id = r.execution_id, provider_status = r.provider_status,
        http_status = r.http_status, error_code = r.error_code, error = r.error,
        sent_at_us = r.sent_at_us, answered_at_us = r.answered_at_us, next_lookup_at_us = r.next_lookup_at_us
    FROM {rows} AS r
    WHERE ledger.attempt_id = r.attempt_id AND ledger.state IN ('sending', 'unknown')"""
_ANSWER_CONTACT = """
    UPDATE contacts SET status = r.status, reason = r.reason, calls = r.calls, tries = r.tries,
        next_call_at_us = r.next_call_at_us, worker = NULL,
        last_attempt_id = CASE r.status WHEN 'waiting' THEN contacts.last_attempt_id ELSE r.attempt_id END,
        first_called_at_us = coalesce(contacts.first_called_at_us, r.called_at_us),
        last_called_at_us = coalesce(r.called_at_us, contacts.last_called_at_us)
    FROM {rows} AS r
    WHERE contacts.contact_id = r.contact_id AND contacts.status IN ('leased', 'unknown') AND r.attempt_id"""

# An answer that was written before, or whose attempt somebody else has settled, leaves the contact alone:
# it counts only where the ledger took it.
ANSWERS = Dialects(
    postgresql=f"""
    WITH r AS MATERIALIZED (SELECT * FROM ROWS({_ANSWERED}) AS rows ORDER BY attempt_id),
    written AS ({_ANSWER.format(rows="r")} RETURNING ledger.attempt_id)
    {_ANSWER_CONTACT.format(rows="r")} IN (SELECT attempt_id FROM written)""",
    # Nobody else writes meanwhile: what the ledger is about to take can be seen before it does.
    sqlite=f"""
    {_ANSWER_CONTACT.format(rows=f"ROWS({_ANSWERED})")} IN (
        SELECT attempt_id FROM ledger WHERE attempt_id = r.attempt_id AND state IN ('sending', 'unknown'))""",
)

ANSWERS_OF_LEDGER = Dialects(_ANSWER.format(rows=f"ROWS({_ANSWERED})"))

STATES = Dialects(
    """
    SELECT campaign_id, state, pace_worker, held_until_us, pace_factor, accounts.changed_at_us
    FROM campaigns JOIN accounts ON accounts.account = :account
    WHERE campaign_id IN (SELECT r.id FROM ROWS(id bigint) AS r)"""
)

# What may be a live call: on its way, accepted without an outcome, or sent and still being looked up.
OPEN_CALLS = Dialects(
    """
    SELECT 0, count(*) FROM ledger
    WHERE account = :account AND state IN ('sending', 'unknown', 'accepted')
        AND NOT (state = 'unknown' AND next_lookup_at_us IS NULL)"""
)

OPEN_BY_CAMPAIGN = Dialects(
    """
    SELECT campaign_id, count(*) FROM ledger
    WHERE account = :account AND state IN ('sending', 'unknown', 'accepted')
        AND NOT (state = 'unknown' AND next_lookup_at_us IS NULL)
    GROUP BY campaign_id"""
)

OPEN_OF_CAMPAIGN = Dialects(
    """
    SELECT coalesce(sum(CASE WHEN state = 'accepted' THEN 1 ELSE 0 END), 0),
        coalesce(sum(CASE WHEN state = 'unknown' THEN 1 ELSE 0 END), 0),
        coalesce(sum(CASE WHEN state = 'sending' AND worker <> :worker THEN 1 ELSE 0 END), 0),
        min(next_lookup_at_us)
    FROM ledger
    WHERE account = :account AND state IN ('sending', 'unknown', 'accepted') AND campaign_id = :campaign_id"""
)

# Attempt ids begin with their time: the last minute's are one range of the primary key.
RECENT = Dialects(
    """
    SELECT coalesce(sent_at_us, CASE WHEN error_code = 'worker_died' THEN :now_us ELSE opened_at_us END)
    FROM ledger
    WHERE attempt_id >= :first AND account = :account AND coalesce(error_code, '') <> 'withdrawn'
        AND (campaign_id = :campaign_id OR :campaign_id = 0)"""
)

# Two workers that count open calls do so one after the other.
LOCK_ACCOUNT = Dialects(
    sqlite="SELECT 1",
    postgresql="SELECT 1 FROM accounts WHERE account = :account FOR UPDATE",
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


class Answer(NamedTuple):
    """What came of an attempt, for its row in the ledger and for its contact.

    `sent_at_us` is None where the request never left; `called_at_us` where the person was surely not called.
    """

    attempt_id: str
    state: str
    execution_id: str | None
    provider_status: str | None
    http_status: int | None
    error_code: str | None
    error: str | None
    sent_at_us: int | None
    answered_at_us: int
    next_lookup_at_us: int | None
    contact_id: int
    status: str
    reason: str | None
    calls: int
    tries: int
    next_call_at_us: int
    called_at_us: int | None


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


class OpenOfCampaign(NamedTuple):
    """What of a campaign is still open: accepted calls, unknown attempts, what other workers are sending,
    and the next look-up's moment.
    """

    accepted: int
    unknown: int
    sent_by_others: int
    next_lookup_at_us: int | None


def open_of_campaign(
    store: Store, connection: Connection, campaign_id: int, account: str, worker: str
) -> OpenOfCampaign:
    """Return what of the campaign is still open; costs what is open, not what is over."""
    rows = store.execute(
        connection, OPEN_OF_CAMPAIGN, account=account, campaign_id=campaign_id, worker=worker
    )
    return OpenOfCampaign(*rows[0])


def recent_departures(store: Store, account: str, within_s: float, campaign_id: int = 0) -> list[float]:
    """Return how many seconds ago each call of the account, or of one campaign, left.

    Where a worker died before it wrote that down, the request may have left as late as now.
    """
    with store.read() as connection:
        now_us = store.now_us(connection)
        first = first_attempt_id(now_us - round(within_s * 1e6))
        rows = store.execute(
            connection, RECENT, now_us=now_us, first=first, account=account, campaign_id=campaign_id
        )
        return sorted((max(0.0, (now_us - row[0]) / 1e6) for row in rows), reverse=True)


def _exchange(page: _Page, *, together: bool) -> Exchanged:
    desk, store = page.desk, page.desk.store
    with store.write() as connection:
        if together:
            _record(store, connection, page.answers)
        else:
            for answer in page.answers:
                _record_alone(store, connection, answer)
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


def _record(store: Store, connection: Connection, answers: Sequence[Answer]) -> None:
    if answers:
        rows = as_rows(sorted(answers))
        store.change(connection, ANSWERS, rows=rows)
        if store.is_sqlite:
            store.change(connection, ANSWERS_OF_LEDGER, rows=rows)


def _record_alone(store: Store, connection: Connection, answer: Answer) -> None:
    try:
        with connection.begin_nested():
            _record(store, connection, [answer])
    except IntegrityError:
        _record(store, connection, [without_execution_id(answer)])


def without_execution_id(answer: Answer) -> Answer:
    """Return the answer as `unknown`: its execution id belongs to another attempt, so it proves nothing."""
    return answer._replace(
        state="unknown",
        execution_id=None,
        error_code="duplicate_execution_id",
        error=f"the provider answered with the execution id of another attempt ({answer.execution_id})",
        next_lookup_at_us=answer.answered_at_us,
        status="unknown",
        reason="duplicate_execution_id",
    )


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
