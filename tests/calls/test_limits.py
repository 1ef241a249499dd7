"""The last look before a call is opened, through the ledger's own transactions, on both databases."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection, text

from dialer.attempts import settle, unsettled
from dialer.attempts.ledger import exchange
from dialer.base.clock import ManualClock
from dialer.base.errors import MaybeDialled
from dialer.calls import limits, suppressions
from dialer.calls.limits import GUARD_US, SENDING_AGAIN_US, Budget, Kept, Spent
from dialer.calls.suppressions import Terms
from dialer.campaign.caps import read_cap
from dialer.providers.provider import Accepted, Execution
from dialer.rules.windows import HoursPolicy
from dialer.store.database import Store
from tests.attempts.test_ledger import answered
from tests.calls.florida import NOON, call_all, claim, end, go_to, open_calls, opening, people
from tests.seed import ACCOUNT, desk, statuses

HOUR_S = 3600


def suppress(store: Store, value: str, kind: str = "number", **terms: object) -> None:
    with store.write() as connection:
        suppressions.add(store, connection, [(value, kind)], Terms(**terms), store.now_us(connection))  # type: ignore[arg-type]


def reasons(store: Store) -> list[tuple[str, str | None]]:
    with store.read() as connection:
        rows = connection.execute(text("SELECT status, reason FROM contacts ORDER BY contact_id"))
        return [(row[0], row[1]) for row in rows]


# -- windows ----------------------------------------------------------------------------------------


def test_a_contact_whose_window_is_closed_is_never_claimed(store: Store, clock: ManualClock) -> None:
    go_to(clock, "2026-07-02T00:00:00")  # 20:00 in Miami
    at = people(store, clock)
    assert claim(at) == []
    go_to(clock, "2026-07-02T12:00:00")
    assert len(claim(at)) == 1


def test_a_window_that_closes_between_claim_and_opening_opens_nothing(
    store: Store, clock: ManualClock
) -> None:
    go_to(clock, "2026-07-01T23:59:59")
    at = people(store, clock)
    [call] = claim(at)
    before = opening(at, call)
    clock.move(1.0)
    for one in (before, opening(at, call)):  # decided before and after the window closed
        found = open_calls(at, [one])
        assert found.opened == frozenset()
        assert found.kept[one.attempt_id].reason == "window_closed"


# -- caps -------------------------------------------------------------------------------------------


def test_a_fourth_call_within_a_day_is_not_opened_over_two_campaigns(
    store: Store, clock: ManualClock
) -> None:
    go_to(clock, NOON)
    spring, summer = people(store, clock, "spring"), people(store, clock, "summer")
    for at in (spring, summer, spring):
        assert len(call_all(at).opened) == 1
        clock.move(HOUR_S)
    found = call_all(summer)
    assert found.opened == frozenset()
    [kept] = found.kept.values()
    assert kept.reason == "cap"
    assert kept.again_at_us is not None
    first_us = clock.now_us() - 3 * HOUR_S * 1_000_000
    assert kept.again_at_us == first_us + 24 * HOUR_S * 1_000_000 + GUARD_US
    clock.move((kept.again_at_us - clock.now_us()) / 1e6 + 1)
    assert len(call_all(summer).opened) == 1


def test_two_workers_at_the_same_instant_do_not_both_make_the_last_call(
    store: Store, clock: ManualClock
) -> None:
    """Two campaigns with the same twenty people who have one call left, opened by two threads at once."""
    go_to(clock, NOON)
    cap = HoursPolicy(caps=(read_cap("1 per 8h", "campaign"),))
    places = [people(store, clock, name, contacts=20, policy=cap) for name in ("spring", "summer")]
    openings = [[opening(at, call) for call in claim(at)] for at in places]
    ready = threading.Barrier(2)
    opened: list[str] = []

    def work(number: int) -> None:
        at, mine = places[number], openings[number]
        ready.wait()
        for one in mine if number else reversed(mine):
            found = open_calls(at, [one])
            opened.extend(found.opened)
            with store.write() as connection:  # over at once, so that only the cap stands in the way
                connection.execute(
                    text("UPDATE ledger SET state = 'ended', outcome = 'busy' WHERE attempt_id = :id"),
                    {"id": one.attempt_id},
                )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        most = connection.scalar(
            text("SELECT max(calls) FROM (SELECT count(*) AS calls FROM ledger GROUP BY phone) AS c")
        )
    assert len(opened) == 20
    assert most == 1


def test_an_attempt_keeps_its_grounds_and_how_it_stands_to_its_caps(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, policy=HoursPolicy(caps=(read_cap("5 per week", "campaign"),)))
    call_all(at)
    clock.move(60)
    call_all(at)
    with store.read() as connection:
        query = "SELECT time_zone, time_zone_from, local_time, rules, caps FROM attempts ORDER BY attempt_id"
        rows = [tuple(row) for row in connection.execute(text(query))]
    assert rows[0][:3] == ("America/New_York", "number", "2026-07-01T12:00:00-04:00")
    assert rows[0][3] == "us-fed-hours US-FL@2021-07-01; 2026-11"
    assert [row[4] for row in rows] == [
        "1 of 3 per 24h (US-FL); 1 of 5 per 7d (campaign)",
        "2 of 3 per 24h (US-FL); 2 of 5 per 7d (campaign)",
    ]


def test_what_was_surely_not_placed_does_not_count(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, policy=HoursPolicy(caps=(read_cap("1 per 8h", "campaign"),)))
    call_all(at)
    with store.write() as connection:
        connection.execute(text("UPDATE ledger SET state = 'not_dialled'"))
    assert len(call_all(at).opened) == 1


# -- do-not-call ------------------------------------------------------------------------------------


def test_a_number_suppressed_after_the_claim_is_not_called(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=3)
    calls = claim(at)
    suppress(store, calls[0].phone)
    suppress(store, calls[1].phone, campaign="another")
    found = open_calls(at, [opening(at, call) for call in calls])
    assert len(found.opened) == 2
    assert list(found.kept.values()) == [Kept("do_not_call", None)]
    assert reasons(store)[0] == ("suppressed", "do_not_call")


def test_who_was_suppressed_waits_again_when_the_entry_has_expired(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=2)
    calls = claim(at)
    suppress(store, calls[0].phone, expires_at_us=clock.now_us() + 1_000_000)
    suppress(store, calls[1].phone)
    open_calls(at, [opening(at, call) for call in calls])
    assert limits.take_back(store, at.campaign_id, calls_max=1) == 0
    clock.move(1.0)
    assert limits.take_back(store, at.campaign_id, calls_max=1) == 1
    assert reasons(store) == [("waiting", None), ("suppressed", "do_not_call")]
    suppressions.remove(store, calls[1].phone)
    assert limits.take_back(store, at.campaign_id, calls_max=1) == 1


def test_who_had_all_calls_is_not_taken_back(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock)
    with store.write() as connection:
        connection.execute(
            text("UPDATE contacts SET status = 'suppressed', reason = 'do_not_call', calls = 2")
        )
    assert limits.take_back(store, at.campaign_id, calls_max=2) == 0
    assert limits.take_back(store, at.campaign_id, calls_max=3) == 1


def test_looking_a_number_up_walks_along_an_index(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    people(store, clock)
    with store.read() as connection:
        explain = "EXPLAIN QUERY PLAN " if store.is_sqlite else "EXPLAIN "
        if not store.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        statement = str(limits.SUPPRESSED.for_(store.engine.dialect.name))
        values = {"rows": '[["a", 1]]', "account": "x", "now_us": 1}
        plan = "\n".join(str(tuple(row)) for row in connection.execute(text(explain + statement), values))
    assert "suppressions_once" in plan
    assert plan.count("SCAN s ") == plan.count("SCAN s USING INDEX suppressions_prefixes")
    assert "Seq Scan on suppressions" not in plan


# -- budgets ----------------------------------------------------------------------------------------


def test_a_budget_of_calls_is_never_exceeded_by_two_workers(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=30)
    other = at._replace(desk=desk(store, "other"))
    budget = Budget(calls_total=7, cost_total=None, cost_per_call=None)
    mine = [[(one, call, opening(one, call)) for call in claim(one, 15)] for one in (at, other)]
    ready = threading.Barrier(2)
    opened: list[str] = []

    def work(number: int) -> None:
        ready.wait()
        for place, _, one in mine[number]:
            opened.extend(open_calls(place, [one], budget).opened)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 7


def sums(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note each time that what a campaign has spent is added up, a walk over all of its calls."""
    added: list[int] = []
    real = limits.spent

    def spent(store: Store, connection: Connection, campaign_id: int) -> Spent:
        added.append(campaign_id)
        return real(store, connection, campaign_id)

    monkeypatch.setattr(limits, "spent", spent)
    return added


