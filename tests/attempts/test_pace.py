"""No sliding window above its limit and the limit used to the full, in simulated time.

The event loop's own clock is simulated, so that the real aiolimiter runs in these tests: time stands
still while anything is ready to run, then jumps to the next timer. A stall of the loop is a jump in
the middle of a task.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.attempts.pace import (
    GUARD_S,
    LATE_S_MAX,
    RECOVERY_PER_S,
    LinePace,
    LocalPace,
    Reservation,
    Rule,
    Slowed,
    Window,
    factor_at,
    reserve_slots,
    rules,
    slots,
    slowed,
    step_us,
    take_together,
)

Result = TypeVar("Result")

DATABASE_AHEAD_S = 1_790_000_000.0


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits: when nothing is ready, its clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        ask = self._selector.select  # type: ignore[attr-defined]

        def select(timeout: float | None) -> Any:
            if timeout is None:
                raise RuntimeError("every task waits for ever")
            self.now_s += max(timeout, 1e-6)  # whatever runs takes a moment
            return ask(0)

        self._selector.select = select  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now_s


class LoopClock:
    """The clock of the loop, as a worker sees it whose own clock is `ahead_s` of the others."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self._ahead_s = ahead_s
        self._loop = asyncio.get_running_loop()

    def now_us(self) -> int:
        return round(self.monotonic() * 1e6)

    def monotonic(self) -> float:
        return self._loop.time() + self._ahead_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def simulate(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work())


def now() -> float:
    return asyncio.get_running_loop().time()


def stall(seconds: float) -> None:
    """Block the event loop."""
    asyncio.get_running_loop().now_s += seconds  # type: ignore[attr-defined]


async def stalling(seconds: float, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s - seconds)
        stall(seconds)


def worst(departures: Sequence[float], seconds: float) -> int:
    """Return the most departures in any sliding window."""
    most = first = 0
    ordered = sorted(departures)
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


async def depart(take: Callable[[], Awaitable[float]], until: float) -> list[float]:
    departures = []
    while True:
        await take()
        if now() >= until:
            return departures
        departures.append(now())


def run_local(
    windows: Sequence[Window], seconds: float, stalls: tuple[float, float] | None = None
) -> list[float]:
    """Return the departures of a pace that always has work."""

    async def work() -> list[float]:
        pace = LocalPace(windows, LoopClock())
        disturbing = asyncio.ensure_future(stalling(*stalls)) if stalls else None
        departures = await depart(pace.take, now() + seconds)
        if disturbing:
            disturbing.cancel()
        return departures

    return simulate(work)


def reached(departures: Sequence[float], limit: float, seconds: float) -> float:
    """Return the long-run rate over the limit, from a departure to the one some whole windows later."""
    whole = rules(Window(limit, seconds))[-1].departures
    last = (len(departures) - 1) // whole * whole
    return last / (departures[last] - departures[0]) / (limit / seconds)


# One process


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [(1, 1), (1.5, 1), (2.4, 1), (10, 1), (50, 1), (200, 1), (500, 1), (0.2, 1), (90, 60)],
)  # fmt: skip
def test_the_limit_is_reached_and_never_exceeded(limit: float, seconds: float) -> None:
    window = Window(limit, seconds)
    departures = run_local([window], 10 * max(seconds, 10 / limit))
    assert reached(departures, limit, seconds) >= 0.99
    for rule in rules(window):
        assert worst(departures, rule.seconds + GUARD_S) <= rule.departures


@pytest.mark.parametrize("limit", [1, 10, 50, 200, 500])
@pytest.mark.parametrize("stalls", [(0.02, 0.2), (0.1, 0.5)])
def test_a_pace_catches_up_after_short_stalls(limit: int, stalls: tuple[float, float]) -> None:
    departures = run_local([Window(limit, 1)], 20, stalls)
    assert reached(departures, limit, 1) >= (0.95 if limit == 1 else 0.99)
    assert worst(departures, 1) <= limit


