"""Workers that divide an account's line: never above the limit together, and up to it; in simulated time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from dialer.attempts.pace import account_row
from dialer.attempts.pace.part import PartPace
from dialer.attempts.pace.parts import (
    IN_PARTS,
    PART_US,
    PartAsk,
    PartGrant,
    Parts,
    divide,
    fair,
    read_parts,
    write_parts,
)
from dialer.attempts.pace.slots import Ask, LineRow
from dialer.attempts.pace.windows import Slowed
from dialer.base.clock import ManualClock
from dialer.store.database import Store
from tests.attempts.simulated import LoopClock, depart, now, reached, simulate, stall, stalling, worst
from tests.seed import ACCOUNT, desk

DATABASE_AHEAD_S = 1_790_000_000.0
WINDOW_US = 1_013_000


class Row:
    """The parts as the database keeps them: one transaction after a way there and back."""

    def __init__(self, chance: random.Random, way_s: float = 0.003) -> None:
        self.parts = Parts()
        self.ahead_s = DATABASE_AHEAD_S
        self.down = False
        self._chance = chance
        self._way_s = way_s

    async def reserve(self, ask: PartAsk) -> PartGrant:
        await asyncio.sleep(self._chance.uniform(0, self._way_s))
        if self.down:
            raise ConnectionError("the database is away")
        self.parts, grant = divide(self.parts, ask, round((now() + self.ahead_s) * 1e6))
        assert sum(one.places for one in (*self.parts.held, *self.parts.resting)) <= ask.total
        await asyncio.sleep(self._chance.uniform(0, self._way_s))
        return grant


async def reserve_of_any_limit(row: Row, ask: PartAsk) -> PartGrant:
    await asyncio.sleep(0.002)
    row.parts, grant = divide(row.parts, ask, round((now() + row.ahead_s) * 1e6))
    return grant


def pace_of(row: Row, limit: int, name: str = "w", ahead_s: float = 0.0, **more: bool) -> PartPace:
    return PartPace(limit, lambda: name, row.reserve, LoopClock(ahead_s), **more)


async def leave(pace: PartPace, connects_s: Callable[[], float], left: list[float]) -> None:
    granted_at = await pace.take()
    await asyncio.sleep(connects_s())
    while pace.departed(granted_at, pace.clock.monotonic()) is None:
        granted_at = await pace.take()
    left.append(now())


async def dial(pace: PartPace, until: float, connects_s: Callable[[], float] = lambda: 0.0) -> list[float]:
    """Send without end, 200 calls at a time, each after it has connected."""
    left: list[float] = []

    async def send_one_after_another() -> None:
        while now() < until:
            await leave(pace, connects_s, left)

    await asyncio.gather(*(send_one_after_another() for _ in range(40)))
    return left


def run_parts(
    limit: int,
    seconds: float,
    stalls: tuple[float, float] | None = None,
    connects_s: Callable[[], float] = lambda: 0.0,
) -> list[float]:
    """Let three workers dial; return their departures without the first seconds."""

    async def work() -> list[float]:
        row = Row(random.Random(7))
        paces = [pace_of(row, limit, f"w{n}", 100.0 * n, confirmed=True) for n in range(3)]
        disturbing = asyncio.ensure_future(stalling(*stalls)) if stalls else None
        until = now() + seconds
        some = await asyncio.gather(*(dial(pace, until, connects_s) for pace in paces))
        if disturbing:
            disturbing.cancel()
        for pace in paces:
            await pace.aclose()
        departures = sorted(moment for one in some for moment in one)
        assert worst(departures, 1) <= limit
        return [moment for moment in departures if until - seconds + 3 < moment < until]

    return simulate(work)


@pytest.mark.parametrize("limit", [10, 20, 200])
def test_workers_together_reach_the_limit_and_never_exceed_it(limit: int) -> None:
    assert reached(run_parts(limit, 15), limit, 1) >= 0.985


def test_workers_catch_up_after_short_stalls() -> None:
    assert reached(run_parts(200, 12, (0.1, 0.5)), 200, 1) >= 0.97


def test_a_long_stall_of_everybody_is_followed_by_no_burst() -> None:
    assert run_parts(50, 12, (3.0, 4.0))


@pytest.mark.parametrize("limit", [20, 200])
def test_calls_that_must_connect_first_lose_no_places(limit: int) -> None:
    chance = random.Random(3)
    departures = run_parts(limit, 12, connects_s=lambda: chance.choice([0.002, 0.015, 0.05]))
    assert reached(departures, limit, 1) >= 0.9


@pytest.mark.parametrize(("limit", "seed"), [(20, 0), (100, 2)])
def test_calls_that_connect_for_long_do_not_leave_by_places_that_were_given_up(limit: int, seed: int) -> None:
    """One worker's calls cannot connect for three seconds, then all can; meanwhile another one has joined."""

    async def work() -> list[float]:
        chance, left = random.Random(seed), list[float]()
        row, began, blocked_until = Row(chance), now(), now() + 5.2

        def connects_s() -> float:
            return blocked_until - now() if began + 2.4 < now() < blocked_until else 0.0

        async def live(name: str, begins_s: float, connects_s: Callable[[], float]) -> None:
            await asyncio.sleep(begins_s)
            pace = pace_of(row, limit, name, chance.uniform(-50, 50), confirmed=True)

            async def send_one_after_another() -> None:
                while now() < began + 8:
                    await leave(pace, connects_s, left)

            await asyncio.gather(*(send_one_after_another() for _ in range(2 * limit)))
            await pace.aclose()

        await asyncio.gather(live("a", 0.0, connects_s), live("b", 2.6 + chance.random(), lambda: 0.0))
        return left

    departures = simulate(work)
    assert worst(departures, 1) <= limit
    assert len(departures) >= 0.8 * limit * 8


