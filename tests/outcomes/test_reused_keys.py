"""A provider that begins to count its records anew: exact ids win over a key that was given twice."""

from __future__ import annotations

import anyio
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from dialer.attempts.ledger import exchange
from dialer.attempts.match import match
from dialer.attempts.reconcile import Reconciler
from dialer.attempts.unsettled import Pending, open_attempts
from dialer.base.clock import ManualClock
from dialer.base.errors import MaybeDialled
from dialer.outcomes.events import apply_events, store_events
from dialer.providers.provider import Execution
from dialer.store.database import Store
from tests.attempts import test_reconcile
from tests.attempts.test_ledger import answered, claim, open_all
from tests.outcomes.test_collect import Listing, collector_of, over, place
from tests.outcomes.test_events import event
from tests.seed import ACCOUNT, desk, phone, seed_campaign

pytestmark = pytest.mark.anyio


async def end_an_older_call(store: Store) -> None:
    """Place a call that is over, and whose record is `r1`."""
    place(store, 1)
    provider = Listing()
    provider.records["x1"] = over(1)
    assert (await collector_of(store, provider).round()).ended == 1


def lose_an_answer(store: Store) -> Pending:
    """Send a call to another number, and hear nothing."""
    campaign_id = seed_campaign(store, "autumn", 1, 100)
    at = desk(store, "w-autumn")
    [(opening, call)] = open_all(at, claim(at, campaign_id, 1))
    lost = answered(opening, call, MaybeDialled("cut", code="read_timeout"))
    exchange(at, [campaign_id], answers=[lost])
    [pending] = open_attempts(store, ACCOUNT)
    return pending


def calls(store: Store) -> list[tuple[object, ...]]:
    with store.read() as connection:
        columns = "phone, state, outcome, execution_id, provider_ref"
        found = connection.execute(text(f"SELECT {columns} FROM ledger ORDER BY phone"))
        return [tuple(row) for row in found]


OLDER = (phone(0), "ended", "completed", "x1", "r1")


async def test_an_outcome_arrives_though_an_older_call_has_its_records_key(store: Store) -> None:
    await end_an_older_call(store)
    place(store, 1, "autumn", 100)
    provider = Listing()
    provider.records["x2"] = Execution("r1", phone(100), "962", "over", "busy", execution_id="x2")
    with capture_logs() as logs:
        assert (await collector_of(store, provider).round()).ended == 1
    assert calls(store) == [OLDER, (phone(100), "ended", "busy", "x2", None)]
    assert [one["event"] for one in logs] == ["reference.reused"]


@pytest.mark.parametrize("execution_id", ["x2", None])
@pytest.mark.parametrize("names_the_attempt", [True, False])
async def test_a_lost_call_is_found_though_an_older_call_has_its_records_key(
    store: Store, clock: ManualClock, execution_id: str | None, names_the_attempt: bool
) -> None:
    await end_an_older_call(store)
    lost = lose_an_answer(store)
    record = Execution(
        "r1",
        lost.phone,
        "962",
        "over",
        "busy",
        created_at_us=lost.opened_at_us,
        execution_id=execution_id,
        attempt_id=lost.attempt_id if names_the_attempt else None,
    )
    provider = test_reconcile.Listing(lambda: [record])
    account, one_at_a_time = test_reconcile.ACCOUNT, anyio.CapacityLimiter(1)
    reconciler = Reconciler(store, provider, account, set, one_at_a_time)  # type: ignore[arg-type]
    clock.move(10)
    assert (await reconciler.round()).bound == 1
    told = execution_id or f"r1 of {lost.attempt_id}"  # it stands for an id, and must be one of its own
    assert calls(store) == [OLDER, (phone(100), "ended", "busy", told, None)]


async def test_a_key_that_was_given_twice_binds_nobody_to_another_persons_call(store: Store) -> None:
    place(store, 1)
    [pending] = open_attempts(store, ACCOUNT)
    pending = pending._replace(provider_ref="r1")
    strangers = [
        Execution("r1", phone(100), "962", "over", "busy"),
        Execution("r1", pending.phone, "962", "over", "busy", execution_id="another"),
        Execution("r1", pending.phone, "962", "over", "busy", attempt_id="another"),
        Execution("r1", pending.phone, "962", "over", "busy", execution_id="x1", attempt_id="another"),
    ]
    for stranger in strangers:
        assert match([pending], [stranger], {"r1"}) == ([], [])
    assert match([pending], [over(1), strangers[0]], {"r1"})[0]


async def test_an_event_is_about_the_call_of_its_execution_id_whoever_had_its_key_before(
    store: Store, clock: ManualClock
) -> None:
    await end_an_older_call(store)
    place(store, 1, "autumn", 100)
    about_it = Execution("r1", None, None, "over", "busy", execution_id="x2")
    about_nobody = Execution("r1", phone(7), None, "over", "busy")
    store_events(store, [event("d1", about_nobody), event("d2", about_it)])
    clock.move(1)
    apply_events(store, ACCOUNT, 3600.0)
    assert calls(store) == [OLDER, (phone(100), "ended", "busy", "x2", None)]
    with store.read() as connection:
        results = connection.execute(text("SELECT result FROM call_events ORDER BY event_id")).scalars()
        assert results.all() == ["unmatched", "settled"]
