"""UnleashX beyond calls: every documented answer to attaching numbers, agents, history, costs, hints."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from dialer.base.clock import ManualClock
from dialer.base.errors import BadInput, NotReady
from dialer.providers.abilities import (
    AttachesNumbers,
    EventRefused,
    HearsEvents,
    ListsAgents,
    TellsCosts,
)
from dialer.providers.unleashx.account import AgentHistory
from dialer.providers.unleashx.provider import UnleashX
from tests.providers.scripted import TOKEN, Answer, scripted

pytestmark = pytest.mark.anyio

NUMBER = "+918062810341"
OLD = "agent_abc123xyz"


def answers(status: int, body: Any) -> Answer:
    return lambda _: httpx.Response(status, json=body)


def old(code: int, message: str, data: Any = None) -> dict[str, Any]:
    """The envelope of the older path."""
    timestamp = 1769244619292
    return {
        "error": code >= 400,
        "code": code,
        "message": message,
        "timestamp": timestamp,
        "data": data or {},
    }


async def attach(answer: Answer, agent: str = OLD, telephony: str | None = "san") -> str:
    """Return the sentence with which attaching is refused."""
    async with scripted(answer) as opened:
        with pytest.raises((BadInput, NotReady)) as refused:
            await opened.provider.attach_numbers(agent, [NUMBER], telephony)
    assert len(opened.asked) == opened.paced == 1
    assert TOKEN not in str(refused.value)
    return f"{type(refused.value).__name__}: {refused.value}"


async def test_it_can_do_what_its_pages_say() -> None:
    for ability in (AttachesNumbers, HearsEvents, ListsAgents, TellsCosts):
        assert isinstance(UnleashX, type)
        async with scripted(answers(200, {})) as opened:
            assert isinstance(opened.provider, ability)


async def test_numbers_are_attached_on_the_public_path() -> None:
    data = {"agent_id": 123, "phone_numbers": [NUMBER]}
    async with scripted(answers(200, {"success": True, "message": "ok", "data": data})) as opened:
        [number] = await opened.provider.attach_numbers("123", [NUMBER])
    [request] = opened.asked
    assert (request.method, request.url.path) == ("POST", "/api/v1/global/attach-phone-numbers")
    assert orjson.loads(request.content) == {"agent_id": 123, "numbers": [NUMBER]}
    assert (number.phone, number.agent, number.kind) == (NUMBER, "123", None)


@pytest.mark.parametrize("told", [{"phone_numbers": [NUMBER]}, {"phone_number": NUMBER}])
async def test_numbers_are_attached_on_the_older_path_with_their_telephony_provider(
    told: dict[str, Any],
) -> None:
    data = {"agent_id": OLD, "provider": "san", "attached_at": "2026-01-24T10:30:19Z", "status": "active"}
    async with scripted(answers(200, old(200, "ok", {**data, **told}))) as opened:
        [number] = await opened.provider.attach_numbers(OLD, [NUMBER], "san")
    [request] = opened.asked
    assert request.url.path == "/api/agent/attach-phone-number"
    assert orjson.loads(request.content) == {"agent_id": OLD, "provider": "san", "numbers": [NUMBER]}
    assert (number.phone, number.agent, number.status, number.kind) == (NUMBER, OLD, "active", "san")
    assert number.created_at == "2026-01-24T10:30:19Z"


REFUSALS = [
    (400, "Agent ID is required", "say which agent: --agent"),
    (400, "Provider is required", "--telephony san"),
    (400, "Phone number(s) are required", "say which numbers"),
    (400, "Invalid phone number format. Use E.164 format (e.g., +918062810341)", "digits only"),
    (400, "Invalid phone number format. Use E.164 format", "digits only"),
    (400, "Phone number is already attached to another agent", "detach it there first"),
    (400, "Provider not configured for your account", "set the telephony provider up"),
    (401, "Invalid Auth Key or Session Expired", "check the token"),
    (404, "Agent not found", "check the agent's id"),
    (
        422,
        "Invalid provider. Supported providers: san, ozonetell, twilio, exotel, telnyx, vonage",
        "bandwidth",
    ),
]


@pytest.mark.parametrize(("status", "message", "advice"), REFUSALS)
async def test_each_documented_refusal_is_told_with_what_to_do(
    status: int, message: str, advice: str
) -> None:
    said = await attach(answers(status, old(status, message)))
    assert said.startswith(f"BadInput: account 'spring': UnleashX answered {status} ({message}); ")
    assert advice in said
    assert said.endswith("; nothing was attached")


async def test_a_number_that_another_agent_has_is_shown_with_its_agent() -> None:
    data = {"existing_agent_id": "agent_xyz789abc", "phone_number": NUMBER}
    message = "Phone number already attached to agent: agent_xyz789abc"
    said = await attach(answers(409, old(409, message, data)))
    assert f"UnleashX answered 409 ({message}); it belongs to agent agent_xyz789abc, not to {OLD}: " in said


async def test_an_error_of_the_server_leaves_open_what_was_done() -> None:
    said = await attach(answers(500, old(500, "Internal server error")))
    assert said.startswith(
        "NotReady: account 'spring': UnleashX answered 500 (Internal server error); whether"
    )
    assert "too many requests" in await attach(answers(429, {"error": True, "message": "Slow down"}))
    assert "whether the numbers" in await attach(lambda _: httpx.Response(200, text="<html>"))

    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("no answer", request=request)

    assert "whether the numbers" in await attach(silent)


async def test_success_needs_both_the_status_and_the_flag() -> None:
    body = {"error": True, "message": "Agent not found", "data": {"phone_numbers": [NUMBER]}}
    assert (await attach(answers(200, body))).startswith("BadInput: ")


async def test_an_agent_of_the_older_path_needs_a_telephony_provider() -> None:
    async with scripted(answers(200, {})) as opened:
        with pytest.raises(BadInput, match="--telephony san"):
            await opened.provider.attach_numbers(OLD, [NUMBER])
    assert opened.asked == []


def agent(agent_id: int, **more: Any) -> dict[str, Any]:
    return {"agent_id": agent_id, "agent_name": "Renewals", "status": 1, "calling_type": 1, **more}


@pytest.mark.parametrize("several", [True, False])
async def test_agents_come_as_an_object_or_as_a_list_wrapped_twice(several: bool) -> None:
    inner = [agent(962), agent(963, calling_type=2, status=3)] if several else agent(962)
    body = old(200, "ok", {"success": True, "message": "ok", "data": inner})
    async with scripted(answers(200, body)) as opened:
        found = [one async for page in opened.provider.agents() for one in page]
    wanted = [("962", "Renewals", "active, outbound"), ("963", "Renewals", "status 3, inbound")]
    assert [(one.agent, one.name, one.status) for one in found] == wanted[: 2 if several else 1]


async def test_an_answer_without_agents_is_no_empty_list() -> None:
    async with scripted(answers(200, {"error": True, "message": "Not today"})) as opened:
        with pytest.raises(NotReady, match="without agents: Not today"):
            _ = [page async for page in opened.provider.agents()]
    async with scripted(answers(200, old(200, "ok", {"success": True, "data": []}))) as opened:
        assert [page async for page in opened.provider.agents()] == [[]]


async def test_history_counts_the_calls_of_each_agent(clock: ManualClock) -> None:
    row = {
        "agent_id": 962,
        "agent_name": "Renewals",
        "total_calls": "12",
        "success_calls": "9",
        "failed_calls": "3",
        "total_duration": "14m 02s",
    }
    body = {"datalist": [row], "pagination": {"currentPage": 1, "totalPages": 1}, "total_calls": 12}
    async with scripted(answers(200, body), clock) as opened:
        found = await opened.provider.call_history(clock.now_us())
    assert found == [AgentHistory("962", "Renewals", 12, 9, 3, "14m 02s")]
    assert opened.asked[0].url.path == "/api/v1/global/agents/call-history"


async def test_costs_come_from_the_list_of_transactions(clock: ManualClock) -> None:
    execution_id = "550e8400-e29b-41d4-a716-446655440000"
    row = {"ID": 7, "TRACK_ID": execution_id, "TOTAL_COST": "0.24", "CURRENCY": "USD"}
    body = {"headers": [], "transactions": [row], "pagination": {"has_next": False}}
    async with scripted(answers(200, body), clock) as opened:
        [[found]] = [page async for page in opened.provider.costs(clock.now_us())]
    assert (found.execution_id, found.cost, found.currency) == (execution_id, 0.24, "USD")
    assert "agent_id" not in opened.asked[0].url.params


@pytest.mark.parametrize(
    ("body", "execution_id", "attempt_id"),
    [
        (b'{"data": {"execution_id": "x-1"}}', "x-1", None),
        (b'{"input_data": "{\\"dialer_attempt_id\\": \\"a-1\\"}"}', None, "a-1"),
        (b"event=call.ended&execution_id=x-2", "x-2", None),
        (b"[1, [2, [3, [4]]]]", None, None),
        (b"", None, None),
    ],
)
async def test_a_webhook_is_only_a_reason_to_ask(
    body: bytes, execution_id: str | None, attempt_id: str | None
) -> None:
    async with scripted(answers(200, {})) as opened:
        first = opened.provider.read_event({}, body, 60.0)
        again = opened.provider.read_event({}, body, 119.0)
        later = opened.provider.read_event({}, body, 120.0)
    assert first.proof is False
    said = first.execution
    assert (said.execution_id if said else None, said.attempt_id if said else None) == (
        execution_id,
        attempt_id,
    )
    assert first.event_id == again.event_id != later.event_id
    assert said is None or said.outcome is None


@pytest.mark.parametrize("body", [b"notjson", b"<html>", b'{"data": {', b"\xff\xfe"])
async def test_a_webhook_that_cannot_be_read_is_refused(body: bytes) -> None:
    async with scripted(answers(200, {})) as opened:
        with pytest.raises(EventRefused) as refused:
            opened.provider.read_event({}, body, 60.0)
    assert refused.value.status == 400