def test_a_budget_is_not_added_up_for_every_page(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=12)
    added = sums(monkeypatch)
    budget = Budget(calls_total=10, cost_total=None, cost_per_call=None)
    openings = [opening(at, call) for call in claim(at, 12)]
    for one in openings[:10]:
        assert open_calls(at, [one], budget).opened
    assert len(added) == 1
    assert not open_calls(at, openings[10:], budget).opened
    smaller = Budget(calls_total=9, cost_total=None, cost_per_call=None)
    assert not open_calls(at, openings[10:], smaller).opened


def test_a_changed_budget_counts_at_once(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=6)
    openings = [opening(at, call) for call in claim(at, 6)]
    big, small = (Budget(calls_total=calls, cost_total=None, cost_per_call=None) for calls in (100, 3))
    assert len(open_calls(at, openings[:2], big).opened) == 2
    assert len(open_calls(at, openings[2:], small).opened) == 1


def test_calls_dearer_than_was_reserved_are_noticed_before_the_money_is_spent(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=20)
    added = sums(monkeypatch)
    budget = Budget(calls_total=None, cost_total=2.0, cost_per_call=0.1)
    calls = claim(at, 20)
    openings = [opening(at, call) for call in calls]
    placed = 0
    for one, call in zip(openings, calls, strict=True):
        if open_calls(at, [one], budget).opened:
            end(at, one, call, cost=0.2)  # twice what was thought
            placed += 1
    assert placed == 10
    assert len(added) < 20
    clock.move(limits.ADD_UP_AGAIN_US / 1e6)
    assert not open_calls(at, openings[-1:], budget).opened