@pytest.mark.parametrize("limit", [1, 10, 200])
def test_a_long_stall_is_not_made_up_for(limit: int) -> None:
    departures = run_local([Window(limit, 1)], 12, (3.0, 4.0))
    assert worst(departures, 1) <= limit


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(1.0, 1.0), (1.5, 1.0), (3.0, 1.0), (7.3, 1.0), (20.0, 1.0), (30.0, 5.0)]),
    st.lists(
        st.tuples(st.sampled_from(["work", "work", "pause", "stall"]), st.floats(0, 1.5)),
        min_size=1,
        max_size=80,
    ),
    st.randoms(use_true_random=False),
)
def test_no_window_is_exceeded_whatever_happens(
    limit: tuple[float, float], events: list[tuple[str, float]], chance: random.Random
) -> None:
    """Calls come in batches, after pauses and stalls, and reach the provider up to `GUARD_S` late."""
    window = Window(*limit)

    async def work() -> list[float]:
        pace = LocalPace([window], LoopClock())
        departures = []
        for kind, size in events:
            if kind == "pause":
                await asyncio.sleep(size)
            elif kind == "stall":
                stall(size)
            else:
                for _ in range(round(size * limit[0])):
                    departures.append(await pace.take())
                    assert departures[-1] == now()
                    if chance.random() < 0.1:
                        stall(chance.random() * 0.3)
        return departures

    arrivals = [departure + chance.uniform(0, GUARD_S) for departure in simulate(work)]
    for rule in rules(window):
        assert worst(arrivals, rule.seconds) <= rule.departures


def test_every_window_holds_where_there_are_several() -> None:
    departures = run_local([Window(10, 1), Window(100, 60)], 300)
    assert worst(departures, 1) <= 10
    assert worst(departures, 60) <= 100
    assert reached(departures, 100, 60) >= 0.99


def test_a_restart_does_not_open_a_new_window() -> None:
    async def work() -> list[float]:
        before = [now() - 0.9 + 0.01 * index for index in range(10)]
        pace = LocalPace([Window(10, 1)], LoopClock())
        pace.remember(reversed(before))
        return before + await depart(pace.take, now() + 3)

    assert worst(simulate(work), 1) <= 10


def test_a_call_that_left_late_counts_from_the_moment_it_left() -> None:
    async def work() -> list[float]:
        pace = LocalPace([Window(2, 1)], LoopClock())
        granted = [await pace.take() for _ in range(2)]
        await asyncio.sleep(0.5)
        left = [now(), now()]
        for granted_at, left_at in zip(granted, left, strict=True):
            pace.departed(granted_at, left_at)
        return [*left, *[await pace.take() for _ in range(4)]]

    assert worst(simulate(work), 1) <= 2


def test_a_hold_stops_everybody_even_one_who_waits_already() -> None:
    async def work() -> tuple[float, float]:
        pace = LocalPace([Window(1, 1)], LoopClock())
        await pace.take()
        waiting = asyncio.ensure_future(pace.take())
        await asyncio.sleep(0.5)
        pace.hold(7.0)
        pace.hold(1.0)
        held_until = now() + 7.0
        return await waiting, held_until

    taken, held_until = simulate(work)
    assert taken >= held_until


def test_a_refusal_halves_the_pace_and_it_climbs_back() -> None:
    async def work() -> list[float]:
        pace = LocalPace([Window(20, 1)], LoopClock())
        await depart(pace.take, now() + 5)
        for _ in range(64):  # every call in flight is refused: that is one event
            pace.slow(0.5)
        assert pace.rate == pytest.approx(10)
        rates = []
        for _ in range(3):
            rates.append(len(await depart(pace.take, now() + 5)) / 5)
            await depart(pace.take, now() + 20)
        return rates

    rates = simulate(work)
    assert rates[0] == pytest.approx(10.5, abs=1.0)
    assert rates[1] == pytest.approx(15.5, abs=1.0)
    assert rates[2] == pytest.approx(20, abs=0.5)


def test_callers_are_served_in_the_order_they_came() -> None:
    async def work() -> list[int]:
        pace = LocalPace([Window(5, 1)], LoopClock())
        served: list[int] = []

        async def call(number: int) -> None:
            await pace.take()
            served.append(number)

        await asyncio.gather(*(call(number) for number in range(20)))
        return served

    assert simulate(work) == list(range(20))


