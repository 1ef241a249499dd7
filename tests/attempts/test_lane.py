"""A lane from claimed calls to written answers, against a provider that does as it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random

import anyio
import pytest
from sqlalchemy import text

from dialer.attempts import ledger
from dialer.attempts.breaker import Breaker
from dialer.attempts.dialing import Dialing
from dialer.attempts.lane import Lane
from dialer.attempts.pace.limits import AccountPace
from dialer.attempts.pace.windows import Slowed
from dialer.base.clock import SystemClock
from dialer.base.errors import AccountStopped, MaybeDialled, NotDialled, NotReady, Refused
from dialer.calls.campaigns import pause
from dialer.providers.provider import Accepted, Submission
from dialer.store.database import Store
from tests.seed import desk, seed_campaign, states, statuses

pytestmark = pytest.mark.anyio


class FreePace:
    """No limit; remembers holds."""

    rate = float("inf")

    def __init__(self) -> None:
        self.holds: list[float] = []

    async def take(self) -> float:
        await anyio.lowlevel.checkpoint()
        return 0.0

    def departed(self, granted_at: float, left_at: float) -> float:
        assert left_at >= granted_at
        return granted_at

    def answered(self, counted_at: float, answered_at: float) -> None:
        assert answered_at >= counted_at

    def follow(self, held_s: float, slowed: Slowed) -> None:
        self.followed = held_s

    def hold(self, seconds: float) -> None:
        self.holds.append(seconds)

    def slow(self, factor: float) -> None:
        assert 0 < factor < 1


class Scripted:
    """A provider that counts what it is sent and answers by script."""

    name = "scripted"

    def __init__(
        self, script: Callable[[int, Submission], Accepted | Exception], wait_s: float = 0.0
    ) -> None:
        self.placed: Counter[str] = Counter()
        self.metadata: list[dict[str, object]] = []
        self.script = script
        self.wait_s = wait_s
        self.in_air = self.in_air_max = 0

    async def submit(self, submission: Submission) -> Accepted:
        number = sum(self.placed.values())
        self.placed[submission.phone] += 1
        self.metadata.append(dict(submission.metadata))
        self.in_air += 1
        self.in_air_max = max(self.in_air_max, self.in_air)
        try:
            await anyio.sleep(self.wait_s)
        finally:
            self.in_air -= 1
        result = self.script(number, submission)
        if isinstance(result, Exception):
            raise result
        return result

    async def look_up(self, attempt: object) -> list[object]:
        return []

    async def executions(self, agent: str, since_us: int) -> AsyncIterator[list[object]]:
        yield []


def accept(number: int, submission: Submission) -> Accepted:
    return Accepted(f"x-{submission.attempt_id}", 200, "initiated")


@pytest.fixture
def live(store_url: str) -> Iterator[Store]:
    opened = Store(store_url)
    yield opened
    opened.close()


def lane_for(
    store: Store,
    provider: Scripted,
    campaign_ids: list[int],
    *,
    worker: str = "w",
    in_flight: int = 8,
    pace: FreePace | None = None,
    breaker: Breaker | None = None,
    drain_s: float = 5.0,
    calls_open_max: int | None = None,
    lease_until: Callable[[], float] = lambda: float("inf"),
    pace_limit: float | None = None,
) -> Lane:
    return Lane(
        desk(store, worker, calls_open_max),
        provider,  # type: ignore[arg-type]
        pace or FreePace(),
        [
            Dialing(one, f"c{one}", "962", {"from": "campaign", "row": 0}, breaker or Breaker(1.0, 10_000))
            for one in campaign_ids
        ],
        clock=SystemClock(),
        requests_in_flight_max=in_flight,
        pace_limit=pace_limit,
        drain_s=drain_s,
        lease_until=lease_until,
        database=anyio.CapacityLimiter(1),
        random=Random(1),
    )


async def run_until(lane: Lane, done: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lane.run)
            while not done():
                await anyio.sleep(0.005)
            lane.stop()


async def test_a_slow_lane_opens_each_call_shortly_before_its_turn(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=6)
    pace = AccountPace(1.0, None, SystemClock())

    def leave_and_accept(number: int, submission: Submission) -> Accepted:
        assert submission.departing is not None
        submission.departing()
        return accept(number, submission)

    provider = Scripted(leave_and_accept)
    lane = lane_for(live, provider, [campaign_id], pace=pace, pace_limit=1.0)  # type: ignore[arg-type]
    opened_between = []

    def done() -> bool:
        last = lane.counts.last_sent_at
        if last is not None and 0.1 < SystemClock().monotonic() - last < 0.8:
            opened_between.append(len(lane.dialings[0].opened))
        return lane.counts.accepted == 3

    await run_until(lane, done)
    assert opened_between
    assert not any(opened_between)


class LatePace(FreePace):
    """A pace by which no call may leave by its first token, because that is over."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.again = 0

    async def take(self) -> float:
        await anyio.lowlevel.checkpoint()
        return SystemClock().monotonic()

    def departed(self, granted_at: float, left_at: float) -> float | None:  # type: ignore[override]
        if left_at == granted_at:
            return granted_at
        self.again += 1
        return None