def test_a_reserved_call_may_be_released_and_a_made_one_is_spent(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=3)
    budget = Budget(calls_total=1, cost_total=None, cost_per_call=None)
    calls = claim(at)
    openings = [opening(at, call) for call in calls]
    assert open_calls(at, [openings[0]], budget).opened
    # The first is on its way: whether it is placed is not known.
    assert open_calls(at, [openings[1]], budget).kept[openings[1].attempt_id] == Kept(
        "budget", clock.now_us() + SENDING_AGAIN_US
    )
    end(at, openings[0], calls[0])  # its cost is never told
    assert open_calls(at, [openings[2]], budget).kept[openings[2].attempt_id] == Kept("budget", None)


def test_money_is_reserved_before_and_settled_after(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=4)
    budget = Budget(calls_total=None, cost_total=1.0, cost_per_call=0.4)
    calls = claim(at)
    openings = [opening(at, call) for call in calls]
    found = open_calls(at, openings[:3], budget)
    assert len(found.opened) == 2
    for one, call in list(zip(openings, calls, strict=True))[:2]:
        end(at, one, call, cost=0.25)
    assert len(open_calls(at, [openings[2]], budget).opened) == 1
    end(at, openings[2], calls[2], cost=0.45)
    assert open_calls(at, [openings[3]], budget).kept[openings[3].attempt_id] == Kept("budget", None)


def test_calls_go_one_by_one_while_no_price_is_known(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=9)
    budget = Budget(calls_total=None, cost_total=1.0, cost_per_call=None)
    calls = claim(at)
    openings = [opening(at, call) for call in calls]
    assert len(open_calls(at, openings[:3], budget).opened) == 1
    assert not open_calls(at, openings[1:3], budget).opened
    end(at, openings[0], calls[0], cost=0.2)
    assert len(open_calls(at, openings[1:], budget).opened) == 4


@pytest.mark.parametrize("state", ["refused", "not_dialled"])
def test_what_was_not_placed_is_released(store: Store, clock: ManualClock, state: str) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=2)
    budget = Budget(calls_total=1, cost_total=None, cost_per_call=None)
    calls = claim(at)
    openings = [opening(at, call) for call in calls]
    open_calls(at, [openings[0]], budget)
    with store.write() as connection:
        connection.execute(text("UPDATE ledger SET state = :state"), {"state": state})
    assert len(open_calls(at, [openings[1]], budget).opened) == 1
    assert statuses(store)["calling"] >= 1


def test_a_call_that_was_placed_after_all_takes_its_room_back(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=5)
    budget = Budget(calls_total=3, cost_total=None, cost_per_call=None)
    calls = claim(at, 5)
    first, *others = [opening(at, call) for call in calls]
    assert open_calls(at, [first], budget).opened
    lost = answered(first, calls[0], MaybeDialled("lost", code="read_timeout"), clock.now_us())
    exchange(at.desk, [at.campaign_id], answers=[lost])
    settle.free(store, [first.attempt_id], "not listed")
    assert len(open_calls(at, others[:2], budget._replace(cost_per_call=0.1)).opened) == 2  # added up again
    with store.write() as connection:
        assert settle.revive_in(store, connection, first.attempt_id)
    assert not open_calls(at, others[2:3], budget._replace(cost_per_call=0.1)).opened


@pytest.mark.parametrize("budget", [Budget(10**20, None, None), Budget(None, 400.0, 1e-300)])
def test_no_budget_is_too_big(store: Store, clock: ManualClock, budget: Budget) -> None:
    go_to(clock, NOON)
    at = people(store, clock)
    [call] = claim(at)
    assert open_calls(at, [opening(at, call)], budget).opened


def test_a_call_dearer_than_was_believed_is_learned_of_at_once(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=12)
    budget = Budget(calls_total=None, cost_total=10.0, cost_per_call=None)
    spent = 0.0
    for number, call in enumerate(claim(at, 12)):
        one = opening(at, call)
        if open_calls(at, [one], budget).opened:
            cost = 5.0 if number else 0.1
            accepted = answered(one, call, Accepted(f"x-{number}", 200), clock.now_us())
            exchange(at.desk, [at.campaign_id], answers=[accepted])
            [pending] = unsettled.open_attempts(store, ACCOUNT)
            said = Execution(f"x-{number}", None, None, "completed", outcome="completed", cost=cost)
            settle.bind(store, [unsettled.Finding(pending, said)])
            spent += cost
    assert spent == pytest.approx(5.1)