def test_a_caller_who_leaves_does_not_stop_the_others() -> None:
    async def work() -> float:
        pace = LocalPace([Window(1, 1)], LoopClock())
        await pace.take()
        leaving = asyncio.ensure_future(pace.take())
        staying = asyncio.ensure_future(pace.take())
        await asyncio.sleep(0.2)
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
        started = now()
        await staying
        return now() - started

    assert simulate(work) < 2


def test_a_call_under_two_limits_is_counted_in_both_when_it_leaves() -> None:
    async def work() -> tuple[list[float], list[float]]:
        clock = LoopClock()
        calls, requests = LocalPace([Window(2, 1)], clock), LocalPace([Window(30, 10)], clock)
        polls: list[float] = []

        async def poll() -> None:
            while True:
                await asyncio.sleep(1)
                polls.append(await requests.take())

        polling = asyncio.ensure_future(poll())
        departures = await depart(lambda: take_together(calls, requests), now() + 60)
        polling.cancel()
        return departures, polls

    departures, polls = simulate(work)
    assert worst(departures, 1) <= 2
    assert worst(departures + polls, 10) <= 30
    assert len(departures + polls) >= 0.95 * 180


def test_without_a_limit_only_a_hold_waits() -> None:
    async def work() -> float:
        pace = LocalPace([], LoopClock())
        for _ in range(1000):
            await pace.take()
        started = now()
        pace.slow()
        pace.hold(2.0)
        await pace.take()
        return now() - started

    assert simulate(work) == pytest.approx(2.0)


# What a limit means


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window(5, 1), [Rule(5, 1)]),
        (Window(100, 60), [Rule(100, 60)]),
        (Window(1.5, 1), [Rule(2, 1), Rule(3, 2)]),
        (Window(0.5, 1), [Rule(1, 1), Rule(1, 2)]),
        (Window(0.3, 1), [Rule(1, 1), Rule(3, 10)]),
        (Window(33.3, 1), [Rule(34, 1), Rule(233, 7)]),
    ],
)
def test_a_limit_that_is_not_whole_is_whole_over_a_longer_window(
    window: Window, expected: list[Rule]
) -> None:
    assert rules(window) == expected


@given(st.floats(0.001, 1000))
def test_rules_are_never_above_the_limit_and_nearly_reach_it(limit: float) -> None:
    longest = rules(Window(limit, 1.0))[-1]
    assert 0.999 * limit <= longest.departures / longest.seconds <= limit * (1 + 1e-6)


@pytest.mark.parametrize("window", [Window(0, 1), Window(-1, 1), Window(1, 0)])
def test_a_limit_of_nothing_is_an_error(window: Window) -> None:
    with pytest.raises(ValueError, match="expected more than 0"):
        rules(window)


def test_a_lowered_pace_regains_a_fixed_part_each_second() -> None:
    slow = slowed(Slowed(1.0, 0.0), 0.5, now_s=100.0)
    assert slow == Slowed(0.5, 100.0)
    assert factor_at(slow, 110.0) == pytest.approx(0.5 + 10 * RECOVERY_PER_S)
    assert factor_at(slow, 10_000.0) == 1.0
    assert slowed(slow, 0.5, now_s=100.5) is slow
    for second in range(102, 150, 2):
        slow = slowed(slow, 0.1, now_s=second)
    assert slow.factor == 0.05


# Several workers


class Line:
    """The account's line of time, as the database keeps it: one UPDATE after a way there and back."""

    def __init__(self, windows: Sequence[Window], chance: random.Random, way_s: float = 0.003) -> None:
        self.factor = 1.0
        self.blocks: list[Reservation] = []
        self._windows = windows
        self._chance = chance
        self._way_s = way_s
        self._end_us = 0

    async def reserve(self, count: int) -> Reservation:
        await asyncio.sleep(self._chance.uniform(0, self._way_s))
        now_us = round((now() + DATABASE_AHEAD_S) * 1e6)
        block, self._end_us = reserve_slots(self._end_us, now_us, count, step_us(self._windows, self.factor))
        self.blocks.append(block)
        await asyncio.sleep(self._chance.uniform(0, self._way_s))
        return block


