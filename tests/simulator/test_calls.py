"""Placing calls at the pretended UnleashX: one call for each accepted request, and the documented bodies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from dialer.base.clock import ManualClock
from dialer.simulator import SimulatorConfig
from tests.simulator.pretended import CALL_PATH, pretended

pytestmark = pytest.mark.anyio

ORDER = {"agent_id": 962, "phone_number": "+919876543210", "metadata": {"customer_id": "CUST001"}}


async def test_an_accepted_request_is_one_call_and_the_documented_body() -> None:
    async with pretended() as simulator:
        answer = await simulator.post(CALL_PATH, ORDER)
        [call] = await simulator.ledger()
    body = answer.json()
    assert UUID(body["data"].pop("execution_id")).version == 4
    assert body == {
        "success": True,
        "message": "Call initiated successfully",
        "data": {"agent_id": 962, "phone_number": "+919876543210", "call_status": "initiated"},
    }
    assert answer.headers["content-type"] == "application/json"
    assert (call["number"], call["agent_id"], call["metadata"]) == ("+919876543210", 962, ORDER["metadata"])


async def test_two_identical_requests_are_two_calls() -> None:
    async with pretended() as simulator:
        first, second = [await simulator.post(CALL_PATH, ORDER) for _ in range(2)]
        summary = await simulator.summary()
    assert first.json()["data"]["execution_id"] != second.json()["data"]["execution_id"]
    assert (summary["calls_placed"], summary["numbers_called"]) == (2, 1)
    assert summary["numbers_called_more_than_once"] == 1


async def test_a_missing_plus_is_added() -> None:
    async with pretended() as simulator:
        await simulator.post(CALL_PATH, ORDER | {"phone_number": "919876543210"})
        [call] = await simulator.ledger()
    assert call["number"] == "+919876543210"


@pytest.mark.parametrize(
    ("order", "status", "message"),
    [
        ({"agent_id": 962}, 400, "Phone Number is required"),
        ({"phone_number": "+919876543210"}, 400, "Agent ID is required"),
        ({"agent_id": "962", "phone_number": "+919876543210"}, 422, "Validation error message"),
        ({"agent_id": 962, "phone_number": "+91 98765"}, 422, "Validation error message"),
        ({"agent_id": 962, "phone_number": "+919876543210", "metadata": []}, 422, "Validation error message"),
        ({"agent_id": 963, "phone_number": "+919876543210"}, 404, "Agent not found or not active"),
        ([], 400, "Invalid JSON"),
    ],
)
async def test_a_wrong_request_gets_its_documented_refusal_and_no_call(
    order: Any, status: int, message: str
) -> None:
    async with pretended(SimulatorConfig(agents=(962,))) as simulator:
        answer = await simulator.post(CALL_PATH, order)
        assert await simulator.ledger() == []
    assert (answer.status_code, answer.json()) == (status, {"error": True, "message": message})


@pytest.mark.parametrize(
    ("style", "header", "value"),
    [
        ("token", "token", "t-2"),
        ("api_access_token", "api_access_token", "t-2"),
        ("authorization", "authorization", "t-2"),
        ("bearer", "authorization", "Bearer t-2"),
    ],
)
async def test_a_token_is_let_in_by_the_header_forms_that_are_read(
    style: str, header: str, value: str
) -> None:
    config = SimulatorConfig(tokens=("t-1", "t-2"), auth_styles=(style,))
    async with pretended(config) as simulator:
        good = await simulator.client.post(CALL_PATH, json=ORDER, headers={header: value})
        bad = await simulator.client.post(CALL_PATH, json=ORDER, headers={header: value + "x"})
        none = await simulator.client.post(CALL_PATH, json=ORDER)
    refusal = {"error": True, "message": "Invalid Auth Key or Session Expired"}
    assert [answer.status_code for answer in (good, bad, none)] == [200, 401, 401]
    assert bad.json() == none.json() == refusal


async def test_the_session_ends_after_so_many_requests() -> None:
    async with pretended(SimulatorConfig(unauthorized_after=3)) as simulator:
        statuses = [(await simulator.post(CALL_PATH, ORDER)).status_code for _ in range(5)]
        assert len(await simulator.ledger()) == 3
    assert statuses == [200, 200, 200, 401, 401]


async def test_every_call_is_in_the_file_before_its_answer_leaves(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    async with pretended(SimulatorConfig(ledger_file=file)) as simulator:
        for n in range(3):
            answer = await simulator.post(CALL_PATH, ORDER | {"phone_number": f"+91987654321{n}"})
            last = orjson.loads(file.read_bytes().splitlines()[-1])
            assert last["execution_id"] == answer.json()["data"]["execution_id"]
        assert [orjson.loads(line) for line in file.read_bytes().splitlines()] == await simulator.ledger()


async def test_a_simulator_started_again_remembers_its_calls(tmp_path: Path) -> None:
    config = SimulatorConfig(ledger_file=tmp_path / "ledger.jsonl")
    ids = []
    for _ in range(2):
        async with pretended(config) as simulator:
            ids.append((await simulator.post(CALL_PATH, ORDER)).json()["data"]["execution_id"])
            summary = await simulator.summary()
    assert ids[0] != ids[1]
    assert summary["numbers_called_more_than_once"] == 1


async def test_the_ledger_can_be_read_from_where_one_left_off() -> None:
    async with pretended() as simulator:
        for _ in range(3):
            await simulator.post(CALL_PATH, ORDER)
        whole = await simulator.ledger()
        rest = (await simulator.client.get("/simulator/ledger?after=2")).json()
        wrong = await simulator.client.get("/simulator/ledger?after=x")
    assert rest == whole[2:]
    assert wrong.status_code == 400


async def outcomes(numbers: list[str], seed: int = 1, **shares: float) -> dict[str, str]:
    config = SimulatorConfig(seed=seed, outcomes=shares or {"completed": 1.0, "busy": 1.0, "no_answer": 1.0})
    async with pretended(config) as simulator:
        for number in numbers:
            await simulator.post(CALL_PATH, ORDER | {"phone_number": number})
        return {call["number"]: call["outcome"] for call in await simulator.ledger()}


async def test_what_comes_of_a_number_hangs_on_the_seed_and_not_on_the_order() -> None:
    numbers = [f"+9198765432{n}" for n in range(10, 60)]
    told = await outcomes(numbers)
    assert told == await outcomes(numbers[::-1])
    assert told != await outcomes(numbers, seed=2)
    assert set(told.values()) == {"completed", "busy", "no_answer"}


async def test_shares_of_outcomes_are_kept() -> None:
    numbers = [f"+91987654{n}" for n in range(1000, 1400)]
    told = list((await outcomes(numbers, completed=3.0, busy=1.0)).values())
    assert 0.68 < told.count("completed") / len(told) < 0.82


async def test_faults_come_at_their_rates_and_the_same_for_the_same_seed() -> None:
    config = SimulatorConfig(
        error_before=0.2, error_after=0.1, throttle_before=0.1, truncated_after=0.1, refuse_before=0.1
    )

    async def run(seed: int) -> tuple[list[int], dict[str, int]]:
        async with pretended(replace(config, seed=seed)) as simulator:
            statuses = [(await simulator.post(CALL_PATH, ORDER)).status_code for _ in range(300)]
            summary = await simulator.summary()
            faults: dict[str, int] = summary["submissions_by_fault"]
            assert sum(faults.values()) + statuses.count(200) - faults["truncated_after"] == 300
            placed = sum(count for fault, count in faults.items() if fault.endswith("_after"))
            assert summary["calls_placed"] == placed + statuses.count(200) - faults["truncated_after"]
        return statuses, faults

    statuses, faults = await run(1)
    assert (statuses, faults) == await run(1)
    assert statuses != (await run(2))[0]
    assert 40 <= faults["error_before"] <= 80
    assert 15 <= faults["error_after"] <= 45


async def test_ordered_faults_come_first_and_in_order() -> None:
    async with pretended() as simulator:
        await simulator.order("refuse_before", "none", "error_true_after")
        answers = [await simulator.post(CALL_PATH, ORDER) for _ in range(4)]
        assert len(await simulator.ledger()) == 3
    assert [answer.status_code for answer in answers] == [422, 200, 200, 200]
    assert answers[2].json()["error"] is True
    assert answers[3].json()["success"] is True


async def test_a_fault_that_nobody_knows_is_told() -> None:
    async with pretended() as simulator:
        answer = await simulator.client.post("/simulator/faults", json={"next": ["close_afer"]})
    assert answer.status_code == 400
    assert "did you mean 'close_after'" in answer.json()["error"]


async def test_an_answer_takes_as_long_as_it_is_told_to(clock: ManualClock) -> None:
    async with pretended(SimulatorConfig(latency_ms=(200.0, 200.0)), clock) as simulator:
        before_us = clock.now_us()
        await simulator.post(CALL_PATH, ORDER)
        [call] = await simulator.ledger()
    assert clock.now_us() - before_us == 200_000
    assert call["placed_at_us"] == before_us, "the call rings before the answer leaves"


async def test_a_live_call_counts_against_the_cap_until_it_ends(clock: ManualClock) -> None:
    config = SimulatorConfig(calls_live_max=2, ring_s=(10.0, 10.0), outcomes={"busy": 1.0})
    async with pretended(config, clock) as simulator:
        answers: list[httpx.Response] = [await simulator.post(CALL_PATH, ORDER) for _ in range(3)]
        clock.move(10)
        answers.append(await simulator.post(CALL_PATH, ORDER))
        assert len(await simulator.ledger()) == 3
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]


async def test_a_spent_balance_pays_for_no_call_of_its_account() -> None:
    config = SimulatorConfig(balance_calls=1, tokens=("simulator-token", "another"))
    async with pretended(config) as simulator:
        answers = [await simulator.post(CALL_PATH, ORDER) for _ in range(2)]
        placed = await simulator.ledger()
    assert [answer.status_code for answer in answers] == [200, 402]
    assert answers[1].json() == {"error": True, "message": "Insufficient balance"}
    assert len(placed) == 1
