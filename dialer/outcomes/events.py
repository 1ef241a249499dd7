"""Events of providers: stored first, applied once, to the attempt that they are about.

`store_events` is what a receiver calls before it answers: it writes what came and nothing else, and says
of each whether it is new. `apply_events` settles attempts by the stored ones, whoever calls it, whenever:
early (the submission's answer is not written yet: the event waits), late, twice and out of order included.
An event that is no proof settles nothing; `take_hints` gives it to whoever polls.

Events stay as they came. `result` says what came of one:

| result | means |
| --- | --- |
| settled | the attempt was bound, or ended |
| known | it says nothing new |
| added | the call was over; details that were missing are added |
| revived | the attempt had been taken for not placed, and its contact was not called again yet |
| contradicts | the attempt was taken for not placed, or has another execution id |
| unmatched | no attempt of the account is meant |
| ignored | it says nothing of a call |
| asked | it is no proof; the provider was asked instead |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import orjson
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from dialer.attempts.match import is_another_call
from dialer.attempts.settle import bind_in, enrich_in, revive_in
from dialer.attempts.unsettled import Finding, Pending
from dialer.providers.abilities import ProviderEvent
from dialer.providers.provider import Execution
from dialer.store.database import Dialects, Store, as_rows

log = structlog.get_logger()

MOST = 500
"""Events applied in one transaction, at most."""
RETRY_FIRST_S = 0.2
"""An event whose attempt is not there yet is tried again after this long, then after half its age."""

NEW_KEYS = Dialects(
    """
    INSERT INTO event_keys (account, event_key, received_at_us)
    SELECT r.account, r.event_key, :now_us FROM ROWS(account text, event_key text) AS r
    WHERE r.account <> '' ORDER BY r.account, r.event_key
    ON CONFLICT DO NOTHING RETURNING account, event_key"""
)

STORE = Dialects(
    """
    INSERT INTO call_events (account, provider, delivery_id, execution_id, attempt_id, received_at_us, kind,
        body, proof, said)
    SELECT r.account, r.provider, r.delivery_id, r.execution_id, NULL, :now_us, r.kind, r.body, r.proof,
        r.said
    FROM ROWS(account text, provider text, delivery_id text, execution_id text, kind text, body text,
        proof integer, said text) AS r
    WHERE r.account <> ''
    ON CONFLICT DO NOTHING"""
)

DUE_COLUMNS = "SELECT event_id, received_at_us, said FROM call_events"
DUE_WHERE = """
    WHERE account = :account AND applied_at_us IS NULL AND due_at_us <= :now_us AND proof = 1
    ORDER BY due_at_us, event_id LIMIT :most"""
DUE = Dialects(
    sqlite=DUE_COLUMNS + DUE_WHERE,
    # Two processes may apply at the same time: each takes what the other has not.
    postgresql=f"{DUE_COLUMNS}{DUE_WHERE} FOR UPDATE SKIP LOCKED",
)

MEANT = """
    SELECT l.attempt_id, l.phone, l.agent, l.opened_at_us, l.execution_id, l.lookups, l.campaign_id,
        l.contact_id, l.state, coalesce(l.answered_at_us, l.opened_at_us), l.provider_ref, r.event_id
    FROM ROWS(event_id bigint, attempt_id text, execution_id text, provider_ref text) AS r
    JOIN ledger AS l ON l.account = :account AND"""
ATTEMPTS = Dialects(
    f"""
    {MEANT} l.attempt_id = r.attempt_id
    UNION {MEANT} l.execution_id = r.execution_id
    UNION {MEANT} l.execution_id = r.provider_ref
    UNION {MEANT} l.provider_ref = r.provider_ref"""
)

# Only an attempt without an execution id, opened before the event came, can still turn out to be meant.
MAY_BE_BOUND = Dialects(
    """
    SELECT min(opened_at_us) FROM ledger
    WHERE account = :account AND state IN ('sending', 'unknown', 'accepted') AND state <> 'accepted'"""
)

DONE = Dialects(
    """
    UPDATE call_events SET applied_at_us = :now_us, result = r.result, attempt_id = r.attempt_id
    FROM ROWS(event_id bigint, result text, attempt_id text) AS r WHERE call_events.event_id = r.event_id"""
)

LATER = Dialects(
    """
    UPDATE call_events SET due_at_us = r.due_at_us
    FROM ROWS(event_id bigint, due_at_us bigint) AS r WHERE call_events.event_id = r.event_id"""
)

HINTS = Dialects(
    """
    UPDATE call_events SET applied_at_us = :now_us, result = 'asked'
    WHERE account = :account AND applied_at_us IS NULL AND proof = 0
    RETURNING said"""
)


# Asked each second by whoever applies events: reading takes nobody's turn to write.
DUE_THERE = Dialects(
    """
    SELECT 1 FROM call_events
    WHERE account = :account AND applied_at_us IS NULL AND due_at_us <= :now_us AND proof = 1 LIMIT 1"""
)

HINTS_THERE = Dialects(
    "SELECT 1 FROM call_events WHERE account = :account AND applied_at_us IS NULL AND proof = 0 LIMIT 1"
)


class Heard(NamedTuple):
    """A delivery that was verified and read."""

    account: str
    provider: str
    event: ProviderEvent
    body: bytes


@dataclass
class Applied:
    """What applying events brought; `waiting` counts those whose attempt is not known yet."""

    settled: int = 0
    other: int = 0
    waiting: int = 0


class Hints(NamedTuple):
    """What events without proof ask for: calls to ask about by these ids, or, where one names none, all."""

    execution_ids: frozenset[str]
    attempt_ids: frozenset[str]
    everything: bool


class _Event(NamedTuple):
    event_id: int
    received_at_us: int
    said: Execution | None


def store_events(store: Store, heard: Sequence[Heard]) -> list[bool]:
    """Write the deliveries down, each once; return which of them are new.

    One that shares any of its keys with an earlier one is a duplicate.

    Raises:
        NotReady: the database cannot take them now; none is written.
    """
    keys = [_keys(one) for one in heard]
    with store.write() as connection:
        now_us = store.now_us(connection)
        wanted = sorted({key for some in keys for key in some})
        fresh = {
            tuple(row) for row in store.execute(connection, NEW_KEYS, rows=as_rows(wanted), now_us=now_us)
        }
        new = []
        for some in keys:
            new.append(all(key in fresh for key in some))
            fresh.difference_update(some)  # the second of two in this very batch is a duplicate
        rows = [_stored(one) for one, is_new in zip(heard, new, strict=True) if is_new]
        store.execute(connection, STORE, rows=as_rows(rows), now_us=now_us)
    return new


def apply_events(store: Store, account: str, expires_s: float) -> Applied:
    """Settle the account's attempts by the events that are due; return what came of them.

    An event that came before its attempt could be known waits, `expires_s` at most. Twice equals once.

    Raises:
        NotReady: the database cannot take it now; nothing is changed.
    """
    done = Applied()
    with store.read() as connection:
        now_us = store.now_us(connection)
        if not store.execute(connection, DUE_THERE, account=account, now_us=now_us):
            return done
    with store.write() as connection:
        now_us = store.now_us(connection)
        rows = store.execute(connection, DUE, account=account, now_us=now_us, most=MOST)
        events = [_Event(row[0], row[1], _read(row[2])) for row in rows]
        results: list[tuple[int, str, str | None]] = []
        later: list[tuple[int, int]] = []
        for wave in _waves(store, connection, account, events):
            for event, pending, result in wave:
                if result == "wait":
                    if now_us - event.received_at_us < expires_s * 1e6:
                        age_us = now_us - event.received_at_us
                        later.append((event.event_id, now_us + max(round(RETRY_FIRST_S * 1e6), age_us // 2)))
                        continue
                    result = "unmatched"
                results.append((event.event_id, result, pending.attempt_id if pending else None))
        store.execute(connection, DONE, rows=as_rows(results), now_us=now_us)
        store.execute(connection, LATER, rows=as_rows(later))
    for event_id, result, attempt_id in results:
        if result in ("revived", "contradicts"):
            log.warning(f"event.{result}", event_id=event_id, attempt_id=attempt_id, account=account)
    done.settled = sum(result in ("settled", "revived") for _, result, _ in results)
    done.other = len(results) - done.settled
    done.waiting = len(later)
    return done


def hints_wait(store: Store, account: str) -> bool:
    """Return whether events without proof ask for something."""
    with store.read() as connection:
        return bool(store.execute(connection, HINTS_THERE, account=account))


def take_hints(store: Store, account: str) -> Hints | None:
    """Return what events without proof ask for, and count them as done; None where there are none."""
    if not hints_wait(store, account):
        return None
    with store.write() as connection:
        rows = store.execute(connection, HINTS, account=account, now_us=store.now_us(connection))
    said = [_read(row[0]) for row in rows]
    return Hints(
        frozenset(one.execution_id for one in said if one and one.execution_id),
        frozenset(one.attempt_id for one in said if one and one.attempt_id),
        any(one is None or not (one.execution_id or one.attempt_id) for one in said),
    )


def _waves(
    store: Store, connection: Connection, account: str, events: Sequence[_Event]
) -> Iterator[list[tuple[_Event, Pending | None, str]]]:
    """Yield events with their attempts and results, in waves that hold no attempt twice: the later event
    of a call sees what the earlier one did.
    """
    left = list(events)
    waiting_since = store.execute(connection, MAY_BE_BOUND, account=account)[0][0] if left else None
    while left:
        meant = _attempts(store, connection, account, left)
        wave: list[tuple[_Event, Pending | None]] = []
        seen: set[str] = set()
        rest = []
        for event in left:
            pending = meant.get(event.event_id)
            if pending is not None and pending.attempt_id in seen:
                rest.append(event)
                continue
            if pending is not None:
                seen.add(pending.attempt_id)
            wave.append((event, pending))
        yield _settle(store, connection, wave, waiting_since)
        left = rest


def _settle(
    store: Store,
    connection: Connection,
    wave: Sequence[tuple[_Event, Pending | None]],
    waiting_since: int | None,
) -> list[tuple[_Event, Pending | None, str]]:
    results: list[tuple[_Event, Pending | None, str]] = []
    to_settle: list[tuple[_Event, Finding]] = []
    for event, pending in wave:
        if event.said is None:
            results.append((event, None, "ignored"))
        elif pending is None:
            may_be = waiting_since is not None and waiting_since <= event.received_at_us
            results.append((event, None, "wait" if may_be else "unmatched"))
        elif pending.state == "sending":
            results.append((event, pending, "wait"))
        elif pending.state == "refused":
            results.append((event, pending, "contradicts"))
        elif pending.execution_id and event.said.execution_id not in (None, pending.execution_id):
            # By our attempt id it is this one, by the provider's it is not: a second call of one attempt.
            results.append((event, pending, "contradicts"))
        else:
            to_settle.append((event, Finding(pending, event.said)))
    open_ones = [finding for _, finding in to_settle if finding.pending.state in ("unknown", "accepted")]
    changed = _bind_together(store, connection, open_ones)
    for event, finding in to_settle:
        pending = finding.pending
        if changed is not None and pending.state in ("unknown", "accepted"):
            result = "settled" if pending.attempt_id in changed else "known"
        else:
            result = _settle_one(store, connection, finding)
        results.append((event, pending, result))
    return results


def _bind_together(store: Store, connection: Connection, findings: Sequence[Finding]) -> set[str] | None:
    """Bind all in one go; None where one of them cannot be, so that each is to be tried on its own."""
    try:
        with connection.begin_nested():
            return bind_in(store, connection, findings) if findings else set()
    except IntegrityError:
        return None


def _settle_one(store: Store, connection: Connection, finding: Finding) -> str:
    pending = finding.pending
    try:
        with connection.begin_nested():
            if pending.state == "ended":
                return "added" if enrich_in(store, connection, [finding]) else "known"
            if pending.state == "not_dialled":
                if not revive_in(store, connection, pending.attempt_id):
                    return "contradicts"
                bind_in(store, connection, [finding])
                return "revived"
            return "settled" if bind_in(store, connection, [finding]) else "known"
    except IntegrityError:  # the execution id is another attempt's, or the number is being called again
        return "contradicts"


def _attempts(
    store: Store, connection: Connection, account: str, events: Sequence[_Event]
) -> dict[int, Pending]:
    """Return the attempt that each event is about: our own attempt id decides before the provider's ids."""
    rows = [
        (event.event_id, event.said.attempt_id, event.said.execution_id, event.said.provider_ref or None)
        for event in events
        if event.said is not None
    ]
    said = {event.event_id: event.said for event in events if event.said is not None}
    meant: dict[int, tuple[int, Pending]] = {}
    for row in store.execute(connection, ATTEMPTS, rows=as_rows(rows), account=account):
        pending, event_id = Pending(*row[:-1]), row[-1]
        rank = _rank(pending, said[event_id])
        if rank and rank > meant.get(event_id, (0,))[0]:
            meant[event_id] = rank, pending
    return {event_id: pending for event_id, (_, pending) in meant.items()}