async def test_a_call_that_missed_its_token_while_it_connected_leaves_by_another(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=5)

    class Connecting(Scripted):
        async def submit(self, submission: Submission) -> Accepted:
            await anyio.sleep(0.002)
            assert submission.departing is not None
            waiting = submission.departing()
            assert waiting is not None
            await waiting
            return await super().submit(submission)

    provider, pace = Connecting(accept), LatePace(50.0)
    lane = lane_for(live, provider, [campaign_id], pace=pace)
    await run_until(lane, lambda: lane.counts.accepted == 5)
    assert set(provider.placed.values()) == {1}
    assert pace.again == 5


async def test_a_call_that_waits_for_another_token_is_withdrawn_by_a_pause(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=1)
    halted = anyio.Event()

    class Connecting(Scripted):
        async def submit(self, submission: Submission) -> Accepted:
            await anyio.sleep(0.002)
            assert submission.departing is not None
            waiting = submission.departing()
            assert waiting is not None
            lane.dialings[0].halt("paused")
            halted.set()
            await waiting
            raise AssertionError("it must not leave")

    lane = lane_for(live, Connecting(accept), [campaign_id], pace=LatePace(50.0))
    await run_until(lane, halted.is_set)
    assert lane.counts.not_dialled == 1
    assert statuses(live) == {"waiting": 1}


async def test_every_contact_is_submitted_once_and_its_execution_id_is_written(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=120)
    provider = Scripted(accept)
    lane = lane_for(live, provider, [campaign_id])
    await run_until(lane, lambda: lane.counts.accepted == 120)
    assert set(provider.placed.values()) == {1}
    assert statuses(live) == {"calling": 120}
    with live.read() as connection:
        rows = connection.execute(text("SELECT attempt_id, execution_id, sent_at FROM attempts")).all()
    assert all(row.execution_id == f"x-{row.attempt_id}" and row.sent_at for row in rows)


async def test_a_contacts_own_metadata_wins_over_the_campaigns(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=1)
    provider = Scripted(accept)
    lane = lane_for(live, provider, [campaign_id])
    await run_until(lane, lambda: lane.counts.accepted == 1)
    assert provider.metadata == [{"from": "campaign", "row": 1}]


async def test_requests_in_flight_stay_below_their_limit(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=60)
    provider = Scripted(accept, wait_s=0.02)
    lane = lane_for(live, provider, [campaign_id], in_flight=5)
    await run_until(lane, lambda: lane.counts.accepted == 60)
    assert provider.in_air_max == 5


async def test_whatever_may_have_been_dialled_is_never_sent_again(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=12)
    results: list[Callable[[], Exception]] = [
        lambda: MaybeDialled("cut", code="read_error"),
        lambda: Refused("no such number", code="http_422", http_status=422),
        lambda: ZeroDivisionError("a bug in the provider"),
    ]

    def script(number: int, submission: Submission) -> Accepted | Exception:
        return accept(number, submission) if number % 4 == 3 else results[number % 4]()

    provider = Scripted(script)
    lane = lane_for(live, provider, [campaign_id])
    await run_until(lane, lambda: lane.counts.submitted == 12 and lane.idle)
    assert set(provider.placed.values()) == {1}
    assert states(live) == {"accepted": 3, "unknown": 6, "refused": 3}


async def test_a_throttled_account_is_held_and_the_contact_waits(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=3)

    def script(number: int, submission: Submission) -> Accepted | Exception:
        if number == 0:
            return NotDialled("slow down", code="http_429", retry_after_s=7.0, throttled=True)
        return accept(number, submission)

    pace = FreePace()
    lane = lane_for(live, Scripted(script), [campaign_id], in_flight=1, pace=pace)
    await run_until(lane, lambda: bool(pace.holds) and lane.counts.not_dialled == 1 and lane._books.settled)
    assert pace.holds == [7.0]
    assert statuses(live) == {"waiting": 3}


async def test_a_stopped_account_stops_its_campaign_at_once_and_leaves_everything_as_it_was(
    live: Store,
) -> None:
    campaign_id = seed_campaign(live, contacts=50)
    provider = Scripted(lambda number, submission: AccountStopped("wrong token", code="http_401"))
    lane = lane_for(live, provider, [campaign_id], in_flight=1)
    await run_until(lane, lambda: lane.dialings[0].stopped is not None)
    assert lane.dialings[0].stopped == "wrong token"
    assert sum(provider.placed.values()) == 1
    assert statuses(live) == {"waiting": 50}


