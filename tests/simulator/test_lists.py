"""The pretended lists: the documented filters, and the traps that a client must survive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dialer.base.clock import ManualClock
from dialer.simulator import SimulatorConfig
from tests.simulator.pretended import CALL_PATH, Pretended, pretended

pytestmark = pytest.mark.anyio

LIST = "/api/v1/global/agents/executions/list"
TRANSACTIONS = "/api/v1/global/transactions/calling-list-with-transaction"
HISTORY = "/api/v1/global/agents/call-history"

FIXED = SimulatorConfig(outcomes={"completed": 1.0}, call_duration_s=(73.0, 73.0), ring_s=(5.0, 5.0))


async def place(simulator: Pretended, *numbers: str, agent: int = 962) -> list[str]:
    """Place a call to each number; return the execution ids."""
    ids = []
    for number in numbers:
        order = {"agent_id": agent, "phone_number": number, "metadata": {"ref": f"r-{number}"}}
        ids.append((await simulator.post(CALL_PATH, order)).json()["data"]["execution_id"])
    return ids


async def numbers(simulator: Pretended, **asked: Any) -> list[str]:
    return [row["CALLING_NUMBER"] for row in (await simulator.get(LIST, **asked)).json()["datalist"]]


async def test_a_row_has_the_documented_columns_and_an_id_that_is_no_execution_id(clock: ManualClock) -> None:
    async with pretended(FIXED, clock) as simulator:
        [execution_id] = await place(simulator, "+919876543210")
        clock.move(78)
        body = (await simulator.get(LIST, agent_id=962)).json()
    [row] = body["datalist"]
    assert set(body) == {"datalist"}, "no pagination block is promised"
    assert isinstance(row["ID"], int)
    assert row["TRACK_ID"] == execution_id
    assert row["CALL_STATUS"] in ("COMPLETED", "USER_ENDED", "AGENT_ENDED", "ANSWER")
    assert (row["STATUS"], row["TOTAL_DURATION"], row["total_duration"]) == ("completed", 73, "1m 13s")
    assert (row["AGENT_ID"], row["CREATED_AT"]) == (962, "2026-09-21T14:13:20.000Z")
    assert row["FILE_PATH"].endswith(f"{row['ID']}.mp3")


async def test_a_call_is_open_until_it_ends_at_the_speed_of_its_time(clock: ManualClock) -> None:
    async with pretended(replace(FIXED, time_scale=10.0), clock) as simulator:
        await place(simulator, "+919876543210")
        told = []
        for seconds in (7.7, 0.1):
            clock.move(seconds)
            [row] = (await simulator.get(LIST)).json()["datalist"]
            told.append((row["STATUS"], row["TOTAL_DURATION"], row["DISPOSITION"] is None))
    assert told == [("initiated", 0, True), ("completed", 73, False)]


async def test_a_new_call_shows_up_late(clock: ManualClock) -> None:
    async with pretended(SimulatorConfig(listing_delay_s=30.0), clock) as simulator:
        await place(simulator, "+919876543210")
        clock.move(29.9)
        assert await numbers(simulator) == []
        clock.move(0.1)
        assert await numbers(simulator) == ["+919876543210"]


async def test_a_number_is_searched_by_parts_of_it() -> None:
    async with pretended() as simulator:
        await place(simulator, "+919876543210", "+9198765432100", "+14155550100")
        assert await numbers(simulator, calling_number="919876543210") == ["+9198765432100", "+919876543210"]
        assert await numbers(simulator, calling_number="%2B") == []


async def test_filters_narrow_the_list(clock: ManualClock) -> None:
    async with pretended(FIXED, clock) as simulator:
        await place(simulator, "+919876543210")
        await place(simulator, "+14155550100", agent=7)
        clock.move(100)
        assert await numbers(simulator, agent_id=7) == ["+14155550100"]
        assert await numbers(simulator, agent_id=8) == []
        assert await numbers(simulator, input_data="r-+919876543210") == ["+919876543210"]
        assert len(await numbers(simulator, status="completed")) == 2
        assert await numbers(simulator, status="failed") == []
        assert len(await numbers(simulator, duration="70-80")) == 2
        assert await numbers(simulator, duration="0-70") == []
        assert len(await numbers(simulator, transcript="available")) == 2
        assert await numbers(simulator, provider_number="+10000000000") == []
        assert await numbers(simulator, disposition="Nothing of the kind") == []


async def test_input_data_may_be_neither_shown_nor_searched() -> None:
    async with pretended(SimulatorConfig(metadata_searchable=False)) as simulator:
        await place(simulator, "+919876543210")
        assert await numbers(simulator, input_data="r-") == []
        [row] = (await simulator.get(LIST)).json()["datalist"]
    assert "INPUT_DATA" not in row


async def test_without_dates_the_window_is_a_month_and_a_last_day_ends_at_its_midnight(
    clock: ManualClock,
) -> None:
    async with pretended(None, clock) as simulator:
        await place(simulator, "+919876543210")
        clock.move(40 * 86_400)
        await place(simulator, "+14155550100")
        assert await numbers(simulator) == ["+14155550100"]
        assert await numbers(simulator, fromdate="2026-09-21") == ["+14155550100", "+919876543210"]
        assert await numbers(simulator, fromdate="2026-09-21", todate="2026-09-21") == []
        assert await numbers(simulator, fromdate="2026-09-21", todate="2026-09-22") == ["+919876543210"]
        assert (await simulator.get(LIST, fromdate="last week")).status_code == 422


async def test_pages_are_cut_in_either_order_and_never_longer_than_the_most() -> None:
    called = [f"+91987654320{n}" for n in range(5)]
    for config in (
        SimulatorConfig(page_size_default=2, page_size_max=3),
        SimulatorConfig(page_size_default=2, page_size_max=3, newest_first=False),
    ):
        ordered = called[::-1] if config.newest_first else called
        async with pretended(config) as simulator:
            await place(simulator, *called)
            assert await numbers(simulator) == ordered[:2]
            assert await numbers(simulator, limit=100) == ordered[:3]
            assert await numbers(simulator, limit=3, page=2) == ordered[3:]
            assert await numbers(simulator, limit=3, page=3) == []
            assert (await simulator.get(LIST, page=0)).status_code == 422


async def test_a_pagination_block_counts_pages_where_there_is_one() -> None:
    async with pretended(SimulatorConfig(pagination_block=True)) as simulator:
        await place(simulator, *[f"+91987654320{n}" for n in range(5)])
        body = (await simulator.get(LIST, limit=2, page=2)).json()
    assert body["pagination"] == {"totalRecords": 5, "totalPages": 3, "currentPage": 2, "limit": 2}


async def test_dates_may_name_no_zone() -> None:
    async with pretended(SimulatorConfig(dates_with_zone=False)) as simulator:
        await place(simulator, "+919876543210")
        [row] = (await simulator.get(LIST)).json()["datalist"]
    assert row["CREATED_AT"] == "2026-09-21 14:13:20"


async def test_transactions_are_searched_by_track_id_and_tell_the_cost(clock: ManualClock) -> None:
    async with pretended(FIXED, clock) as simulator:
        first, _ = await place(simulator, "+919876543210", "+14155550100")
        clock.move(100)
        body = (await simulator.get(TRANSACTIONS, search=first)).json()
        by_number = (await simulator.get(TRANSACTIONS, search="1415555")).json()
        by_post = (await simulator.post(TRANSACTIONS, {"search": first, "agent_id": "962,963"})).json()
        by_status = (await simulator.get(TRANSACTIONS, call_status="BUSY,failed")).json()
    [row] = body["transactions"]
    assert (row["TRACK_ID"], row["CALLING_NUMBER"]) == (first, "+919876543210")
    assert row["TOTAL_COST"] == pytest.approx((30 + 8 * 6) / 60 * 0.12), "30 s, then steps of 6 s"
    assert body["pagination"]["has_next"] is False
    assert len(by_number["transactions"]) == 1
    assert by_post["transactions"] == [row]
    assert by_status["transactions"] == []


async def test_a_track_id_may_be_something_else() -> None:
    async with pretended(SimulatorConfig(track_id_is_execution_id=False)) as simulator:
        [execution_id] = await place(simulator, "+919876543210")
        body = (await simulator.get(TRANSACTIONS, search=execution_id)).json()
    assert body["transactions"] == []


async def test_history_has_one_row_per_agent_with_counts_as_text(clock: ManualClock) -> None:
    async with pretended(FIXED, clock) as simulator:
        await place(simulator, "+919876543210", "+919876543211")
        await place(simulator, "+14155550100", agent=7)
        clock.move(100)
        body = (await simulator.get(HISTORY)).json()
    assert [(row["agent_id"], row["total_calls"]) for row in body["datalist"]] == [(7, "1"), (962, "2")]
    assert (body["total_calls"], body["successful_calls"]) == (3, 3)


async def test_lists_fail_at_their_rate_and_want_a_token() -> None:
    async with pretended(SimulatorConfig(listing_error=1.0, error_statuses=(502,))) as simulator:
        assert (await simulator.get(LIST)).status_code == 502
        assert (await simulator.client.get(LIST)).status_code == 401