@pytest.mark.parametrize("limits", [(50, 20), (20, 50), (200, 20)])
def test_the_lower_of_two_limits_holds_for_all(limits: tuple[int, int]) -> None:
    """The second worker joins after three seconds and says another limit."""

    async def work() -> list[list[float]]:
        row, until = Row(random.Random(1)), now() + 20
        row.reserve = partial(reserve_of_any_limit, row)  # type: ignore[method-assign]
        left: list[list[float]] = [[], []]

        async def live(number: int) -> None:
            await asyncio.sleep(3.0 * number)
            pace = pace_of(row, limits[number], f"w{number}", 7.0 * number)
            while now() < until:
                await pace.take()
                left[number].append(now())
            await pace.aclose()

        await asyncio.gather(live(0), live(1))
        return [[moment for moment in some if until - 14 < moment < until] for some in left]

    one, other = simulate(work)
    assert worst(one + other, 1) <= min(limits)
    assert len(one + other) >= 0.95 * 14 * min(limits)
    assert min(len(one), len(other)) >= 0.3 * 14 * min(limits)


@pytest.mark.parametrize("limit", [10, 50])
@pytest.mark.parametrize("seed", range(3))
def test_workers_may_come_go_and_die_without_exceeding_the_limit(limit: int, seed: int) -> None:
    async def work() -> list[float]:
        chance = random.Random(seed)
        row = Row(chance)
        departures: list[float] = []

        async def live(name: str, begins_s: float, lives_s: float) -> None:
            await asyncio.sleep(begins_s)
            pace = pace_of(row, limit, name, chance.uniform(-50, 50))
            departures.extend(await depart(pace.take, now() + lives_s))
            await pace.aclose()

        disturbing = asyncio.ensure_future(stalling(0.05, 0.7))
        lives = [("a", 0.0, 14.0), ("b", 4.0, 3.0), ("c", 5.3, 0.4), ("d", 16.0, 12.0), ("e", 17.5, 2.0)]
        await asyncio.gather(*(live(*life) for life in lives))
        disturbing.cancel()
        return sorted(departures)

    departures = simulate(work)
    assert worst(departures, 1) <= limit
    assert len(departures) >= 0.75 * limit * 26


def test_a_worker_alone_has_the_whole_line_at_once() -> None:
    async def work() -> list[float]:
        pace = pace_of(Row(random.Random(1)), 100)
        departures = await depart(pace.take, now() + 5)
        await pace.aclose()
        return departures

    assert reached(simulate(work), 100, 1) >= 0.99


def test_places_that_one_worker_has_no_use_for_go_to_the_others() -> None:
    async def work() -> tuple[int, int]:
        row = Row(random.Random(1))
        busy, idle = pace_of(row, 100, "busy"), pace_of(row, 100, "idle")

        async def now_and_then() -> None:
            while True:
                await idle.take()
                await asyncio.sleep(0.2)

        seldom = asyncio.ensure_future(now_and_then())
        await depart(busy.take, now() + 10)
        seldom.cancel()
        places = busy.places, idle.places
        for pace in (busy, idle):
            await pace.aclose()
        return places

    busy, idle = simulate(work)
    assert busy >= 85
    assert idle >= 5


def test_nothing_leaves_while_the_row_cannot_be_reached() -> None:
    async def work() -> float:
        row = Row(random.Random(1))
        pace = pace_of(row, 50)
        await depart(pace.take, now() + 3)
        row.down, down_from, last = True, now(), 0.0
        with suppress(ConnectionError):
            while True:
                await pace.take()
                last = now()
        with pytest.raises(ConnectionError, match="away"):
            await pace.take()
        row.down = False
        await pace.take()
        await pace.aclose()
        return last - down_from

    assert 0 < simulate(work) <= PART_US / 1e6


def test_a_call_that_connects_until_its_part_is_over_needs_another_token() -> None:
    async def work() -> None:
        row = Row(random.Random(1))
        pace = pace_of(row, 10)
        granted_at = await pace.take()
        stall(3.0)
        assert pace.departed(granted_at, now()) is None
        await pace.take()
        await pace.aclose()

    simulate(work)


