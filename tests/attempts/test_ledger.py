"""The ledger's transactions: nothing twice, nothing lost, on both databases."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from dialer.attempts import settle, unsettled, workers
from dialer.attempts.answers import answer_for, withdrawal
from dialer.attempts.ledger import Desk, Opening, Wanted, exchange
from dialer.base.clock import ManualClock
from dialer.base.errors import AccountStopped, MaybeDialled, NotDialled, Refused
from dialer.base.ids import new_attempt_id
from dialer.calls.campaigns import cancel, pause
from dialer.calls.claim import Call, Returned
from dialer.providers.provider import Accepted, Execution
from dialer.store.database import Store
from tests.seed import desk, phone, seed_campaign, states, statuses


def claim(at: Desk, campaign_id: int, how_many: int = 100) -> list[Call]:
    return exchange(at, [campaign_id], wanted=[Wanted(campaign_id, how_many)]).claimed[0]


def opening(call: Call, now_us: int = 0) -> Opening:
    return Opening(
        new_attempt_id(now_us),
        call.campaign_id,
        call.contact_id,
        call.call_number,
        call.attempt_number,
        "962",
        None,
    )


def open_all(at: Desk, calls: list[Call]) -> list[tuple[Opening, Call]]:
    openings = [opening(call) for call in calls]
    opened = exchange(at, [1], openings=openings).opened
    return [(one, call) for one, call in zip(openings, calls, strict=True) if one.attempt_id in opened]


def answered(one: Opening, call: Call, result: object, at_us: int = 1_790_000_000_000_000):  # type: ignore[no-untyped-def]
    return answer_for(
        one.attempt_id,
        call,
        result,  # type: ignore[arg-type]
        sent_at_us=at_us,
        answered_at_us=at_us + 1000,
        retry_wait_s=lambda attempt: 10.0,
    )


def test_two_workers_never_claim_the_same_contact(store: Store) -> None:
    campaign_id = seed_campaign(store, contacts=60)
    desks = [desk(store, f"w{number}") for number in range(4)]
    claimed: list[int] = []

    def work(at: Desk) -> None:
        for _ in range(8):
            claimed.extend(call.contact_id for call in claim(at, campaign_id, 3))

    threads = [threading.Thread(target=work, args=(at,)) for at in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(set(claimed))
    assert len(claimed) == 60


def test_claims_come_in_order_of_their_time_and_only_when_due(store: Store, clock: ManualClock) -> None:
    campaign_id = seed_campaign(store, contacts=3)
    with store.write() as connection:
        connection.execute(
            text("UPDATE contacts SET next_call_at_us = :at WHERE phone = :phone"),
            {"at": clock.now_us() + 5_000_000, "phone": phone(0)},
        )
    at = desk(store, "w")
    assert [call.phone for call in claim(at, campaign_id)] == [phone(1), phone(2)]
    clock.move(5)
    assert [call.phone for call in claim(at, campaign_id)] == [phone(0)]


def test_an_attempt_is_in_the_ledger_before_anything_is_sent(store: Store) -> None:
    campaign_id = seed_campaign(store, contacts=2)
    at = desk(store, "w")
    assert len(open_all(at, claim(at, campaign_id))) == 2
    assert states(store) == {"sending": 2}
    assert statuses(store) == {"calling": 2}


def test_a_number_open_in_one_campaign_cannot_be_opened_in_another(store: Store) -> None:
    first, second = seed_campaign(store, "a", 2), seed_campaign(store, "b", 2)
    one, two = desk(store, "w1"), desk(store, "w2")
    assert len(open_all(one, claim(one, first))) == 2
    calls = claim(two, second)
    result = exchange(two, [second], openings=[opening(call) for call in calls])
    assert (result.opened, result.full) == (frozenset(), frozenset())


def test_the_database_itself_refuses_a_second_live_attempt_of_a_call(store: Store) -> None:
    campaign_id = seed_campaign(store, contacts=1)
    at = desk(store, "w")
    call = claim(at, campaign_id)[0]
    first, second = opening(call), opening(call)
    assert len(exchange(at, [campaign_id], openings=[first, second]).opened) == 1


@pytest.mark.parametrize(
    ("result", "state", "status", "calls"),
    [
        (Accepted("x-1", 200, "initiated"), "accepted", "calling", 1),
        (Refused("bad number", code="http_422", http_status=422), "refused", "refused", 0),
        (NotDialled("no route", code="connect_refused"), "not_dialled", "waiting", 0),
        (AccountStopped("bad token", code="http_401", http_status=401), "not_dialled", "waiting", 0),
        (MaybeDialled("cut", code="read_error"), "unknown", "unknown", 1),
    ],
)
def test_an_answer_decides_attempt_and_contact(
    store: Store, result: object, state: str, status: str, calls: int
) -> None:
    campaign_id = seed_campaign(store, contacts=1)
    at = desk(store, "w")
    [(one, call)] = open_all(at, claim(at, campaign_id))
    for _ in range(2):  # an answer may be said twice
        exchange(at, [campaign_id], answers=[answered(one, call, result)])
    assert states(store) == {state: 1}
    with store.read() as connection:
        row = connection.execute(text("SELECT status, calls, execution_id FROM outcomes")).one()
    assert tuple(row[:2]) == (status, calls)
    assert row[2] == (result.execution_id if isinstance(result, Accepted) else None)


def test_only_what_was_surely_not_dialled_waits_for_another_attempt(store: Store, clock: ManualClock) -> None:
    campaign_id = seed_campaign(store, contacts=2)
    at = desk(store, "w")
    (one, call), (other, other_call) = open_all(at, claim(at, campaign_id))
    exchange(
        at,
        [campaign_id],
        answers=[
            answered(one, call, NotDialled("x", code="http_429", retry_after_s=30.0), clock.now_us()),
            answered(other, other_call, MaybeDialled("x", code="read_timeout"), clock.now_us()),
        ],
    )
    assert claim(at, campaign_id) == []
    clock.move(31)
    at = desk(store, "w2")
    again = claim(at, campaign_id)
    assert [(one.contact_id, one.call_number, one.attempt_number) for one in again] == [
        (call.contact_id, 1, 2)
    ]


def test_a_withdrawn_attempt_waits_as_before(store: Store, clock: ManualClock) -> None:
    campaign_id = seed_campaign(store, contacts=1)
    at = desk(store, "w")
    [(one, call)] = open_all(at, claim(at, campaign_id))
    exchange(at, [campaign_id], answers=[withdrawal(one.attempt_id, call, clock.now_us())])
    assert claim(at, campaign_id) == [call]
    assert states(store) == {"not_dialled": 1}


def test_what_was_answered_stays_whatever_is_said_later(store: Store) -> None:
    campaign_id = seed_campaign(store, contacts=3)
    at = desk(store, "w")
    opened = open_all(at, claim(at, campaign_id))
    accepted, refused, failed = Accepted("x", 200), Refused("no", code="bad"), NotDialled("no", code="busy")
    first = [answered(*one, result) for one, result in zip(opened, (accepted, refused, failed), strict=True)]
    again = [answered(*one, result) for one, result in zip(opened, (failed, accepted, accepted), strict=True)]
    for answers in (first, first, again):
        exchange(at, [campaign_id], answers=answers)
        assert states(store) == {"accepted": 1, "refused": 1, "not_dialled": 1}
        assert statuses(store) == {"calling": 1, "refused": 1, "waiting": 1}


def test_two_answers_with_one_execution_id_cannot_both_be_true(store: Store) -> None:
    campaign_id = seed_campaign(store, contacts=3)
    at = desk(store, "w")
    opened = open_all(at, claim(at, campaign_id))
    ids = ["same", "same", "other"]
    exchange(
        at,
        [campaign_id],
        answers=[
            answered(one, call, Accepted(name, 200)) for (one, call), name in zip(opened, ids, strict=True)
        ],
    )
    assert states(store) == {"accepted": 2, "unknown": 1}


def test_a_dead_workers_leases_return_and_what_it_sent_is_unknown(store: Store, clock: ManualClock) -> None:
    campaign_id = seed_campaign(store, contacts=5)
    dead = desk(store, "dead")
    calls = claim(dead, campaign_id)
    open_all(dead, calls[:2])
    workers.enter(store, "alive", 1000.0)
    assert workers.recover(store, "alive") == workers.Recovered(0, 0, 0)
    clock.move(workers.LEASE_S + 1)
    assert workers.recover(store, "alive") == workers.Recovered(workers=1, unknown=2, returned=3)
    assert workers.recover(store, "alive") == workers.Recovered(0, 0, 0)
    assert statuses(store) == {"unknown": 2, "waiting": 3}


def test_a_worker_that_lost_its_lease_opens_nothing_but_its_answers_count(
    store: Store, clock: ManualClock
) -> None:
    campaign_id = seed_campaign(store, contacts=3)
    late = desk(store, "late")
    calls = claim(late, campaign_id)
    [(one, call)] = open_all(late, calls[:1])
    clock.move(workers.LEASE_S + 1)
    workers.recover(store, "another")
    result = exchange(
        late,
        [campaign_id],
        answers=[answered(one, call, Accepted("x-1", 200))],
        openings=[opening(calls[1])],
        wanted=[Wanted(campaign_id, 5)],
    )
    assert (result.alive, result.opened, result.claimed) == (False, frozenset(), [[]])
    assert states(store) == {"accepted": 1}
    with pytest.raises(workers.LeaseLost):
        workers.renew(store, "late")


def test_paused_and_canceled_campaigns_open_and_claim_nothing(store: Store) -> None:
    campaign_id = seed_campaign(store, "spring", contacts=4)
    at = desk(store, "w")
    calls = claim(at, campaign_id, 2)
    pause(store, "spring", "by a test")
    result = exchange(at, [campaign_id], openings=[opening(calls[0])], wanted=[Wanted(campaign_id, 5)])
    assert (result.opened, result.claimed, result.states) == (frozenset(), [[]], {campaign_id: "paused"})
    exchange(at, [campaign_id], returned=[Returned(call.contact_id) for call in calls])
    cancel(store, "spring", "by a test")
    assert statuses(store) == {"canceled": 4}


def test_open_calls_stay_below_their_limit_over_two_workers(store: Store) -> None:
    campaign_id = seed_campaign(store, contacts=10)
    one, two = desk(store, "w1", calls_open_max=3), desk(store, "w2", calls_open_max=3)
    assert len(open_all(one, claim(one, campaign_id, 2))) == 2
    calls = claim(two, campaign_id, 5)
    result = exchange(two, [campaign_id], openings=[opening(call) for call in calls])
    assert (len(result.opened), len(result.full)) == (1, len(calls) - 1)


def execution(ref: str, number: str, outcome: str | None = None, **more: object) -> Execution:
    return Execution(ref, number, "962", "whatever", outcome, **more)  # type: ignore[arg-type]


def unknown_attempt(store: Store) -> unsettled.Pending:
    campaign_id = seed_campaign(store, contacts=1)
    at = desk(store, "w")
    [(one, call)] = open_all(at, claim(at, campaign_id))
    exchange(at, [campaign_id], answers=[answered(one, call, MaybeDialled("x", code="read_timeout"))])
    return unsettled.open_attempts(store, at.account)[0]


def test_a_found_record_binds_an_unknown_attempt_and_its_outcome_ends_it_once(store: Store) -> None:
    pending = unknown_attempt(store)
    assert settle.bind(store, [unsettled.Finding(pending, execution("77", phone(0)))]) == 1
    assert states(store) == {"accepted": 1}
    over = unsettled.Finding(pending, execution("77", phone(0), "no_answer", duration_s=3.5))
    assert [settle.bind(store, [over]) for _ in range(2)] == [1, 0]
    with store.read() as connection:
        row = connection.execute(
            text("SELECT status, reason, calls, execution_id, outcome, duration_s FROM outcomes")
        ).one()
    assert tuple(row) == ("done", "no_answer", 1, "77", "no_answer", 3.5)


def test_a_freed_attempt_lets_its_contact_be_called_again(store: Store) -> None:
    pending = unknown_attempt(store)
    assert [settle.free(store, [pending.attempt_id], "not listed") for _ in range(2)] == [1, 0]
    assert states(store) == {"not_dialled": 1}
    with store.read() as connection:
        assert tuple(connection.execute(text("SELECT status, calls FROM outcomes")).one()) == ("waiting", 0)


def test_a_held_attempt_is_not_looked_up_again_by_itself(store: Store, clock: ManualClock) -> None:
    pending = unknown_attempt(store)
    clock.move(3600)
    assert len(unsettled.unknown_due(store, "unleashx", clock.now_us())) == 1
    settle.hold(store, [(pending.attempt_id, "held: ask a person")])
    assert unsettled.unknown_due(store, "unleashx", clock.now_us()) == []
    with store.read() as connection:
        assert connection.scalar(text("SELECT reason FROM outcomes")) == "held: ask a person"


def test_an_accepted_call_without_an_outcome_expires(store: Store, clock: ManualClock) -> None:
    campaign_id = seed_campaign(store, contacts=1)
    at = desk(store, "w")
    [(one, call)] = open_all(at, claim(at, campaign_id))
    exchange(at, [campaign_id], answers=[answered(one, call, Accepted("x", 200))])
    assert settle.expire(store, at.account, 3600) == 0
    clock.move(3601)
    assert [settle.expire(store, at.account, 3600) for _ in range(2)] == [1, 0]
    with store.read() as connection:
        assert tuple(connection.execute(text("SELECT status, outcome FROM outcomes")).one()) == (
            "done",
            "expired",
        )
