"""Agents and numbers of the pretended UnleashX, on the public paths and the older one."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from dialer.simulator import SimulatorConfig
from tests.simulator.pretended import CALL_PATH, pretended

pytestmark = pytest.mark.anyio

GET = "/api/v1/global/agents/get"
CREATE = "/api/v1/global/create-agent"
ATTACH = "/api/v1/global/attach-phone-numbers"
ATTACH_OLD = "/api/agent/attach-phone-number"

NUMBER = "+918062810341"
OLD = {"agent_id": "agent_abc123xyz", "provider": "san", "numbers": [NUMBER]}


async def test_an_agent_comes_wrapped_twice() -> None:
    async with pretended(SimulatorConfig(agents=(962,))) as simulator:
        body = (await simulator.get(GET, agent_id=962)).json()
        every = (await simulator.get(GET)).json()
        unknown = await simulator.get(GET, agent_id=963)
    assert (body["error"], body["code"], body["data"]["success"]) == (False, 200, True)
    assert body["data"]["data"]["agent_id"] == 962
    assert [agent["agent_id"] for agent in every["data"]["data"]] == [962]
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Agent not found")


async def test_a_created_agent_can_be_called_for_and_renamed() -> None:
    async with pretended(SimulatorConfig(agents=(962,))) as simulator:
        created = (await simulator.post(CREATE, {"agent_name": "Renewals"})).json()
        agent_id = created["data"]["agent_id"]
        renamed = (await simulator.post(CREATE, {"agent_id": agent_id, "agent_name": "Winback"})).json()
        nameless = await simulator.post(CREATE, {"prompt": "Hello"})
        unknown = await simulator.post(CREATE, {"agent_id": 5, "agent_name": "x"})
        agent = (await simulator.get(GET, agent_id=agent_id)).json()["data"]["data"]
    assert created["success"] is True
    assert renamed["message"] == "Voice agent updated successfully"
    assert agent["agent_name"] == "Winback"
    assert (nameless.status_code, unknown.status_code) == (422, 404)


async def test_numbers_are_attached_on_the_public_path() -> None:
    async with pretended() as simulator:
        good = await simulator.post(ATTACH, {"agent_id": 123, "numbers": [NUMBER]})
        again = await simulator.post(ATTACH, {"agent_id": 123, "numbers": [NUMBER]})
        taken = await simulator.post(ATTACH, {"agent_id": 124, "numbers": [NUMBER]})
        text_id = await simulator.post(ATTACH, {"agent_id": "agent_abc", "numbers": [NUMBER]})
    assert good.json()["data"] == {"agent_id": 123, "phone_numbers": [NUMBER]}
    assert [each.status_code for each in (good, again, taken, text_id)] == [200, 200, 409, 400]
    assert taken.json() == {"error": True, "message": "Phone number already attached to agent: 123"}


async def test_numbers_are_attached_on_the_older_path_in_its_envelope() -> None:
    async with pretended() as simulator:
        body = (await simulator.post(ATTACH_OLD, OLD)).json()
    assert (body["error"], body["code"], body["data"]["status"]) == (False, 200, "active")
    assert body["data"]["attached_at"] == "2026-09-21T14:13:20Z"


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"agent_id": ""}, 400, "Agent ID is required"),
        ({"provider": ""}, 400, "Provider is required"),
        ({"numbers": []}, 400, "Phone number(s) are required"),
        (
            {"numbers": ["918062810341"]},
            400,
            "Invalid phone number format. Use E.164 format (e.g., +918062810341)",
        ),
        ({"provider": "bandwidth"}, 400, "Provider not configured for your account"),
        ({"agent_id": "nobody"}, 404, "Agent not found"),
        (
            {"provider": "pigeon"},
            422,
            "Invalid provider. Supported providers: san, ozonetell, twilio, exotel, telnyx, vonage",
        ),
    ],
)
async def test_every_documented_refusal_of_the_older_path(
    change: dict[str, Any], status: int, message: str
) -> None:
    async with pretended() as simulator:
        answer = await simulator.post(ATTACH_OLD, OLD | change)
    body = answer.json()
    assert (answer.status_code, body["code"], body["message"]) == (status, status, message)
    assert body["error"] is True
    assert body["data"] == {}


async def test_a_taken_number_is_refused_in_both_documented_ways() -> None:
    async with pretended() as simulator:
        await simulator.post(ATTACH_OLD, OLD | {"agent_id": "agent_xyz789abc"})
        alone = await simulator.post(ATTACH_OLD, OLD)
        among_others = await simulator.post(ATTACH_OLD, OLD | {"numbers": ["+918062810342", NUMBER]})
    assert alone.status_code == 409
    assert alone.json()["data"] == {"existing_agent_id": "agent_xyz789abc", "phone_number": NUMBER}
    assert (among_others.status_code, among_others.json()["message"]) == (
        400,
        "Phone number is already attached to another agent",
    )


async def test_events_come_only_where_asked_for_and_say_that_they_are_invented(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[dict[str, Any]] = []

    async def post(_: httpx.AsyncClient, url: str, *, content: bytes, **more: Any) -> httpx.Response:
        told.append({"url": url, **orjson.loads(content)})
        return httpx.Response(200)

    config = SimulatorConfig(webhook_early=1.0, agents=(962, 963))
    async with pretended(config) as simulator:
        await simulator.post(CALL_PATH, {"agent_id": 962, "phone_number": NUMBER})
        hook = {"agent_id": 963, "agent_name": "x", "session_data_webhook": "http://ear.example/h"}
        await simulator.post(CREATE, hook)
        with monkeypatch.context() as patched:
            real = httpx.AsyncClient.post

            async def route(client: httpx.AsyncClient, url: Any, **more: Any) -> httpx.Response:
                return await (post if "ear.example" in str(url) else real)(client, url, **more)

            patched.setattr(httpx.AsyncClient, "post", route)
            answer = await simulator.post(CALL_PATH, {"agent_id": 963, "phone_number": NUMBER})
    execution_id = answer.json()["data"]["execution_id"]
    assert [one["event"] for one in told] == ["call.started", "call.ended"]
    assert {one["execution_id"] for one in told} == {execution_id}
    assert {one["format"] for one in told} == {"invented by the simulator"}