def test_a_hold_and_a_lowered_pace_are_kept() -> None:
    async def work() -> tuple[float, float, int]:
        pace = pace_of(Row(random.Random(1)), 50)
        await depart(pace.take, now() + 3)
        pace.hold(5.0)
        held_until = now() + 5.0
        taken = await pace.take()
        pace.follow(Slowed(0.5, now()))
        slow = await depart(pace.take, now() + 4)
        await pace.aclose()
        return taken, held_until, len(slow)

    taken, held_until, slow = simulate(work)
    assert held_until <= taken < held_until + 0.1
    assert slow == pytest.approx(0.52 * 50 * 4, abs=8)


def ask(worker: str, keeps: int = 0, needs: int = 100, total: int = 100) -> PartAsk:
    return PartAsk(worker, total, keeps, needs, WINDOW_US)


def test_a_place_changes_hands_only_after_it_rested_for_a_window() -> None:
    parts, mine = divide(Parts(), ask("a"), 1_000_000)
    assert mine.places == 100
    parts, others = divide(parts, ask("b"), 1_100_000)
    assert others.places == 0
    parts, mine = divide(parts, ask("a", 100), 1_200_000)
    assert mine.places == 50  # told to go down
    parts, others = divide(parts, ask("b"), 1_300_000)
    assert others.places == 0  # it has not said that it did
    parts, _ = divide(parts, ask("a", 50), 1_400_000)
    parts, others = divide(parts, ask("b"), 1_400_000 + WINDOW_US - 1)
    assert others.places == 0
    _, others = divide(parts, ask("b"), 1_400_000 + WINDOW_US)
    assert others.places == 50


def test_what_a_dead_worker_had_is_free_a_window_after_its_time() -> None:
    parts, _ = divide(Parts(), ask("dead"), 0)
    parts, grant = divide(parts, ask("b"), PART_US + WINDOW_US - 1)
    assert grant.places == 0
    _, grant = divide(parts, ask("b"), PART_US + WINDOW_US)
    assert grant.places == 100


def test_whoever_was_silent_has_its_own_places_back_at_once() -> None:
    parts, _ = divide(Parts(), ask("a"), 0)
    parts, _ = divide(parts, ask("b"), PART_US + 1)
    _, grant = divide(parts, ask("a", 100), PART_US + 2)
    assert grant.places == 50


def test_an_answer_that_was_lost_gives_nobody_too_much() -> None:
    parts, _ = divide(Parts(), ask("a"), 0)
    parts, grant = divide(parts, ask("a", 0), 100_000)  # the first answer never came
    assert grant.places == 0
    assert sum(one.places for one in (*parts.held, *parts.resting)) == 100


def test_a_set_back_database_clock_is_believed_after_a_window() -> None:
    parts, _ = divide(Parts(), ask("a"), 7_200_000_000)
    parts, grant = divide(parts, ask("a", 100), 1_000_000)
    assert grant.places == 0
    _, grant = divide(parts, ask("a"), 1_000_000 + WINDOW_US)
    assert grant.places == 100


def test_more_workers_than_places_take_turns() -> None:
    needs = dict.fromkeys((f"w{n:02}" for n in range(15)), 10)
    had = dict.fromkeys(needs, 0)
    for turn in range(15):
        targets = fair(needs, dict.fromkeys(needs, 0), 10, turn * 5_000_000)
        assert sum(targets.values()) == 10
        for name, places in targets.items():
            had[name] += places
    assert set(had.values()) == {10}


def test_slots_and_parts_of_one_line_never_overlap(store: Store, clock: ManualClock) -> None:
    """Two machines may say different limits for a while: one takes slots, the other a part."""
    desk(store, "w")
    slots = Ask("by slots", 3, 200_000, WINDOW_US, sole=False)
    until_us = account_row.take_slots(store, ACCOUNT, slots).slots_us[-1]
    assert account_row.take_part(store, ACCOUNT, ask("in parts")).places == 0
    assert account_row.take_slots(store, ACCOUNT, slots).again_us  # from now on the line is in parts
    clock.move((until_us + 200_000 + WINDOW_US - clock.now_us()) / 1e6)
    assert account_row.take_part(store, ACCOUNT, ask("in parts")).places == 100
    clock.move(PART_US / 1e6 + 0.1)
    [first_us, *_] = account_row.take_slots(store, ACCOUNT, slots).slots_us
    assert first_us >= clock.now_us() - 100_000 + WINDOW_US


def test_parts_are_read_as_they_were_written() -> None:
    parts, _ = divide(Parts(), ask("a", needs=3), 0)
    parts, _ = divide(parts, ask("b", needs=7), 2_000_000)
    row = LineRow(0, IN_PARTS, 0, None, 0, 0)
    assert read_parts(write_parts(parts), row, WINDOW_US, 100) == parts
