"""How far ahead attempts are opened: what a kill would turn into unknown ones that never left."""

from __future__ import annotations

import pytest

from dialer.attempts.ahead import Ahead
from dialer.base.clock import ManualClock


@pytest.mark.parametrize(("limit", "most"), [(0.5, 1), (1.5, 1), (20.0, 2), (100.0, 10), (500.0, 50)])
def test_no_more_is_open_than_leaves_within_a_tenth_of_a_second(limit: float, most: int) -> None:
    clock = ManualClock()
    ahead = Ahead(clock, limit, 64)
    submitted = 0
    for _ in range(200):
        ahead.starve()
        assert ahead.openings(submitted) <= most
        clock.move(0.1)
        submitted += round(limit / 10)


def test_a_lane_without_a_limit_opens_more_while_it_starves_and_less_afterwards() -> None:
    clock = ManualClock()
    ahead = Ahead(clock, None, 64)
    for _ in range(20):
        ahead.starve()
        many = ahead.openings(0)
    assert many == 64
    for _ in range(300):
        clock.move(0.1)
        few = ahead.openings(0)
    assert few == 1


def test_a_fast_lane_fills_bigger_pages_from_what_it_may_have_open() -> None:
    clock = ManualClock()
    ahead = Ahead(clock, None, 64)
    slow_s = ahead.linger_s()
    clock.move(1)
    ahead.starve()
    assert ahead.openings(4000) == 200
    assert ahead.linger_s() == 2.5 * slow_s
    for _ in range(20):
        ahead.starve()
        many = ahead.openings(4000)
    assert many == 400


@pytest.mark.parametrize("rate", [0.1, 1.0, 4.0])
def test_at_a_slow_pace_nothing_is_open_until_its_turn_is_near(rate: float) -> None:
    clock = ManualClock()
    ahead = Ahead(clock, 20.0, 64)  # which was slowed down
    ahead.leaves(rate)
    clock.move(1 / rate - 0.11)
    assert ahead.openings(1) == 0
    assert ahead.opens_in() == pytest.approx(0.01)
    clock.move(0.011)
    assert ahead.openings(1) >= 1


def test_at_a_fast_pace_attempts_are_open_without_a_break() -> None:
    ahead = Ahead(ManualClock(), 20.0, 64)
    ahead.leaves(20.0)
    assert ahead.openings(1) >= 1
