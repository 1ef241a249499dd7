"""Limits of the pretended provider, and its record of how fast it was asked."""

from __future__ import annotations

from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.base.clock import ManualClock
from dialer.simulator import SimulatorConfig
from dialer.simulator.gate import worst_window
from tests.simulator.pretended import CALL_PATH, Pretended, pretended

pytestmark = pytest.mark.anyio

ORDER = {"agent_id": 962, "phone_number": "+919876543210"}
LIST_PATH = "/api/v1/global/agents/executions/list"


async def statuses(simulator: Pretended, count: int) -> list[int]:
    return [(await simulator.post(CALL_PATH, ORDER)).status_code for _ in range(count)]


async def test_no_sliding_second_lets_more_through_than_the_limit(clock: ManualClock) -> None:
    async with pretended(SimulatorConfig(limit_per_second=3), clock) as simulator:
        assert await statuses(simulator, 4) == [200, 200, 200, 429]
        clock.move(0.9)
        assert await statuses(simulator, 1) == [429]
        clock.move(0.1)
        assert await statuses(simulator, 4) == [200, 200, 200, 429]
        summary = await simulator.summary()
    assert summary["calls_placed"] == 6
    assert summary["submissions"] == 9
    assert summary["submissions_worst_second"] == 5
    assert summary["submissions_worst_minute"] == 9
    assert summary["requests_by_status"] == {"200": 6, "429": 3}


async def test_requests_of_every_kind_count_for_the_minute_which_begins_anew(clock: ManualClock) -> None:
    clock.move(60 - clock.monotonic() % 60)
    async with pretended(SimulatorConfig(requests_per_minute=3), clock) as simulator:
        assert await statuses(simulator, 2) == [200, 200]
        assert (await simulator.get(LIST_PATH)).status_code == 200
        clock.move(59)
        assert await statuses(simulator, 1) == [429]
        assert (await simulator.get(LIST_PATH)).status_code == 429
        clock.move(1)
        assert await statuses(simulator, 1) == [200]
        assert (await simulator.summary())["requests_worst_minute"] == 5


async def test_every_token_has_its_own_count() -> None:
    config = SimulatorConfig(tokens=("a", "b"), requests_per_minute=1, limit_per_second=1)
    async with pretended(config) as simulator:
        answers = [
            await simulator.client.post(CALL_PATH, json=ORDER, headers={"token": token}) for token in "aabb"
        ]
        ledger = await simulator.ledger()
    assert [answer.status_code for answer in answers] == [200, 429, 200, 429]
    assert [call["account"] for call in ledger] == [0, 1]


@pytest.mark.parametrize("share", [0.0, 1.0, 0.5])
async def test_a_share_of_429_says_how_long_to_wait(share: float) -> None:
    config = SimulatorConfig(throttle_before=1.0, retry_after_share=share, retry_after_s=7)
    async with pretended(config) as simulator:
        answers = [await simulator.post(CALL_PATH, ORDER) for _ in range(100)]
    told = [answer.headers["retry-after"] for answer in answers if "retry-after" in answer.headers]
    assert set(told) <= {"7"}
    assert abs(len(told) - 100 * share) <= (20 if share == 0.5 else 0)


async def test_retry_after_of_the_minute_is_its_rest_and_may_be_a_date(clock: ManualClock) -> None:
    clock.move(60 - clock.monotonic() % 60 + 20)
    config = SimulatorConfig(requests_per_minute=1, retry_after_share=1.0)
    async with pretended(config, clock) as simulator:
        await simulator.post(CALL_PATH, ORDER)
        assert (await simulator.post(CALL_PATH, ORDER)).headers["retry-after"] == "40"
    async with pretended(replace(config, retry_after_as_date=True), clock) as simulator:
        await simulator.post(CALL_PATH, ORDER)
        date = (await simulator.post(CALL_PATH, ORDER)).headers["retry-after"]
    assert 40 <= parsedate_to_datetime(date).timestamp() - clock.now_us() / 1e6 <= 41


async def test_a_stranger_is_recorded_but_counts_for_nobody() -> None:
    async with pretended(SimulatorConfig(requests_per_minute=1)) as simulator:
        await simulator.client.post(CALL_PATH, json=ORDER, headers={"token": "stranger"})
        assert await statuses(simulator, 2) == [200, 429]
        assert (await simulator.summary())["requests_by_status"] == {"200": 1, "401": 1, "429": 1}


@given(st.lists(st.floats(0, 5), max_size=30).map(sorted))
def test_the_worst_window_is_what_a_person_would_count(moments: list[float]) -> None:
    counted = max((sum(1 for m in moments if start <= m and m - start < 1.0) for start in moments), default=0)
    assert worst_window(moments, 1.0) == counted
