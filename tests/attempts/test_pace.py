"""No sliding window above its limit and the limit used to the full by one process, in simulated time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.attempts.pace.departures import GUARD_S, LATE_S_MAX, Departures
from dialer.attempts.pace.local import LocalPace, take_together
from dialer.attempts.pace.windows import RECOVERY_PER_S, Rule, Slowed, Window, factor_at, rules, slowed
from tests.attempts.simulated import LoopClock, depart, now, reached, simulate, stall, stalling, worst


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


@pytest.mark.parametrize("limit", [1, 10, 50, 200])
@pytest.mark.parametrize("latency_s", [0.0, 0.3])
def test_answers_tell_when_calls_arrived(limit: int, latency_s: float) -> None:
    """A provider pauses for 20 ms now and then: those calls arrive late and their answers say so."""

    async def work() -> tuple[list[float], list[float]]:
        clock, chance = LoopClock(), random.Random(3)
        pace = LocalPace([Window(limit, 1)], clock)
        arrivals: list[float] = []

        async def call(left_at: float) -> None:
            way_s = chance.uniform(0.0002, 0.0007) + (0.020 if chance.random() < 0.05 else 0.0)
            await asyncio.sleep(way_s)
            arrivals.append(now())
            await asyncio.sleep(latency_s + 0.0003)
            pace.answered(left_at, clock.monotonic())

        until, calls = now() + max(15, 90 / limit), []
        while (left_at := await pace.take()) < until:
            calls.append(asyncio.ensure_future(call(left_at)))
        await asyncio.gather(*calls)
        return sorted(arrivals), arrivals

    arrivals, _ = simulate(work)
    settled = arrivals[max(40, 2 * limit) :]  # at first nothing is known of the way
    assert worst(settled, 1) <= limit
    assert reached(settled, limit, 1) >= (0.99 if limit < 10 else 0.995)


def test_answers_that_vary_tell_nothing() -> None:
    log = Departures([Window(1, 1)])
    for n in range(40):
        log.add(float(n))
        log.answered(float(n), n + 0.1 + 0.1 * (n % 3))
    log.add(100.0)
    log.answered(100.0, 100.35)
    assert log.free_at(100.5) == pytest.approx(101.0 + GUARD_S)


def test_an_answer_makes_no_call_later_than_is_believed() -> None:
    log = Departures([Window(1, 1)])
    for n in range(40):
        log.add(float(n))
        log.answered(float(n), n + 0.1)
    log.add(100.0)
    log.answered(100.0, 105.0)
    assert log.free_at(106.0) == pytest.approx(101.0 + LATE_S_MAX)


def test_what_was_granted_before_a_stall_and_has_not_left_may_leave_any_moment() -> None:
    log = Departures([Window(2, 1)], confirmed=True)
    log.add(100.0)
    log.add(100.1)
    log.left(100.1, 100.1)
    assert log.free_at(103.0) <= 103.0  # one may leave beside the one that is late
    log.add(103.0)
    log.left(103.0, 103.0)
    assert log.free_at(103.1) == pytest.approx(104.0 + GUARD_S)
    log.left(100.0, 103.1)
    assert log.free_at(103.2) == pytest.approx(104.0 + GUARD_S)


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
