"""Placing a call at AgentPhone: what leaves, and what each answer proves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from dialer.base.clock import ManualClock, as_datetime
from dialer.base.errors import (
    AccountStopped,
    BadInput,
    MaybeDialled,
    NotDialled,
    NotReady,
    Refused,
    SubmitError,
)
from dialer.base.settings import Account
from dialer.providers.agentphone.provider import AgentPhone
from dialer.providers.provider import Accepted, OpenAttempt, Submission

pytestmark = pytest.mark.anyio

TOKEN = "sk_live_scripted_4c1d"
PHONE = "+14155559999"
CALL = Submission(
    "0190-attempt", PHONE, "agt_abc123", metadata={"first_name": "Asha", "orders": 2, "x": None}
)
GOOD = {
    "id": "call_7f3a91",
    "agentId": "agt_abc123",
    "toNumber": PHONE,
    "fromNumber": "+14155551234",
    "status": "in-progress",
    "startedAt": "2026-04-19T17:20:11Z",
}

Answer = Callable[[httpx.Request], httpx.Response]


class Scripted:
    """The provider under test, and what it asked."""

    def __init__(self, provider: AgentPhone) -> None:
        self.provider = provider
        self.asked: list[httpx.Request] = []

    @property
    def sent(self) -> Any:
        """The body of the only POST."""
        [request] = [each for each in self.asked if each.method == "POST"]
        return orjson.loads(request.content)


@asynccontextmanager
async def scripted(answer: Answer, clock: ManualClock | None = None, **keys: Any) -> AsyncIterator[Scripted]:
    """Open an account at a provider that answers by `answer`."""

    def note(request: httpx.Request) -> httpx.Response:
        opened.asked.append(request)
        return answer(request)

    async def pace() -> None:
        return None

    given = {"base_url": "https://provider.example", "token": SecretStr(TOKEN), **keys}
    account = Account(name="spring", provider="agentphone", **given)
    async with httpx.AsyncClient(transport=httpx.MockTransport(note), timeout=2.0) as client:
        opened = Scripted(AgentPhone(account, client, clock or ManualClock(), pace))
        yield opened


async def outcome(response: httpx.Response, call: Submission = CALL, **keys: Any) -> Any:
    """What becomes of a submission that is answered so: Accepted, or the error."""
    async with scripted(lambda _: response, **keys) as opened:
        try:
            return await opened.provider.submit(call)
        except SubmitError as error:
            return error


def envelope(message: str, code: str, field: str | None = None) -> dict[str, Any]:
    details = [] if field is None else [{"field": field, "message": message, "type": "value_error"}]
    return {"error": {"message": message, "code": code, "type": "t", "details": details}}


async def test_one_request_leaves_as_the_page_documents_it() -> None:
    async with scripted(lambda _: httpx.Response(200, json=GOOD)) as opened:
        accepted = await opened.provider.submit(CALL)
    [request] = opened.asked
    assert accepted == Accepted("call_7f3a91", 200, "in-progress")
    assert str(request.url) == "https://provider.example/v1/calls"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert "x-sub-account-id" not in request.headers
    variables = {"first_name": "Asha", "orders": "2"}
    assert opened.sent == {"agentId": "agt_abc123", "toNumber": PHONE, "variables": variables}


async def test_a_call_carries_what_the_account_says_and_no_nulls() -> None:
    keys = {
        "sub_account": "sub_1",
        "variables": False,
        "system_prompt": "You remind people.",
        "initial_greeting": "Hi",
        "model_tier": "turbo",
        "disable_recording": True,
        "call_screening_identity": "Acme",
        "call_screening_purpose": "Your order",
    }
    async with scripted(lambda _: httpx.Response(200, json=GOOD), **keys) as opened:
        await opened.provider.submit(CALL)
    assert opened.asked[0].headers["x-sub-account-id"] == "sub_1"
    assert opened.sent == {
        "agentId": "agt_abc123",
        "toNumber": PHONE,
        "systemPrompt": "You remind people.",
        "initialGreeting": "Hi",
        "modelTier": "turbo",
        "disableRecording": True,
        "callScreeningIdentity": "Acme",
        "callScreeningPurpose": "Your order",
    }


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"model_tier": "turbo"}, "only with system_prompt"),
        ({"call_screening_identity": "Acme"}, "go together"),
        ({"webhook_secret": "whsec_3f9a77"}, "env:NAME"),
        ({"webhook_secret": ["env:A", "whsec_3f9a77"]}, "env:NAME"),
        ({"webhook_secret": ["env:A", "env:B", "env:C"]}, "two while"),
        ({"webhook_secrets": "env:A"}, "did you mean 'webhook_secret'"),
        ({"page_size": 101}, "page_size"),
    ],
)
async def test_a_key_that_cannot_be_meant_is_refused_without_its_value(
    keys: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        async with scripted(lambda _: httpx.Response(200), **keys):
            pass
    assert "3f9a77" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, envelope("Invalid number", "VALIDATION_ERROR", "toNumber"), Refused, "validation_error"),
        (400, envelope("Invalid request", "VALIDATION_ERROR"), Refused, "validation_error"),
        (422, {"detail": [{"loc": ["body", "toNumber"], "msg": "bad", "type": "v"}]}, Refused, "http_422"),
        (422, {"detail": [{"loc": ["body", "variables", "a"], "msg": "str"}]}, Refused, "http_422"),
        (422, {"detail": [{"loc": ["body", "agentId"], "msg": "bad"}]}, AccountStopped, "settings_refused"),
        (400, envelope("no model", "VALIDATION_ERROR", "variables"), AccountStopped, "settings_refused"),
        (401, {"detail": "Invalid API key"}, AccountStopped, "http_401"),
        (402, {"detail": "Payment required"}, AccountStopped, "insufficient_balance"),
        (400, envelope("Add funds", "INSUFFICIENT_BALANCE"), AccountStopped, "insufficient_balance"),
        (404, {"detail": "Agent not found"}, AccountStopped, "agent_not_found"),
        (404, envelope("gone", "PHONE_NUMBER_NOT_FOUND"), AccountStopped, "phone_number_not_found"),
        (429, envelope("Slow down", "RATE_LIMIT_EXCEEDED"), NotDialled, "rate_limit_exceeded"),
        (409, envelope("?", "DELIVERY_UNCONFIRMED"), MaybeDialled, "delivery_unconfirmed"),
        (500, {"detail": "Oops"}, MaybeDialled, "http_500"),
        (502, envelope("Carrier", "CARRIER_ERROR"), MaybeDialled, "carrier_error"),
        (503, "not json", MaybeDialled, "http_503"),
        (504, None, MaybeDialled, "http_504"),
        (302, None, MaybeDialled, "http_302"),
        (200, {"status": "in-progress"}, MaybeDialled, "no_call_id"),
        (200, {"id": "call_1", "error": {"message": "no"}}, MaybeDialled, "error_in_answer"),
        (200, [], MaybeDialled, "not_json"),
        (204, None, MaybeDialled, "not_json"),
    ],
)
async def test_each_documented_answer_has_its_certainty(
    status: int, body: Any, kind: type[SubmitError], code: str
) -> None:
    told = await outcome(httpx.Response(status, json=body))
    assert (type(told), told.code, told.http_status) == (kind, code, status)


async def test_the_words_of_a_refusal_are_told_without_number_and_key() -> None:
    said = envelope(f"{PHONE} cannot be called with {TOKEN}: not a mobile", "VALIDATION_ERROR", "toNumber")
    told = await outcome(httpx.Response(400, json=said))
    assert "not a mobile" in str(told)
    assert PHONE[1:] not in str(told)
    assert TOKEN not in str(told)


async def test_a_429_is_waited_for_as_each_of_its_headers_asks() -> None:
    clock = ManualClock()
    now_s = clock.now_us() / 1e6
    for headers, wait_s in (
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": formatdate(now_s + 12, usegmt=True)}, 12.0),
        ({"x-ratelimit-reset": str(int(now_s) + 30)}, 30.0),
        ({"x-ratelimit-reset": str(int(now_s) - 30)}, 0.0),
        ({"x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ):
        told = await outcome(httpx.Response(429, headers=headers, json={}), clock=clock)
        assert told.throttled
        assert told.retry_after_s == pytest.approx(wait_s, abs=1.0)


async def test_a_caller_id_is_named_to_the_provider_by_its_id_and_asked_for_once() -> None:
    rows = [{"id": "num_1", "phoneNumber": "+14155551234"}, {"id": "num_2", "phoneNumber": "+14155551235"}]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"data": rows, "hasMore": False, "total": 2})
        return httpx.Response(200, json=GOOD)

    async with scripted(answer) as opened:
        for _ in range(3):
            await opened.provider.submit(replace(CALL, from_number="+14155551235"))
    assert [each.method for each in opened.asked] == ["GET", "POST", "POST", "POST"]
    assert orjson.loads(opened.asked[-1].content)["fromNumberId"] == "num_2"


async def test_without_its_caller_id_no_call_leaves() -> None:
    call = replace(CALL, from_number="+14155550000")
    unknown = await outcome(httpx.Response(200, json={"data": [], "hasMore": False}), call)
    assert (type(unknown), unknown.code) == (AccountStopped, "from_number_unknown")
    asked = await outcome(httpx.Response(500), call)
    assert (type(asked), asked.code) == (NotDialled, "numbers_not_read")
    denied = await outcome(httpx.Response(401), call)
    assert (type(denied), denied.code) == (AccountStopped, "numbers_not_read")
    assert "token" in str(denied)


async def test_an_agent_that_no_path_can_hold_stops_before_anything_leaves() -> None:
    async with scripted(lambda _: httpx.Response(200, json=GOOD)) as opened:
        with pytest.raises(AccountStopped, match="agt_abc123"):
            await opened.provider.submit(replace(CALL, agent="agt/../1"))
        with pytest.raises(NotReady):
            await opened.provider.look_up(OpenAttempt("a", PHONE, "agt/1", 0))
    assert opened.asked == []


async def test_look_up_searches_digits_and_keeps_only_what_may_be_the_attempt() -> None:
    clock = ManualClock()
    now = {
        "startedAt": "2099-01-01T00:00:00Z",
        "agentId": "agt_abc123",
        "toNumber": PHONE,
        "status": "failed",
    }
    rows = [
        now | {"id": "good"},
        now | {"id": "longer", "toNumber": PHONE + "0"},
        now | {"id": "of_another_agent", "agentId": "agt_2"},
        now | {"id": "old", "startedAt": "2001-01-01T00:00:00Z"},
        now | {"id": "incoming", "direction": "inbound"},
        now | {"id": None},
    ]
    listed = httpx.Response(200, json={"data": rows, "hasMore": False, "total": 6})
    async with scripted(lambda _: listed, clock) as opened:
        found = await opened.provider.look_up(OpenAttempt("a", PHONE, "agt_abc123", clock.now_us()))
    assert [(each.provider_ref, each.outcome) for each in found] == [("good", "failed")]
    asked = opened.asked[0].url.params
    assert (asked["search"], asked["direction"], asked["limit"]) == (PHONE[1:], "outbound", "100")


def listing(order: int, pages: int) -> Answer:
    """A list of 100 rows a page, a minute apart: newest first where `order` is -1."""
    clock = ManualClock()

    def answer(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        data = []
        for serial in range(offset, offset + 100):
            age_s = 60 * (serial if order < 0 else 100 * pages - 1 - serial)
            data.append({"id": f"call_{serial}", "status": "completed", "startedAt": _moment(clock, age_s)})
        return httpx.Response(200, json={"data": data, "hasMore": offset + 100 < 100 * pages})

    return answer


def _moment(clock: ManualClock, age_s: int) -> str:
    return as_datetime(clock.now_us() - age_s * 1_000_000).isoformat()


@pytest.mark.parametrize(("order", "pages_read"), [(-1, 2), (1, 5)])
async def test_a_list_is_left_early_only_where_it_runs_from_new_to_old(order: int, pages_read: int) -> None:
    clock = ManualClock()
    async with scripted(listing(order, 5), clock) as opened:
        since_us = clock.now_us() - 3_000 * 1_000_000
        found = [each async for page in opened.provider.executions("agt_abc123", since_us) for each in page]
    assert len(found) == 52, "calls of the last 3000 s, and of the clock's margin"
    assert len(opened.asked) == pages_read


async def test_a_completed_call_is_left_to_its_webhook_for_a_while_where_there_is_one() -> None:
    clock = ManualClock()
    ended = {"id": "c", "startedAt": _moment(clock, 90), "endedAt": _moment(clock, 30), "durationSeconds": 60}
    rows = [ended | {"status": "completed"}, ended | {"id": "d", "status": "busy"}]
    listed = httpx.Response(200, json={"data": rows, "hasMore": False})
    for keys, later_s, outcomes in (
        ({}, 0, ["completed", "busy"]),
        ({"webhook_secret": "env:HOOK"}, 0, [None, "busy"]),
        ({"webhook_secret": "env:HOOK"}, 31, ["completed", "busy"]),
        ({"webhook_secret": "env:HOOK", "event_wait_s": 0}, 0, ["completed", "busy"]),
    ):
        clock.move(later_s)
        async with scripted(lambda _: listed, clock, **keys) as opened:
            pages = [page async for page in opened.provider.executions("agt_abc123", 0)]
        assert [each.outcome for each in pages[0]] == outcomes


async def test_a_call_costs_what_the_account_says_by_the_second_and_a_cent_at_least() -> None:
    for duration_s, cost in ((73, 0.2677), (1, 0.01), (0, 0.0), (None, 0.0)):
        row = GOOD | {"status": "completed", "durationSeconds": duration_s}
        async with scripted(
            lambda _, row=row: httpx.Response(200, json=row), price_per_minute=0.22
        ) as opened:
            told = await opened.provider.execution("call_7f3a91")
        assert told is not None
        assert (told.cost, told.currency) == (cost, "USD")
    async with scripted(lambda _: httpx.Response(200, json=GOOD | {"status": "completed"})) as opened:
        told = await opened.provider.execution("call_7f3a91")
    assert told is not None
    assert told.cost is None, "no price is made up"


async def test_the_limit_of_live_calls_is_told_where_the_api_still_tells_it() -> None:
    for body, most in (
        ({"plan": {"limits": {"concurrentCalls": 12}}}, 12),
        ({"plan": {"limits": {}}}, None),
        ({"numbers": {"used": 1}}, None),
        ({"plan": {"limits": {"concurrentCalls": True}}}, None),
    ):
        async with scripted(lambda _, body=body: httpx.Response(200, json=body)) as opened:
            assert await opened.provider.concurrency() == most
