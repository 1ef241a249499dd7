"""Workers that share an account: never above its limit together, and up to it; in simulated time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.attempts.pace.departures import LATE_S_MAX as ARRIVES_LATE_S_MAX
from dialer.attempts.pace.line import LinePace, RequestPace
from dialer.attempts.pace.local import LocalPace, take_together
from dialer.attempts.pace.slots import (
    LATE_S_MAX,
    SOLE_US,
    Ask,
    Grant,
    LineRow,
    request_rule,
    reserve_calls,
    reserve_requests,
    step_us,
)
from dialer.attempts.pace.windows import Slowed, Window, rules
from tests.attempts.simulated import LoopClock, depart, now, reached, simulate, stall, stalling, worst

DATABASE_AHEAD_S = 1_790_000_000.0
NEW = LineRow(0, None, 0, None, 0, 0)


class Line:
    """The account's line of time, as the database keeps it: one transaction after a way there and back."""

    def __init__(self, chance: random.Random, way_s: float = 0.003) -> None:
        self.row = NEW
        self.grants: list[Grant] = []
        self.ahead_s = DATABASE_AHEAD_S
        self._chance = chance
        self._way_s = way_s

    async def reserve(self, ask: Ask) -> Grant:
        await asyncio.sleep(self._chance.uniform(0, self._way_s))
        self.row, grant = reserve_calls(self.row, ask, round((now() + self.ahead_s) * 1e6))
        self.grants.append(grant)
        await asyncio.sleep(self._chance.uniform(0, self._way_s))
        return grant


def pace_of(line: Line, limit: float, name: str = "w", ahead_s: float = 0.0) -> LinePace:
    return LinePace([Window(limit, 1)], lambda: name, line.reserve, LoopClock(ahead_s))


def run_line(
    limit: float, workers: int, seconds: float, stalls: tuple[float, float] | None = None
) -> list[float]:
    async def work() -> list[float]:
        line = Line(random.Random(7))
        paces = [pace_of(line, limit, f"w{n}", 100.0 * n) for n in range(workers)]
        disturbing = asyncio.ensure_future(stalling(*stalls)) if stalls else None
        until = now() + seconds
        departures = await asyncio.gather(*(depart(pace.take, until) for pace in paces))
        if disturbing:
            disturbing.cancel()
        for pace in paces:
            await pace.aclose()
        return sorted(moment for some in departures for moment in some)

    return simulate(work)


@pytest.mark.parametrize("limit", [1, 1.5, 10, 50, 200, 500])
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_together_reach_the_limit_and_never_exceed_it(limit: float, workers: int) -> None:
    departures = run_line(limit, workers, max(10, 30 / limit))
    assert reached(departures, limit, 1) >= 0.985
    for rule in rules(Window(limit, 1)):
        assert worst(departures, rule.seconds) <= rule.departures


@pytest.mark.parametrize("limit", [5, 50, 200])
@pytest.mark.parametrize("stalls", [(0.004, 0.1), (0.1, 0.5), (3.0, 4.0)])
def test_a_missed_slot_is_given_up(limit: float, stalls: tuple[float, float]) -> None:
    assert worst(run_line(limit, 3, 10, stalls), 1) <= limit


@pytest.mark.parametrize("limit", [10, 200])
def test_a_worker_alone_makes_up_for_short_stalls(limit: float) -> None:
    departures = run_line(limit, 1, 25, (0.1, 0.5))
    alone = [moment for moment in departures if moment > departures[0] + 3]
    assert reached(alone, limit, 1) >= 0.99
    assert worst(departures, 1) <= limit


@pytest.mark.parametrize("limit", [1, 1.5, 10, 50, 200])
@pytest.mark.parametrize("seed", range(3))
def test_workers_may_come_go_and_die_without_exceeding_the_limit(limit: float, seed: int) -> None:
    """One is alone, others join, leave and are killed with slots in hand; the last is alone again."""

    async def work() -> list[float]:
        chance = random.Random(seed)
        line = Line(chance)
        departures: list[float] = []

        async def live(name: str, begins_s: float, lives_s: float) -> None:
            await asyncio.sleep(begins_s)
            pace = pace_of(line, limit, name, chance.uniform(-50, 50))
            departures.extend(await depart(pace.take, now() + lives_s))
            await pace.aclose()

        disturbing = asyncio.ensure_future(stalling(0.05, 0.7))
        lives = [("a", 0.0, 14.0), ("b", 4.0, 3.0), ("c", 5.3, 0.4), ("d", 16.0, 12.0), ("e", 17.5, 2.0)]
        await asyncio.gather(*(live(*life) for life in lives))
        disturbing.cancel()
        assert any(grant.sole_us for grant in line.grants)
        assert any(grant.again_us for grant in line.grants)
        return sorted(departures)

    departures = simulate(work)
    for rule in rules(Window(limit, 1)):
        assert worst(departures, rule.seconds) <= rule.departures
    assert len(departures) >= 0.8 * limit * 26


