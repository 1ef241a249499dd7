"""Reconciling: a hit binds, a miss frees only where that is safe, everything else is held."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
import pytest
from sqlalchemy import text

from dialer.attempts import unsettled
from dialer.attempts.match import match
from dialer.attempts.reconcile import Reconciled, Reconciler
from dialer.base.clock import ManualClock
from dialer.base.errors import NotReady
from dialer.base.settings import Account
from dialer.outcomes.collect import Collector
from dialer.providers.provider import Execution, OpenAttempt
from dialer.store.database import Store
from tests.attempts.test_ledger import unknown_attempt
from tests.seed import phone, statuses

pytestmark = pytest.mark.anyio

ACCOUNT = Account(name="unleashx", provider="unleashx", listing_delay_s=100.0, call_expires_s=3600.0)


class Listing:
    """A provider that can only be asked."""

    name = "listing"

    def __init__(self, answer: Callable[[], list[Execution]], proves_absence: bool = False) -> None:
        self.answer = answer
        self.absence_is_proof = proves_absence
        self.asked = 0

    async def look_up(self, attempt: OpenAttempt) -> list[Execution]:
        self.asked += 1
        return self.answer()

    async def executions(self, agent: str, since_us: int) -> AsyncIterator[list[Execution]]:
        yield self.answer()


def record(created_at_us: int | None, number: str | None = None, **more: object) -> Execution:
    return Execution(
        "77",
        number or phone(0),
        "962",
        "whatever",
        created_at_us=created_at_us,
        **more,  # type: ignore[arg-type]
    )


def reconciler(store: Store, provider: Listing, *, redials: bool = False) -> Reconciler:
    return Reconciler(store, provider, ACCOUNT, lambda: {1} if redials else set(), anyio.CapacityLimiter(1))  # type: ignore[arg-type]


async def settle_all(store: Store, clock: ManualClock, provider: Listing, **more: bool) -> Reconciled:
    """Look up again and again, over ten minutes."""
    asking = reconciler(store, provider, **more)
    total = Reconciled()
    for _ in range(60):
        clock.move(10)
        done = await asking.round()
        total.bound += done.bound
        total.freed += done.freed
        total.held += done.held
    return total


async def test_a_call_in_the_providers_list_is_bound(store: Store, clock: ManualClock) -> None:
    pending = unknown_attempt(store)
    provider = Listing(lambda: [record(pending.opened_at_us + 2_000_000)])
    assert (await settle_all(store, clock, provider)).bound == 1
    assert statuses(store) == {"calling": 1}
    assert provider.asked == 1


async def test_a_call_that_is_not_there_is_held_where_absence_proves_nothing(
    store: Store, clock: ManualClock
) -> None:
    unknown_attempt(store)
    provider = Listing(list)
    done = await settle_all(store, clock, provider)
    assert (done.freed, done.held) == (0, 1)
    assert statuses(store) == {"unknown": 1}
    assert 3 <= provider.asked <= 6


@pytest.mark.parametrize(("redials", "proves"), [(True, False), (False, True)])
async def test_a_call_that_is_not_there_is_freed_only_after_the_listing_delay(
    store: Store, clock: ManualClock, redials: bool, proves: bool
) -> None:
    unknown_attempt(store)
    provider = Listing(list, proves_absence=proves)
    asking = reconciler(store, provider, redials=redials)
    for _ in range(9):
        clock.move(10)
        assert (await asking.round()).freed == 0
    done = await settle_all(store, clock, provider, redials=redials)
    assert (done.freed, done.held) == (1, 0)
    assert statuses(store) == {"waiting": 1}


async def test_only_the_attempts_own_campaign_decides_whether_it_is_called_again(
    store: Store, clock: ManualClock
) -> None:
    unknown_attempt(store)
    another = Reconciler(store, Listing(list), ACCOUNT, lambda: {2}, anyio.CapacityLimiter(1))  # type: ignore[arg-type]
    for _ in range(60):
        clock.move(10)
        assert (await another.round()).freed == 0
    assert statuses(store) == {"unknown": 1}


async def test_a_call_found_while_it_runs_still_gets_its_outcome(store: Store, clock: ManualClock) -> None:
    pending = unknown_attempt(store)
    running = Listing(lambda: [record(pending.opened_at_us)])
    assert (await settle_all(store, clock, running)).bound == 1
    over = Listing(lambda: [record(pending.opened_at_us, outcome="busy")])
    collector = Collector(store, over, ACCOUNT, anyio.CapacityLimiter(1))  # type: ignore[arg-type]
    assert (await collector.round()).ended == 1
    assert statuses(store) == {"done": 1}


async def test_a_provider_that_cannot_be_asked_proves_nothing(store: Store, clock: ManualClock) -> None:
    def fail() -> list[Execution]:
        raise NotReady("the list is away")

    unknown_attempt(store)
    asking = reconciler(store, Listing(fail), redials=True)
    total = Reconciled()
    for _ in range(400):
        clock.move(20)
        done = await asking.round()
        total.freed += done.freed
        total.held += done.held
    assert (total.freed, total.held) == (0, 1)


async def test_a_record_that_may_be_ours_is_never_a_reason_to_call_again(
    store: Store, clock: ManualClock
) -> None:
    pending = unknown_attempt(store)
    older = record(pending.opened_at_us - 90_000_000)
    done = await settle_all(store, clock, Listing(lambda: [older]), redials=True)
    assert (done.freed, done.held) == (0, 1)


async def test_polling_finds_an_unknown_attempt_and_its_outcome(store: Store, clock: ManualClock) -> None:
    pending = unknown_attempt(store)
    provider = Listing(lambda: [record(pending.opened_at_us, outcome="completed", duration_s=9.0)])
    collector = Collector(store, provider, ACCOUNT, anyio.CapacityLimiter(1))  # type: ignore[arg-type]
    done = await collector.round()
    assert (done.found, done.ended) == (1, 0)
    with store.read() as connection:
        row = connection.execute(text("SELECT status, outcome, duration_s FROM outcomes")).one()
    assert tuple(row) == ("done", "completed", 9.0)


async def test_records_of_other_numbers_agents_times_and_attempts_do_not_match(store: Store) -> None:
    pending = unknown_attempt(store)
    at_us = pending.opened_at_us
    strangers = [
        record(at_us, phone(1)),
        record(at_us - 3_600_000_000),
        record(at_us, attempt_id="another"),
        Execution("78", phone(0), "7", "whatever", created_at_us=at_us),
    ]
    for stranger in strangers:
        assert match([pending], [stranger], set()) == ([], [])
    assert match([pending], [record(at_us)], {"77"}) == ([], [])
    assert match([pending], [record(None, None, attempt_id=pending.attempt_id)], {"77"})[0]


async def test_a_date_without_a_zone_may_be_hours_early(store: Store) -> None:
    pending = unknown_attempt(store)
    early = record(pending.opened_at_us - 8 * 3_600_000_000, zone_assumed=True)
    found, _ = match([pending], [early], set())
    assert [one.execution.provider_ref for one in found] == ["77"]


async def test_two_records_that_would_do_are_left_to_a_person(store: Store, clock: ManualClock) -> None:
    pending = unknown_attempt(store)
    two = [
        record(pending.opened_at_us),
        Execution("79", phone(0), "962", "x", created_at_us=pending.opened_at_us),
    ]
    found, ambiguous = match([pending], two, set())
    assert (found, ambiguous) == ([], [pending])
    assert (await settle_all(store, clock, Listing(lambda: two), redials=True)).held == 1
    assert unsettled.unknown_due(store, "unleashx", clock.now_us()) == []


async def test_a_record_that_another_attempt_has_already_is_held_and_not_asked_about_for_ever(
    store: Store, clock: ManualClock
) -> None:
    first = unknown_attempt(store)
    mine = record(first.opened_at_us, attempt_id=first.attempt_id, execution_id="x")
    with store.write() as connection:
        connection.execute(
            text(
                "INSERT INTO ledger (attempt_id, campaign_id, contact_id, phone, call_number, attempt_number,"
                " account, provider, agent, state, execution_id, opened_at_us, worker, outcome)"
                " VALUES ('other', 1, 99, '+1', 1, 1, 'unleashx', 'x', '962', 'ended', 'x', 0, 'w', 'busy')"
            )
        )
    provider = Listing(lambda: [mine])
    clock.move(2)
    done = await reconciler(store, provider).round()
    assert (done.bound, done.held) == (0, 1)
    assert unsettled.unknown_due(store, "unleashx", clock.now_us()) == []
