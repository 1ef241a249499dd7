"""What was planned before the load is what the ledger then lets be called: windows, caps and redials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from dialer.attempts import settle, unsettled, workers
from dialer.attempts.ledger import Desk, Opening, Wanted, ensure_account, exchange
from dialer.base.clock import ManualClock
from dialer.base.ids import new_attempt_id
from dialer.base.settings import Account
from dialer.calls.allowed import Allowed
from dialer.calls.assumed import Said
from dialer.calls.claim import Asked, Call, Returned
from dialer.calls.groups import groups_of
from dialer.calls.load import load, open_lists
from dialer.calls.outlook import Outlook, look_ahead
from dialer.calls.unloaded import Unloaded
from dialer.campaign import Campaign
from dialer.providers.provider import Accepted, Execution
from dialer.rules.rulebook import read_rulebook
from dialer.store.database import Store
from dialer.tables.audit import audit
from dialer.tables.progress import progress
from tests.attempts.test_ledger import answered
from tests.calls.florida import go_to
from tests.calls.spring import campaign_in

BLOCK = 20
PER_SECOND = 0.02
SHARES = {"no_answer": 0.5}
MONTH_S = 30 * 86_400.0

CAMPAIGN = """
[list]
files = ["*.csv"]
phone = "phone"
[call]
account = "north"
agent = "962"
[hours]
start = "09:00"
end = "18:00"
[redial]
calls_max = 2
no_answer = "2h"
[caps]
per_number = ["1 per 6h"]
"""
# New York, Los Angeles, London, India.
AREAS = ("+1212555{:04d}", "+1213555{:04d}", "+44207946{:04d}", "+9198765{:05d}")


@pytest.fixture
def here(sqlite_url: str, clock: ManualClock) -> Iterator[Store]:
    opened = Store(sqlite_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    phones = [area.format(100 + number) for number in range(130) for area in AREAS]
    return campaign_in(tmp_path, CAMPAIGN, people="phone\n" + "\n".join(phones) + "\n")


def test_start_and_finish_are_as_planned(here: Store, clock: ManualClock, campaign: Campaign) -> None:
    """Blocks of twenty calls, a thousand seconds apart, on a clock that jumps, for two days in four zones."""
    go_to(clock, "2026-10-21T02:00:00")
    account = Account(name="north", provider="unleashx", calls_per_second=PER_SECOND)
    ahead = planned(here, campaign, account)
    load(here, campaign)
    halfway, departures = dial(here, clock, campaign, account)
    line = ahead.timeline
    assert line.first_call_us is not None
    assert line.last_call_us is not None
    took = departures[-1] - departures[0]
    assert abs(line.first_call_us - departures[0]) <= 0.05 * took
    assert abs(line.last_call_us - departures[-1]) <= 0.05 * took
    assert line.calls == pytest.approx(len(departures), rel=0.05)
    assert abs(halfway - departures[-1]) <= 0.05 * took
    assert audit(here, "spring").exit_code == 0


def planned(store: Store, campaign: Campaign, account: Account) -> Outlook:
    unloaded = Unloaded(campaign, open_lists(campaign))
    with store.read() as connection:
        people = unloaded.stage(connection)
        said = Said(shares=SHARES)
        ahead = look_ahead(
            store, connection, campaign, account, read_rulebook(), people, said=said, dialed=True
        )
        unloaded.drop(connection)
        return ahead


def dial(store: Store, clock: ManualClock, campaign: Campaign, account: Account) -> tuple[int, list[int]]:
    """Dial everybody; return the finish that `status` said halfway, and when each block of calls left."""
    random, halfway = Random(4), 0
    with store.write() as connection:
        connection.execute(text("UPDATE campaigns SET state = 'running'"))
        allowed = Allowed.of(campaign, read_rulebook(), groups_of(store, connection, 1))
    ensure_account(store, "north")
    workers.enter(store, "w", MONTH_S)
    desk = Desk(store, "w", "north", "unleashx")
    departures: list[int] = []
    while True:
        now_us = clock.now_us()
        left = 0
        while left < BLOCK and (claimed := claim(desk, allowed, now_us, BLOCK - left)):
            left += place(desk, allowed, claimed, now_us)
        departures += [now_us] * left
        clock.move(60.0)
        end_calls(store, random)
        if not halfway and len(departures) > 400:
            (row,) = progress(store, "spring", accounts={"north": account}, rules=read_rulebook())
            assert row.finish_estimate_at is not None
            halfway = round(row.finish_estimate_at.timestamp() * 1e6)
        clock.move(BLOCK / PER_SECOND - 60.0)
        with store.read() as connection:
            waiting = connection.scalar(text("SELECT count(*) FROM contacts WHERE status = 'waiting'"))
        if not waiting:
            return halfway, departures


def claim(desk: Desk, allowed: Allowed, now_us: int, how_many: int) -> list[Call]:
    asked = [Asked(one.group_id) for one in allowed.open_groups(now_us)]
    return exchange(desk, [1], wanted=[Wanted(1, how_many, asked)]).claimed[0] if asked else []


def place(desk: Desk, allowed: Allowed, calls: list[Call], now_us: int) -> int:
    """Place what the ledger lets be placed, put off the others as a lane does; return how many."""
    openings = [(opening(allowed, call, now_us), call) for call in calls]
    done = exchange(desk, [1], openings=[one for one, _ in openings])
    left = [(one, call) for one, call in openings if one.attempt_id in done.opened]
    answers = [answered(one, call, Accepted(f"x-{one.attempt_id}", 200), now_us) for one, call in left]
    kept = [
        (call.contact_id, done.kept[one.attempt_id]) for one, call in openings if one.attempt_id in done.kept
    ]
    returned = [Returned(contact_id, why.reason, why.again_at_us) for contact_id, why in kept]
    exchange(desk, [1], answers=answers, returned=returned)
    return len(left)


def opening(allowed: Allowed, call: Call, now_us: int) -> Opening:
    grounds, until_us = (
        allowed.grounds(call.window_group, now_us),
        allowed.until_us(call.window_group, now_us),
    )
    numbers = (call.contact_id, call.call_number, call.attempt_number)
    return Opening(new_attempt_id(now_us), call.campaign_id, *numbers, "962", None, grounds, until_us)


def end_calls(store: Store, random: Random) -> None:
    """Let every open call end: half of them without an answer."""
    found = []
    for pending in unsettled.open_attempts(store, "north"):
        outcome = "no_answer" if random.random() < SHARES["no_answer"] else "completed"
        record = Execution(f"r-{pending.attempt_id}", pending.phone, "962", "over", outcome)
        found.append(unsettled.Finding(pending, record))
    settle.bind(store, found)