def test_a_worker_that_had_nothing_to_send_does_not_use_old_slots() -> None:
    async def work() -> float:
        line = Line(random.Random(1))
        pace = pace_of(line, 20)
        await pace.take()
        await asyncio.sleep(10)
        resumed_at = now()
        taken = [await pace.take() for _ in range(40)]
        await pace.aclose()
        assert worst(taken, 1) <= 20
        return taken[0] - resumed_at

    assert simulate(work) < 0.1


@pytest.mark.parametrize("limit", [0.1, 2, 10, 100])
def test_calls_that_connect_slowly_never_crowd_the_slots_of_others(limit: float) -> None:
    """Whatever a call's connection takes, it leaves by a slot or waits for another one."""

    async def work() -> list[float]:
        chance = random.Random(3)
        line = Line(chance)
        paces = [pace_of(line, limit, f"w{n}", 100.0 * n) for n in range(3)]
        left: list[float] = []

        async def connect_and_leave(pace: LinePace, granted_at: float) -> None:
            await asyncio.sleep(chance.choice([0.0, 0.004, 0.02, 0.8]))
            while pace.departed(granted_at, pace.clock.monotonic()) is None:
                granted_at = await pace.take()
            left.append(now())

        async def dial(pace: LinePace) -> None:
            async with asyncio.TaskGroup() as calls:
                while now() < until:
                    calls.create_task(connect_and_leave(pace, await pace.take()))

        until = now() + max(8, 60 / limit)
        await asyncio.gather(*(dial(pace) for pace in paces))
        for pace in paces:
            await pace.aclose()
        return sorted(left)

    departures = simulate(work)
    for rule in rules(Window(limit, 1)):
        assert worst(departures, rule.seconds) <= rule.departures
    assert len(departures) >= 10


def test_a_hold_gives_up_the_slots_in_hand() -> None:
    async def work() -> tuple[float, float]:
        line = Line(random.Random(1))
        pace = pace_of(line, 50)
        await depart(pace.take, now() + 0.7)
        pace.hold(5.0)
        held_until = now() + 5.0
        taken = await pace.take()
        await pace.aclose()
        return taken, held_until

    taken, held_until = simulate(work)
    assert held_until <= taken < held_until + 0.1


def test_workers_take_over_a_pace_that_another_one_lowered() -> None:
    async def work() -> list[int]:
        line = Line(random.Random(1))
        paces = [pace_of(line, 50, name) for name in ("a", "b")]
        counts = []
        for _ in range(2):
            until = now() + 4
            sent = await asyncio.gather(*(depart(pace.take, until) for pace in paces))
            counts.append(sum(map(len, sent)))
            paces[0].slow(0.5)
            paces[1].follow(Slowed(0.5, now()))
        for pace in paces:
            await pace.aclose()
        return counts

    fast, slow = simulate(work)
    assert slow == pytest.approx(0.52 * fast, abs=8)


def test_a_reservation_that_fails_is_told_and_tried_again() -> None:
    async def work() -> None:
        line = Line(random.Random(1))
        down = True

        async def reserve(ask: Ask) -> Grant:
            if down:
                raise ConnectionError("the database is away")
            return await line.reserve(ask)

        pace = LinePace([Window(5, 1)], lambda: "w", reserve, LoopClock())
        for _ in range(2):
            with pytest.raises(ConnectionError, match="away"):
                await pace.take()
        down = False
        await pace.take()
        await pace.aclose()

    simulate(work)


def test_nothing_leaves_while_the_line_cannot_be_reached() -> None:
    async def work() -> float:
        line = Line(random.Random(1))
        down_from = now() + 8

        async def reserve(ask: Ask) -> Grant:
            if now() > down_from:
                raise ConnectionError("the database is away")
            return await line.reserve(ask)

        pace = LinePace([Window(50, 1)], lambda: "w", reserve, LoopClock())
        last = 0.0
        with suppress(ConnectionError):
            while True:
                last = await pace.take()
        assert not pace.alone
        return last - down_from

    assert 0 < simulate(work) <= SOLE_US / 1e6


