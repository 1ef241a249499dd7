"""Asking what came of calls: by the list or one by one, in growing pauses, at once where an event says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count, pairwise

import anyio
import pytest
from sqlalchemy import text

from dialer.attempts.ledger import exchange
from dialer.attempts.unsettled import Pending, ended_without_cost, open_attempts
from dialer.base.clock import ManualClock
from dialer.base.errors import NotReady
from dialer.base.settings import Account
from dialer.outcomes.asking import Schedule, cheapest
from dialer.outcomes.collect import Collector
from dialer.outcomes.costs import match_costs
from dialer.outcomes.events import store_events
from dialer.providers.provider import Accepted, Execution, OpenAttempt
from dialer.store.database import Store
from tests.attempts.test_ledger import answered, claim, open_all
from tests.outcomes.test_events import event, said
from tests.seed import ACCOUNT, desk, phone, seed_campaign, states

pytestmark = pytest.mark.anyio

WORKERS = count()


class Listing:
    """A provider with a list of calls, which counts how often it is asked what."""

    name = "listing"
    absence_is_proof = False

    def __init__(self) -> None:
        self.records: dict[str, Execution] = {}
        self.asked: list[str] = []
        self.fails = False

    async def executions(self, agent: str, since_us: int) -> AsyncIterator[list[Execution]]:
        self.asked.append("list")
        if self.fails:
            raise NotReady("down")
        yield list(self.records.values())

    async def look_up(self, attempt: OpenAttempt) -> list[Execution]:
        self.asked.append(f"look up {attempt.execution_id}")
        return [one for one in self.records.values() if one.execution_id == attempt.execution_id]


class Telling(Listing):
    """One that can also be asked about one call, and tells costs apart."""

    async def execution(self, execution_id: str) -> Execution | None:
        self.asked.append(f"one {execution_id}")
        return self.records.get(execution_id)

    async def costs(self, since_us: int) -> AsyncIterator[list[Execution]]:
        self.asked.append("costs")
        yield [
            Execution(f"bill {one}", None, None, "", execution_id=one, cost=0.25, currency="USD")
            for one in self.records
        ]


def place(store: Store, how_many: int, name: str = "spring", first_phone: int = 0) -> None:
    campaign_id = seed_campaign(store, name, how_many, first_phone)
    at = desk(store, f"w{next(WORKERS)}")
    opened = open_all(at, claim(at, campaign_id, how_many))
    with store.read() as connection:
        at_us = store.now_us(connection)
    # Attempt ids that begin with their time, as they do outside of tests.
    answers = [answered(one, call, Accepted(f"x{call.contact_id}", 200), at_us) for one, call in opened]
    exchange(at, [campaign_id], answers=answers)


def over(number: int, outcome: str = "completed") -> Execution:
    return Execution(f"r{number}", phone(number - 1), "962", "over", outcome, execution_id=f"x{number}")


def collector_of(store: Store, provider: Listing, **more: object) -> Collector:
    account = Account.model_validate(
        {"name": ACCOUNT, "provider": "x", "poll_s": 10.0, "outcome_wait_s": 1e6, **more}
    )
    return Collector(store, provider, account, anyio.CapacityLimiter(1))  # type: ignore[arg-type]


async def test_a_few_calls_are_asked_about_one_by_one_and_many_by_the_list(store: Store) -> None:
    place(store, 1)
    few = Telling()
    few.records["x1"] = over(1)
    assert (await collector_of(store, few).round()).ended == 1
    assert few.asked[0] == "list"  # one page tells of all of them, and costs no more than one call
    place(store, 30, "autumn", 100)
    many = Listing()
    await collector_of(store, many).round()
    assert many.asked == ["list"]


def pending(age_s: float, number: int = 0) -> Pending:
    at_us = round((1e6 - age_s) * 1e6)
    return Pending(f"a{number}-{age_s}", "", "962", at_us, "x", 0, 1, 1, "accepted", at_us, None)


async def test_stragglers_do_not_make_the_whole_list_be_read() -> None:
    def calls_since(since_us: int) -> int:
        return round((1e6 - since_us / 1e6) * 2)  # two calls a second, always

    fresh = [pending(60 - number, number) for number in range(60)]
    old = [pending(40_000, 900), pending(30_000, 901)]
    plan = cheapest([*old, *fresh], calls_since, 1.0)
    assert (plan.singly, plan.listed) == (old, fresh)
    assert cheapest(old, calls_since, 1.0).singly == old
    assert cheapest([*old, *fresh], lambda _: 90, 1.0).listed == [*old, *fresh]


async def test_a_call_is_asked_about_in_pauses_that_grow_with_its_age() -> None:
    account = Account(name="a", provider="x", poll_s=10.0, outcome_wait_s=1e6, requests_per_minute=60)
    schedule = Schedule(account)
    one = pending(0)
    start_us = one.opened_at_us
    asked_at = []
    for second in range(3600):
        now_us = start_us + second * 1_000_000
        schedule.know([one])
        if schedule.due([one], now_us):
            asked_at.append(second)
            schedule.asked([one], now_us, requests=3)
    assert asked_at[:5] == [10, 20, 30, 40, 50]
    pauses = [later - earlier for earlier, later in pairwise(asked_at)]
    assert pauses == sorted(pauses)
    assert max(pauses) == 300
    assert len(asked_at) < 40


async def test_asking_rests_so_that_calls_have_their_share_of_the_minute() -> None:
    schedule = Schedule(Account(name="a", provider="x", poll_s=1.0, requests_per_minute=60))
    one, now_us = pending(100), round(1e12)
    schedule.know([one])
    schedule.asked([one], now_us, requests=30)
    schedule.hurry(None, now_us)
    assert schedule.due([one], now_us + 59_000_000) == []
    assert schedule.due([one], now_us + 61_000_000) == [one]


async def test_an_event_without_proof_makes_its_call_be_asked_about_at_once(
    store: Store, clock: ManualClock
) -> None:
    place(store, 2)
    provider = Telling()
    collector = collector_of(store, provider)
    await collector.round()
    clock.move(1)
    await collector.round()
    asked = len(provider.asked)
    assert asked == 1
    provider.records["x2"] = over(2, "busy")
    store_events(store, [event("d1", said("x2", None), proof=False)])
    done = await collector.round()
    assert done.ended == 1
    assert states(store) == {"accepted": 1, "ended": 1}


async def test_events_with_proof_are_applied_without_asking(store: Store, clock: ManualClock) -> None:
    place(store, 1)
    provider = Listing()
    collector = collector_of(store, provider)
    await collector.round()
    store_events(store, [event("d1", said("x1", "no_answer"))])
    clock.move(1)
    assert (await collector.round()).ended == 1
    assert provider.asked == ["list"]


async def test_a_provider_that_is_down_is_asked_again_and_what_was_learned_stays(
    store: Store, clock: ManualClock
) -> None:
    place(store, 1)
    provider = Listing()
    provider.fails = True
    collector = collector_of(store, provider)
    with pytest.raises(NotReady):
        await collector.round()
    provider.fails = False
    provider.records["x1"] = over(1)
    clock.move(21)
    assert (await collector.round()).ended == 1


async def test_costs_are_read_when_calls_are_over_and_change_nothing_else(
    store: Store, clock: ManualClock
) -> None:
    place(store, 2)
    provider = Telling()
    provider.records = {"x1": over(1), "x2": over(2)}
    collector = collector_of(store, provider)
    await collector.round()
    with store.write() as connection:  # attempt ids of these tests are older than the clock
        connection.execute(text("UPDATE ledger SET attempt_id = 'f' || attempt_id"))
    clock.move(60)
    assert (await collector.finish()).costs == 2
    with store.read() as connection:
        rows = connection.execute(text("SELECT outcome, cost, currency, state FROM attempts")).all()
    assert [tuple(row) for row in rows] == [("completed", 0.25, "USD", "ended")] * 2
    assert ended_without_cost(store, ACCOUNT, 0) == []
    assert open_attempts(store, ACCOUNT) == []


async def test_a_bill_without_an_execution_id_needs_a_number_and_a_time_that_only_one_call_has() -> None:
    attempt = pending(100)._replace(phone="+12025550000")
    again = pending(90, 1)._replace(phone="+12025550000")

    def bill(ref: str, late_s: float, **more: object) -> Execution:
        at_us = attempt.opened_at_us + round(late_s * 1e6)
        return Execution(ref, "+12025550000", None, "", created_at_us=at_us, cost=1.0, **more)  # type: ignore[arg-type]

    assert [one.pending for one in match_costs([attempt], [bill("1", 2)])] == [attempt]
    assert match_costs([attempt], [bill("1", 2, execution_id="another")]) == []
    assert match_costs([attempt], [bill("1", 500)]) == []
    assert match_costs([attempt], [bill("1", 2), bill("2", 3)]) == []
    assert match_costs([attempt, again], [bill("1", 2)]) == []
