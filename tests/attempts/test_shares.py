"""Campaigns of one account take turns by their shares, and a small one does not wait for a big one."""

from __future__ import annotations

from collections import Counter

import pytest

from dialer.attempts.breaker import Breaker
from dialer.attempts.dialing import Dialing, Opened
from dialer.attempts.pace.own import OwnPace
from dialer.attempts.shares import Shares, weight
from dialer.calls.claim import Call


def dialing(number: int, calls: int, **more: object) -> Dialing:
    one = Dialing(number, f"c{number}", "962", {}, Breaker(1.0, 10), **more)  # type: ignore[arg-type]
    one.calls.extend(Call(contact, number, f"+1{contact}", 0, 0, 0, None) for contact in range(calls))
    return one


def run(dialings: list[Dialing], departures: int, pace: float = 10.0) -> list[str]:
    """Open a few attempts ahead and let one leave every 1 / pace seconds; return who left."""
    shares, left, now = Shares(dialings), [], 0.0
    while len(left) < departures:
        opened = sum(len(one.opened) for one in dialings)
        for one in shares.plan(4 - opened, now, 0.05):
            call = one.calls.popleft()
            one.opened.append(Opened(one.opening(call, 0), call, one))
        leaving = shares.next_to_leave(now)
        if leaving is not None:
            leaving.opened.popleft()
            shares.charge(leaving)
            if leaving.own_pace is not None:
                leaving.own_pace.count(now)
            left.append(leaving.name)
        elif not any(one.busy for one in dialings):
            break
        now += 1 / pace
    return left


def test_equal_campaigns_take_turns_however_long_their_lists_are() -> None:
    left = run([dialing(1, 5), dialing(2, 1000)], 10)
    assert Counter(left) == {"c1": 5, "c2": 5}


@pytest.mark.parametrize("priority", [1, 2, 3])
def test_each_step_of_priority_doubles_the_share(priority: int) -> None:
    left = run([dialing(1, 1000), dialing(2, 1000, priority=priority)], 180)
    assert Counter(left)["c2"] / Counter(left)["c1"] == pytest.approx(2**priority, rel=0.2)


def test_an_urgent_campaign_starves_nobody() -> None:
    left = run([dialing(1, 1000), dialing(2, 1000, priority=6)], 300)
    assert Counter(left)["c1"] >= 3


def test_a_campaign_that_comes_later_gets_its_share_and_nothing_for_the_time_before() -> None:
    big, late = dialing(1, 1000), dialing(2, 0)
    dialings = [big, late]
    run(dialings, 200)
    big.charged = 200.0
    late.calls.extend(dialing(2, 100).calls)
    shares = Shares(dialings)
    shares.charge(big)
    chosen = [one.name for one in shares.plan(20, 0.0, 0.05)]
    assert 8 <= Counter(chosen)["c2"] <= 12


def test_a_slow_campaign_keeps_its_own_pace_and_leaves_the_rest_to_others() -> None:
    slow, big = dialing(1, 1000, own_pace=OwnPace(1.0)), dialing(2, 1000)
    left = run([slow, big], 100, pace=10.0)
    assert 9 <= Counter(left)["c1"] <= 11
    alone = run([dialing(1, 1000, own_pace=OwnPace(1.0))], 5)
    assert alone == ["c1"] * 5


def test_a_campaign_whose_pace_another_worker_keeps_opens_nothing() -> None:
    assert Shares([dialing(1, 10, own_pace=OwnPace(1.0), paces=False)]).plan(4, 0.0, 0.05) == []


def test_no_priority_is_without_bounds() -> None:
    assert weight(10**9) == weight(20)
    assert weight(-(10**9)) > 0