def run_line(
    limit: float, workers: int, seconds: float, stalls: tuple[float, float] | None = None
) -> list[float]:
    async def work() -> list[float]:
        windows = [Window(limit, 1)]
        line = Line(windows, random.Random(7))
        paces = [LinePace(windows, line.reserve, LoopClock(100.0 * n)) for n in range(workers)]
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


def test_a_worker_that_had_nothing_to_send_does_not_use_old_slots() -> None:
    async def work() -> tuple[float, int]:
        line = Line([Window(20, 1)], random.Random(1))
        pace = LinePace([Window(20, 1)], line.reserve, LoopClock())
        await pace.take()
        await asyncio.sleep(10)
        resumed_at = now()
        taken = [await pace.take() for _ in range(40)]
        await pace.aclose()
        assert worst(taken, 1) <= 20
        return taken[0] - resumed_at, pace.slots_given_up

    waited_s, given_up = simulate(work)
    assert waited_s < 0.1
    assert 1 <= given_up <= 10


def test_a_hold_gives_up_the_slots_in_hand() -> None:
    async def work() -> tuple[float, float, int]:
        line = Line([Window(50, 1)], random.Random(1))
        pace = LinePace([Window(50, 1)], line.reserve, LoopClock())
        await depart(pace.take, now() + 1)
        pace.hold(5.0)
        held_until, blocks = now() + 5.0, len(line.blocks)
        taken = await pace.take()
        await pace.aclose()
        return taken, held_until, len(line.blocks) - blocks

    taken, held_until, blocks = simulate(work)
    assert held_until <= taken < held_until + 0.1
    assert blocks <= 3


def test_a_worker_takes_over_the_pace_that_the_database_says() -> None:
    async def work() -> list[int]:
        line = Line([Window(50, 1)], random.Random(1))
        pace = LinePace([Window(50, 1)], line.reserve, LoopClock())
        counts = []
        for factor in (1.0, 0.5):
            line.factor = factor
            pace.slow()
            await depart(pace.take, now() + 1)
            counts.append(len(await depart(pace.take, now() + 4)))
        assert pace.rate == pytest.approx(25 / 1.01, rel=0.01)
        await pace.aclose()
        return counts

    fast, slow = simulate(work)
    assert slow == pytest.approx(fast / 2, abs=5)


def test_a_reservation_that_fails_is_told_and_tried_again() -> None:
    async def work() -> None:
        line = Line([Window(5, 1)], random.Random(1))
        down = True

        async def reserve(count: int) -> Reservation:
            if down:
                raise ConnectionError("the database is away")
            return await line.reserve(count)

        pace = LinePace([Window(5, 1)], reserve, LoopClock())
        for _ in range(2):
            with pytest.raises(ConnectionError, match="away"):
                await pace.take()
        down = False
        await pace.take()
        await pace.aclose()

    simulate(work)


def test_a_set_back_database_clock_is_believed_again_soon() -> None:
    async def work() -> float:
        ahead_s = 3600.0
        line_end_us = 0

        async def reserve(count: int) -> Reservation:
            nonlocal line_end_us
            now_us = round((now() + ahead_s) * 1e6)
            block, line_end_us = reserve_slots(line_end_us, now_us, count, step_us([Window(10, 1)]))
            return block

        pace = LinePace([Window(10, 1)], reserve, LoopClock())
        await depart(pace.take, now() + 2)
        ahead_s = 7200.0
        taken = await depart(pace.take, now() + 3)
        await pace.aclose()
        return len(taken) / 3

    assert simulate(work) == pytest.approx(10, abs=2)


def test_the_line_never_starts_in_the_past() -> None:
    block, end_us = reserve_slots(line_end_us=500, now_us=10_000, count=3, step_us=100)
    assert slots(block) == [10_000, 10_100, 10_200]
    assert end_us == 10_300
    block, end_us = reserve_slots(line_end_us=end_us, now_us=10_050, count=2, step_us=100)
    assert slots(block) == [10_300, 10_400]
    assert end_us == 10_500


def test_slots_leave_room_for_one_that_is_late() -> None:
    for limit in (1, 1.5, 50, 500):
        span_s = limit * step_us([Window(limit, 1)]) / 1e6
        assert span_s - LATE_S_MAX > 1.0
