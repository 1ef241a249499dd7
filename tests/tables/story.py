"""A campaign with one contact in each status, told through the ledger's own functions; and its rejects."""

from __future__ import annotations

import orjson
from sqlalchemy import text

from dialer.attempts import settle, unsettled
from dialer.attempts.answered import Answer
from dialer.attempts.answers import answer_for, withdrawal
from dialer.attempts.ledger import Opening, Wanted, exchange
from dialer.base.clock import ManualClock
from dialer.base.errors import MaybeDialled, NotDialled, Refused, SubmitError
from dialer.base.ids import new_attempt_id
from dialer.calls.claim import Call
from dialer.providers.provider import Accepted, Execution
from dialer.store.database import Store
from tests.seed import desk, seed_campaign


def tell(store: Store, clock: ManualClock, name: str = "spring", first_phone: int = 0) -> int:
    """Return the id of a campaign whose contacts are, in the order of its list: done, done (no answer),
    calling, unknown, refused, waiting (after a 429), waiting (withdrawn), calling (in the air), waiting.
    """
    campaign_id = seed_campaign(store, name, 9, first_phone)
    add_rejects(store, campaign_id)
    at = desk(store, f"worker-{name}")
    calls = exchange(at, [campaign_id], wanted=[Wanted(campaign_id, 8)]).claimed[0]
    openings = [_opening(clock, call, number) for number, call in enumerate(calls)]
    exchange(at, [campaign_id], openings=openings)
    results = [
        *(Accepted(f"x-{name}-{number}", 200, "queued") for number in range(3)),
        MaybeDialled("no answer came", code="read_timeout"),
        Refused("the number +12025550004 is not valid", code="http_422", http_status=422),
        NotDialled("slow down", code="http_429", http_status=429, throttled=True),
    ]
    answers = [
        _answer(clock, one, call, result) for one, call, result in zip(openings, calls, results, strict=False)
    ]
    exchange(
        at, [campaign_id], answers=[*answers, withdrawal(openings[6].attempt_id, calls[6], clock.now_us())]
    )
    _end(store, clock, openings, name)
    return campaign_id


def add_rejects(store: Store, campaign_id: int) -> None:
    """Add a load of 3 rows that all became rejects: a bad number, a duplicate, a line that is no row."""
    rows = [
        (1, 2, "mobile", "12", "too_short", '{"mobile":"12","name":"=1+1","reason":"mine"}'),
        (
            2,
            3,
            "mobile",
            "+1 202 555 0000",
            "duplicate",
            '{"mobile":"+1 202 555 0000","name":"Ann","reason":null}',
        ),
        (3, 4, None, 'a,"b', "ragged", 'a,"b'),
    ]
    with store.write() as connection:
        load_id = connection.scalar(
            text(
                "INSERT INTO loads (campaign_id, file, sha256, settings, rows_read, rows_accepted,"
                " rows_rejected, rows_duplicate, loaded_at_us)"
                " VALUES (:campaign_id, 'bad.csv', '', '', 3, 0, 2, 1, 0) RETURNING load_id"
            ),
            {"campaign_id": campaign_id},
        )
        for list_row, list_line, column, raw, reason, row in rows:
            connection.execute(
                text(
                    "INSERT INTO rejected_rows (campaign_id, load_id, list_row, list_line, column_name,"
                    ' raw, reason, detail, "row") VALUES (:campaign_id, :load_id, :list_row, :list_line,'
                    " :column, :raw, :reason, 'because', :row)"
                ),
                {
                    "campaign_id": campaign_id,
                    "load_id": load_id,
                    "list_row": list_row,
                    "list_line": list_line,
                    "column": column,
                    "raw": raw,
                    "reason": reason,
                    "row": row,
                },
            )


def run_sql(store: Store, statement: str, **values: object) -> None:
    """Do something to the database that dialer itself never does."""
    with store.write() as connection:
        connection.execute(text(statement), values)


def set_metadata(store: Store, contact_id: int, metadata: object) -> None:
    """Give a contact other metadata."""
    written = metadata if isinstance(metadata, str) else orjson.dumps(metadata).decode()
    run_sql(store, "UPDATE contacts SET metadata = :m WHERE contact_id = :id", m=written, id=contact_id)


def _opening(clock: ManualClock, call: Call, number: int) -> Opening:
    return Opening(
        new_attempt_id(clock.now_us(), random_bits=call.contact_id),
        call.campaign_id,
        call.contact_id,
        call.call_number,
        call.attempt_number,
        "962",
        None if number else "+12025550199",
    )


def _answer(clock: ManualClock, opening: Opening, call: Call, result: Accepted | SubmitError) -> Answer:
    clock.move(0.250001)
    return answer_for(
        opening.attempt_id,
        call,
        result,
        sent_at_us=clock.now_us(),
        answered_at_us=clock.now_us() + 90_000,
        retry_wait_s=lambda attempt_number: 10.0,
    )


def _end(store: Store, clock: ManualClock, openings: list[Opening], name: str) -> None:
    clock.move(30)
    ids = [one.attempt_id for one in openings]
    pending = {one.attempt_id: one for one in unsettled.open_attempts(store, "unleashx")}
    outcomes = [("completed", 12.5, 0.07), ("no_answer", None, None)]
    findings = [
        unsettled.Finding(
            pending[attempt_id],
            Execution(
                provider_ref=f"r-{name}-{number}",
                phone=None,
                agent="962",
                status=outcome,
                outcome=outcome,
                ended_at_us=clock.now_us(),
                disposition="said yes" if duration_s else None,
                duration_s=duration_s,
                cost=cost,
                currency="USD" if cost else None,
                transcript='=HYPERLINK("x")' if duration_s else None,
            ),
        )
        for number, (attempt_id, (outcome, duration_s, cost)) in enumerate(zip(ids, outcomes, strict=False))
    ]
    assert settle.bind(store, findings) == 2