def _rank(pending: Pending, said: Execution) -> int:
    """Return how surely the event is about the attempt; 0 where nothing but a key given twice is the same."""
    if said.attempt_id == pending.attempt_id:
        return 3
    if is_another_call(pending, said):
        return 0
    return 2 if pending.execution_id in (said.execution_id, said.provider_ref) else 1


def _keys(heard: Heard) -> list[tuple[str, str]]:
    return [
        (heard.account, key) for key in dict.fromkeys((heard.event.event_id, *heard.event.duplicate_keys))
    ]


def _stored(heard: Heard) -> tuple[Any, ...]:
    event, said = heard.event, heard.event.execution
    return (
        heard.account,
        heard.provider,
        _text(event.event_id),
        _text(said.execution_id) if said and said.execution_id else None,
        _text(event.kind),
        _text(heard.body.decode("utf-8", "replace")),
        int(event.proof),
        _said(said) if said else None,
    )


def _read(said: str | None) -> Execution | None:
    return Execution(**orjson.loads(said)) if said else None


def _said(execution: Execution) -> str:
    fields = asdict(execution)
    clean = {key: _text(value) if isinstance(value, str) else value for key, value in fields.items()}
    return orjson.dumps(clean).decode()


def _text(words: str) -> str:
    """Return the words as every database can keep them."""
    return words.replace("\0", "").encode("utf-8", "replace").decode()