def test_a_set_back_database_clock_is_believed_again_soon() -> None:
    async def work() -> float:
        line = Line(random.Random(1))
        pace = pace_of(line, 10)
        await depart(pace.take, now() + 2)
        line.ahead_s -= 7200.0
        await depart(pace.take, now() + 3)
        taken = await depart(pace.take, now() + 3)
        await pace.aclose()
        return len(taken) / 3

    assert simulate(work) == pytest.approx(10, abs=2)


def test_slots_begin_where_the_line_ends_and_never_in_the_past() -> None:
    ask = Ask("w", 3, 100, 1_000_000)
    row, grant = reserve_calls(NEW._replace(call_slot_at_us=500), ask, 10_000)
    assert grant.slots_us == (10_000, 10_100, 10_200)
    assert row.call_slot_at_us == 10_300
    row, grant = reserve_calls(row, ask._replace(slots=2), 10_050)
    assert grant.slots_us == (10_300, 10_400)
    assert row.call_slot_at_us == 10_500


def test_slots_leave_room_for_one_that_is_late() -> None:
    for limit in (1, 1.5, 50, 500):
        span_s = limit * step_us([Window(limit, 1)]) / 1e6
        assert span_s - LATE_S_MAX > 1.0
    assert ARRIVES_LATE_S_MAX > LATE_S_MAX


# Requests of any kind


class Requests:
    """An account's line of requests, as the database keeps it."""

    def __init__(self, per_minute: int, per_second: float | None) -> None:
        self.rule = request_rule(per_minute, per_second)
        self.line_us = 0

    async def reserve(self, count: int) -> tuple[int, list[int]]:
        await asyncio.sleep(0.002)
        now_us = round((now() + DATABASE_AHEAD_S) * 1e6)
        self.line_us, moments = reserve_requests(self.line_us, count, self.rule, now_us)
        return now_us, moments


@pytest.mark.parametrize(("per_minute", "per_second"), [(100, 1.5), (60, 5.0), (600, None), (30, 10.0)])
def test_calls_polls_and_restarts_share_the_requests_of_a_minute(
    per_minute: int, per_second: float | None
) -> None:
    async def work() -> tuple[list[float], list[float]]:
        requests = Requests(per_minute, per_second)
        calls: list[float] = []
        polls: list[float] = []

        async def poll() -> None:
            clock = LoopClock(7.0)
            pace = RequestPace(per_minute, requests.rule, requests.reserve, clock)
            while True:
                await asyncio.sleep(5)
                await pace.take()
                polls.append(now())

        polling = asyncio.ensure_future(poll())
        for _ in range(3):  # each is killed and comes back with nothing in mind but the database
            clock = LoopClock(-3.0)
            gates = [RequestPace(per_minute, requests.rule, requests.reserve, clock)]
            both = [LocalPace([Window(per_second, 1)], clock), *gates] if per_second else gates
            calls += await depart(lambda both=both: take_together(*both), now() + 70)  # type: ignore[misc]
            stall(0.3)
        polling.cancel()
        return calls, polls

    calls, polls = simulate(work)
    assert worst(calls + polls, 60) <= per_minute
    narrowest = min(per_minute, 60 * per_second) if per_second else per_minute
    assert len(calls) + len(polls) >= 0.97 * narrowest * 3.5


@given(
    st.sampled_from([(100, 1.5), (60, None), (10, 5.0)]),
    st.lists(st.tuples(st.floats(0, 20), st.integers(1, 6), st.floats(0, 1)), min_size=1, max_size=60),
)
def test_no_minute_holds_more_requests_than_the_limit(
    limits: tuple[int, float | None], blocks: Sequence[tuple[float, int, float]]
) -> None:
    """Blocks are taken by anybody at any time, and each request leaves as late as it may."""
    rule = request_rule(*limits)
    now_us = line_us = 0
    left: list[float] = []
    for pause_s, count, late in blocks:
        now_us += round(pause_s * 1e6)
        line_us, moments = reserve_requests(line_us, count, rule, now_us)
        left += [(moment + late * rule.late_us) / 1e6 for moment in moments]
    assert worst(left, 60) <= limits[0]