async def test_a_run_of_failures_opens_the_breaker(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=60)
    provider = Scripted(lambda number, submission: MaybeDialled("cut", code="read_error"))
    lane = lane_for(live, provider, [campaign_id], in_flight=1, breaker=Breaker(0.5, 10))
    await run_until(lane, lambda: lane.dialings[0].stopped is not None)
    assert sum(provider.placed.values()) == 10
    assert statuses(live) == {"unknown": 10, "waiting": 50}


async def test_stopping_waits_for_answers_and_leaves_nothing_unknown(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=60)
    provider = Scripted(accept, wait_s=0.1)
    lane = lane_for(live, provider, [campaign_id], in_flight=6)
    await run_until(lane, lambda: provider.in_air == 6)
    placed = sum(provider.placed.values())
    assert placed >= 6
    assert statuses(live) == {"calling": placed, "waiting": 60 - placed}
    assert set(states(live)) <= {"accepted", "not_dialled"}


async def test_what_is_cut_off_in_the_air_becomes_unknown(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=10)
    provider = Scripted(accept, wait_s=60)
    lane = lane_for(live, provider, [campaign_id], in_flight=4, drain_s=0.05)
    await run_until(lane, lambda: provider.in_air == 4)
    assert statuses(live) == {"unknown": 4, "waiting": 6}


async def test_a_pause_reaches_the_lane_and_gives_every_lease_back(live: Store) -> None:
    campaign_id = seed_campaign(live, "spring", contacts=300)
    provider = Scripted(accept, wait_s=0.02)
    lane = lane_for(live, provider, [campaign_id], in_flight=2)

    def paused() -> bool:
        if lane.counts.accepted == 4:
            pause(live, "spring", "by a test")
            lane.counts.accepted += 1000
        return lane.dialings[0].state == "paused" and lane.idle

    await run_until(lane, paused)
    with live.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM contacts WHERE status = 'leased'")) == 0
        assert connection.scalar(text("SELECT count(*) FROM ledger WHERE state = 'sending'")) == 0
    assert statuses(live)["waiting"] > 250


async def test_open_calls_stay_below_their_limit(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=20)
    provider = Scripted(accept)
    lane = lane_for(live, provider, [campaign_id], calls_open_max=5)
    await run_until(lane, lambda: lane.counts.accepted == 5 and lane._books.full_until > 0)
    assert sum(provider.placed.values()) == 5


async def test_two_campaigns_with_the_same_numbers_never_have_one_open_twice(live: Store) -> None:
    first, second = seed_campaign(live, "a", 40), seed_campaign(live, "b", 40)
    provider = Scripted(accept, wait_s=0.01)
    lane = lane_for(live, provider, [first, second])
    await run_until(lane, lambda: lane.counts.accepted == 40 and lane.idle)
    assert set(provider.placed.values()) == {1}
    assert statuses(live) == {"calling": 40, "waiting": 40}


async def test_nothing_leaves_in_the_last_seconds_of_the_lease(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=5)
    provider = Scripted(accept)
    lane = lane_for(live, provider, [campaign_id], lease_until=lambda: SystemClock().monotonic() + 1.0)
    await run_until(lane, lambda: any(one.opened for one in lane.dialings))
    assert not provider.placed
    assert statuses(live) == {"waiting": 5}


async def test_answers_survive_a_database_that_fails_for_a_while(
    live: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = seed_campaign(live, contacts=40)
    provider = Scripted(accept, wait_s=0.01)
    lane = lane_for(live, provider, [campaign_id], in_flight=4)
    real, calls = ledger.exchange, Counter[str]()

    def failing(*words: object, **more: object) -> ledger.Exchanged:
        calls["all"] += 1
        if calls["all"] in (3, 4):
            exchanged = real(*words, **more)  # type: ignore[arg-type]
            if calls["all"] == 3:  # committed, and the connection broke before we heard of it
                raise NotReady("gone")
            return exchanged
        if calls["all"] == 6:
            raise NotReady("gone")
        return real(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger, "exchange", failing)
    await run_until(lane, lambda: lane.counts.accepted == 40)
    assert set(provider.placed.values()) == {1}
    assert statuses(live) == {"calling": 40}


async def test_a_lane_is_not_idle_while_its_last_answer_is_being_written(live: Store) -> None:
    """A run that looks at the ledger just then would see no open call, and leave before its outcome."""
    campaign_id = seed_campaign(live, contacts=1)
    lane = lane_for(live, Scripted(accept, wait_s=0.1), [campaign_id])
    database = lane._books._database
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lane.run)
            while not lane._in_flight:
                await anyio.sleep(0.001)
            async with database:  # somebody reads progress while the answer comes
                while not (lane.counts.accepted and database.statistics().tasks_waiting):
                    await anyio.sleep(0.001)
                assert not lane.idle
            while not lane.idle:
                await anyio.sleep(0.001)
            assert states(live) == {"accepted": 1}
            lane.stop()
