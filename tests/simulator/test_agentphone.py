"""The pretended AgentPhone keeps to its documents: what it refuses, what it lists, what it says of calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dialer.base.clock import ManualClock
from dialer.simulator import SimulatorConfig, build_app

pytestmark = pytest.mark.anyio

CALL = {"agentId": "agt_1", "toNumber": "+14155559999"}


@asynccontextmanager
async def pretended(clock: ManualClock | None = None, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Open a pretended AgentPhone and a client with its first key."""
    app = build_app(SimulatorConfig(**settings), provider="agentphone", clock=clock or ManualClock())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://pretended",
        headers={"authorization": "Bearer simulator-token"},
    ) as client:
        try:
            yield client
        finally:
            app.state.simulator.ledger.close()


async def test_every_refusal_has_its_status_and_words_in_either_envelope() -> None:
    cases = (
        (CALL | {"toNumber": "555"}, 400, "E.164"),
        ({"agentId": "agt_1"}, 422, "field required"),
        (CALL | {"agentId": "agt_9"}, 404, "Agent not found"),
        (CALL | {"fromNumberId": "num_9"}, 404, "Phone number not found"),
        (CALL | {"fromNumberId": "num_2"}, 400, "not attached to this agent"),
        (CALL | {"variables": {"n": 1}}, 422, "str type expected"),
        (CALL | {"modelTier": "turbo"}, 400, "needs systemPrompt"),
        (CALL | {"modelTier": "huge", "systemPrompt": "x"}, 422, "turbo"),
        (CALL | {"agentId": "agt_2"}, 400, "no webhook configured"),
        (CALL | {"agentId": "agt_2", "variables": {"a": "b"}}, 400, "variables need systemPrompt"),
    )
    for envelope in ("error", "detail"):
        async with pretended(error_envelope=envelope) as client:
            for body, status, words in cases:
                answer = await client.post("/v1/calls", json=body)
                assert (answer.status_code, words in answer.text) == (status, True), answer.text
                assert list(answer.json()) == [envelope]
            assert (await client.get("/simulator/ledger")).json() == []


async def test_strangers_are_not_let_in_and_an_empty_balance_pays_for_nothing() -> None:
    async with pretended(balance_calls=1) as client:
        stranger = await client.get("/v1/calls", headers={"authorization": "Bearer sk_live_other"})
        assert stranger.status_code == 401
        assert (await client.post("/v1/calls", json=CALL)).status_code == 200
        spent = await client.post("/v1/calls", json=CALL)
        assert (spent.status_code, spent.json()["error"]["code"]) == (402, "INSUFFICIENT_BALANCE")


async def test_too_many_live_calls_are_refused_and_the_limit_is_told() -> None:
    async with pretended(calls_live_max=1, retry_after_share=1.0, retry_after_s=3) as client:
        await client.post("/v1/calls", json=CALL)
        second = await client.post("/v1/calls", json=CALL)
        assert (second.status_code, second.headers["retry-after"]) == (429, "3")
        usage = (await client.get("/v1/usage")).json()
        assert usage["plan"]["limits"]["concurrentCalls"] == 1
        assert usage["stats"]["totalCalls"] == 1
    async with pretended(plan_in_usage=False) as client:
        assert "plan" not in (await client.get("/v1/usage")).json()


async def test_a_call_goes_from_in_progress_over_ringing_to_its_end() -> None:
    clock = ManualClock()
    async with pretended(clock, outcomes={"completed": 1.0}) as client:
        first = (await client.post("/v1/calls", json=CALL)).json()
        assert (first["status"], first["fromNumber"]) == ("in-progress", "+14155550001")
        seen = [first["status"]]
        for _ in range(300):
            clock.move(1.0)
            now = (await client.get(f"/v1/calls/{first['id']}")).json()
            seen += [now["status"]] if now["status"] != seen[-1] else []
        assert seen == ["in-progress", "ringing", "in-progress", "completed"]
        assert now["durationSeconds"] > 0
        assert now["transcripts"][0]["transcript"] == "Yes, go on."
        assert (await client.get(f"/v1/calls/{first['id']}/recording")).status_code == 404


async def test_a_call_that_is_asked_to_end_ends_a_little_later() -> None:
    clock = ManualClock()
    async with pretended(
        clock, outcomes={"completed": 1.0}, ring_s=(5, 5), call_duration_s=(90, 90)
    ) as client:
        call = (await client.post("/v1/calls", json=CALL)).json()
        clock.move(20.0)
        assert (await client.post(f"/v1/calls/{call['id']}/end")).json()["status"] == "in-progress"
        clock.move(2.0)
        ended = (await client.get(f"/v1/calls/{call['id']}")).json()
        assert (ended["status"], ended["durationSeconds"]) == ("completed", 16)


async def test_lists_are_newest_first_filtered_and_cut_into_pages() -> None:
    clock = ManualClock()
    async with pretended(clock, time_scale=1e9, listing_delay_s=5.0) as client:
        for n in range(130):
            await client.post("/v1/calls", json=CALL | {"toNumber": f"+1415555{n:04d}"})
            clock.move(1.0)
        page = (await client.get("/v1/calls", params={"limit": 500})).json()
        assert (len(page["data"]), page["hasMore"], page["total"]) == (100, True, 126), (
            "the last 4 come later"
        )
        assert page["data"][0]["toNumber"] == "+14155550125"
        last = (await client.get("/v1/agents/agt_1/calls", params={"limit": 100, "offset": 100})).json()
        assert (len(last["data"]), last["hasMore"]) == (26, False)
        for asked, count in (
            ({"search": "5550007"}, 1),
            ({"search": "14155550001"}, 126),
            ({"search": "+14155550007"}, 1),
            ({"direction": "inbound"}, 0),
            ({"type": "web"}, 0),
        ):
            assert (await client.get("/v1/calls", params=asked)).json()["total"] == count, asked
        assert (await client.get("/v1/calls?search=+14155550007")).json()["total"] == 0, (
            "a bare plus is a space"
        )
        assert (await client.get("/v1/calls", params={"limit": "many"})).status_code == 422


async def test_calls_of_an_earlier_life_are_still_known(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    async with pretended(ledger_file=file) as client:
        call = (await client.post("/v1/calls", json=CALL)).json()
    async with pretended(ledger_file=file) as client:
        assert (await client.get("/v1/calls")).json()["data"][0]["id"] == call["id"]
        assert (await client.get(f"/v1/calls/{call['id']}")).json()["fromNumber"] == "+14155550001"


async def test_a_released_number_leaves_the_list_and_stays_readable() -> None:
    async with pretended() as client:
        released = (await client.delete("/v1/numbers/num_3")).json()
        assert released == {"success": True, "phoneNumber": "+14155550003", "status": "released"}
        assert [each["id"] for each in (await client.get("/v1/numbers")).json()["data"]] == ["num_1", "num_2"]
        assert (await client.get("/v1/numbers/num_3")).json()["status"] == "released"
        assert (await client.get("/v1/numbers/num_3/messages")).json()["data"]
        assert (await client.delete("/v1/numbers/num_3")).status_code == 404
