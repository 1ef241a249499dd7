"""Hamsa: what is sent, what each answer means, and what a person is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from dialer.base.clock import ManualClock
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
from dialer.providers.abilities import (
    AddsNumbers,
    AttachesNumbers,
    DetachesNumbers,
    HearsEvents,
    ListsAgents,
    ListsNumbers,
    ReleasesNumbers,
    TellsOfOne,
)
from dialer.providers.hamsa.provider import Hamsa
from dialer.providers.provider import OpenAttempt, Submission

pytestmark = pytest.mark.anyio

TOKEN = "hamsa-token-4c1d"
TWILIO_TOKEN = "twilio-auth-token-7e2a"
AGENT = "5d1c2b1e-6a54-4a9e-9f0d-0c3f7b5a9c11"
OTHER_AGENT = "a94f1d50-93b4-4a6e-8a19-6b0d4f0b7d11"
JOB = "d949f13f-40d2-4e48-ac86-b66633070603"
CALLER = "+18449292835"
PHONE = "+966501234567"
CALL = Submission("01JQ8Z6Y3M9T", PHONE, AGENT, CALLER, {"first_name": "Asha"})

Answer = Callable[[httpx.Request], httpx.Response]


class Opened:
    """The provider under test, and what it asked."""

    def __init__(self, provider: Hamsa, clock: ManualClock) -> None:
        self.provider = provider
        self.clock = clock
        self.asked: list[httpx.Request] = []

    def bodies(self) -> list[Any]:
        return [orjson.loads(request.content) for request in self.asked if request.content]


def account(**keys: Any) -> Account:
    return Account(name="spring", provider="hamsa", token=SecretStr(TOKEN), **keys)


@asynccontextmanager
async def hamsa(answer: Answer, **keys: Any) -> AsyncIterator[Opened]:
    clock = ManualClock()

    def note(request: httpx.Request) -> httpx.Response:
        opened.asked.append(request)
        return answer(request)

    async def pace() -> None:
        return None

    async with httpx.AsyncClient(transport=httpx.MockTransport(note), trust_env=False) as client:
        opened = Opened(Hamsa(account(**keys), client, clock, pace), clock)
        yield opened


def always(status: int, body: Any) -> Answer:
    return lambda _: httpx.Response(status, json=body)


def job(**fields: Any) -> dict[str, Any]:
    return {"success": True, "message": "success", "data": {"id": JOB, "status": "PENDING"} | fields}


def page(*rows: dict[str, Any], filtered: int | None = None) -> httpx.Response:
    data = {"total": 900, "filtered": len(rows) if filtered is None else filtered, "calls": list(rows)}
    return httpx.Response(200, json={"success": False, "message": "success", "data": data})


def row(number: int, status: str = "COMPLETED", phone: str = PHONE, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"job-{number}",
        "createdAt": "2026-09-21T14:13:20.000Z",  # when a ManualClock begins
        "status": status,
        "voiceAgentId": AGENT,
        "duration": 35,
        "callParams": {"machineNumber": CALLER, "userNumber": phone},
    } | fields


async def test_a_call_is_what_the_page_shows_with_our_attempt_among_its_params(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    url = "https://dialer.example/webhooks/hamsa/k3"
    async with hamsa(always(200, job()), webhook_url=url, webhook_secret="env:HOOK_SECRET") as opened:
        accepted = await opened.provider.submit(CALL)
    [request] = opened.asked
    assert str(request.url) == "https://api.tryhamsa.com/v1/voice-agents/call"
    assert request.headers["authorization"] == f"Token {TOKEN}"
    assert opened.bodies() == [
        {
            "toNumber": PHONE,
            "fromNumber": CALLER,
            "voiceAgentId": AGENT,
            "params": {"first_name": "Asha", "attempt_ref": "01JQ8Z6Y3M9T"},
            "webhookUrl": url,
            "webhookAuth": {"authKey": "Token", "authSecret": "s3cret"},
        }
    ]
    assert (accepted.execution_id, accepted.status) == (JOB, "PENDING")


@pytest.mark.parametrize(
    ("endpoint", "path", "caller_key"),
    [("phone-number", "phone-number/call", "phoneNumber"), ("twilio", "twilio/call", "twilioPhoneNumber")],
)
async def test_the_other_paths_name_the_caller_in_their_own_way(
    endpoint: str, path: str, caller_key: str
) -> None:
    answer = always(
        200, {"success": True, "message": "success", "data": {"voiceAgentId": AGENT, "jobId": JOB}}
    )
    async with hamsa(answer, call_endpoint=endpoint, auth_scheme="Bearer") as opened:
        accepted = await opened.provider.submit(CALL)
    assert opened.asked[0].url.path == f"/v1/voice-agents/{path}"
    assert opened.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert opened.bodies()[0][caller_key] == CALLER
    assert accepted.execution_id == JOB


async def test_a_good_answer_that_says_success_false_is_an_accepted_call() -> None:
    async with hamsa(always(200, job() | {"success": False})) as opened:
        assert (await opened.provider.submit(CALL)).execution_id == JOB


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (200, {"success": False, "message": "Number is blocked"}, Refused, "200 .Number is blocked.*no call"),
        (200, {"success": False, "message": "Insufficient funds"}, AccountStopped, "add funds"),
        (
            200,
            {"success": True, "message": "success", "data": {}},
            MaybeDialled,
            "without an id.*may have been",
        ),
        (200, {"success": True, "message": "success", "data": None}, MaybeDialled, "without an id"),
        (200, ["?"], MaybeDialled, "not_json"),
        (
            400,
            {"success": False, "message": ["toNumber must be a valid phone number"]},
            Refused,
            "toNumber must",
        ),
        (400, {"success": False, "message": "Insufficient funds"}, AccountStopped, "Insufficient.*add funds"),
        (
            402,
            {"success": False, "message": "You have no credits left"},
            AccountStopped,
            "no credits.*add funds",
        ),
        (
            401,
            {"success": False, "message": "Unauthorized"},
            AccountStopped,
            "401 .Unauthorized.*check the token",
        ),
        (403, {"message": "Forbidden"}, AccountStopped, "403 .Forbidden.*check the token"),
        (
            404,
            {"success": False, "message": "Voice agent not found"},
            AccountStopped,
            "Voice agent not found",
        ),
        (422, {"error": {"message": "Validation failed"}}, Refused, "422 .Validation failed"),
        (429, {"success": False, "message": "Too many requests"}, NotDialled, "429 .*account slows down"),
        (
            500,
            {"success": False, "message": "Insufficient funds"},
            MaybeDialled,
            "500 .*may have been placed",
        ),
        (302, {}, MaybeDialled, "302.*may have been placed"),
    ],
)
async def test_every_answer_has_its_certainty_and_is_told_in_their_words(
    status: int, body: Any, kind: type[SubmitError], told: str
) -> None:
    async with hamsa(always(status, body)) as opened:
        with pytest.raises(SubmitError, match=told) as caught:
            await opened.provider.submit(CALL)
    assert type(caught.value) is kind
    assert caught.value.http_status == status
    assert len(opened.asked) == 1


async def test_words_that_repeat_the_number_and_the_key_are_told_without_them() -> None:
    echo = {"success": False, "message": f"{PHONE} not allowed for {TOKEN}"}
    async with hamsa(always(422, echo)) as opened:
        with pytest.raises(Refused) as caught:
            await opened.provider.submit(CALL)
    assert PHONE[1:] not in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("submission", "kind", "code"),
    [
        (Submission("a", "0501234567", AGENT, CALLER), Refused, "not_e164"),
        (Submission("a", PHONE, "962", CALLER), AccountStopped, "agent_not_uuid"),
        (Submission("a", PHONE, AGENT), AccountStopped, "from_number_missing"),
        (Submission("a", PHONE, AGENT, CALLER, {"x": object()}), Refused, "metadata_not_json"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_anything_is(
    submission: Submission, kind: type[SubmitError], code: str
) -> None:
    async with hamsa(always(200, job())) as opened:
        with pytest.raises(SubmitError) as caught:
            await opened.provider.submit(submission)
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert opened.asked == []


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"webhook_url": "https://dialer.example/k"}, "webhook_secret is missing"),
        ({"webhook_secret": "s3cret"}, "webhook_secret.*env:NAME"),
        (
            {
                "webhook_url": "https://dialer.example/k",
                "webhook_secret": "env:PATH",
                "call_endpoint": "phone-number",
            },
            "takes no webhook",
        ),
        ({"auth_sheme": "Token"}, "did you mean 'auth_scheme'"),
        ({"page_size": 500}, "page_size"),
    ],
)
async def test_an_account_that_cannot_be_meant_is_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        async with hamsa(always(200, job()), **keys):
            pass


# The list, one call, its cost


async def test_a_lost_answer_is_looked_for_in_milliseconds_on_all_pages_and_by_exact_number() -> None:
    pages = [
        page(row(1, phone="+9665012345670"), row(2, phone="966501234567"), filtered=3),
        page(row(3, phone="+15550001111"), filtered=3),
    ]
    async with hamsa(lambda _: pages.pop(0), clock_margin_s=30, details=False) as opened:
        sent_at_us = opened.clock.now_us()
        found = await opened.provider.look_up(OpenAttempt("a", PHONE, AGENT, sent_at_us))
    assert [each.execution_id for each in found] == ["job-2"]
    asked = opened.asked[0].url.params
    assert int(asked["startTime"]) == sent_at_us // 1000 - 30_000
    assert int(asked["endTime"]) > sent_at_us // 1000
    assert (asked["voiceAgentId"], asked["perPage"]) == (AGENT, "200")
    # The first page was shorter than asked for, but `filtered` counted more.
    assert [request.url.params["page"] for request in opened.asked] == ["1", "2"]


async def test_a_list_that_does_not_end_or_is_none_is_not_taken_for_absence() -> None:
    attempt = OpenAttempt("a", PHONE, AGENT, ManualClock().now_us())
    numbers = iter(range(1000))
    async with hamsa(lambda _: page(row(next(numbers)), filtered=999), pages_max=3) as opened:
        with pytest.raises(NotReady, match="after 3 pages"):
            await opened.provider.look_up(attempt)
    async with hamsa(always(200, {"success": False, "message": "Try later"})) as opened:
        with pytest.raises(NotReady, match=r"without a list: Try later"):
            await opened.provider.look_up(attempt)
    bad_window = {"success": False, "message": "endTime must be after startTime for +966501234567"}
    async with hamsa(always(400, bad_window)) as opened:
        with pytest.raises(NotReady, match=r"400 \(endTime must be after startTime for \(number\)\)"):
            await opened.provider.look_up(attempt)


@pytest.mark.parametrize(
    ("status", "outcome", "disposition"),
    [
        ("PENDING", None, None),
        ("IN_PROGRESS", None, None),
        ("COMPLETED", "completed", None),
        ("NO_ANSWER", "no_answer", None),
        ("FAILED", "failed", None),
        ("FORWARDED", "completed", "forwarded"),
        ("TERMINATED", "canceled", "terminated"),
        ("RINGING_ON_MARS", None, None),
    ],
)
async def test_a_status_means_what_the_page_says_and_an_unknown_one_stays_open(
    status: str, outcome: str | None, disposition: str | None
) -> None:
    conversation = row(1, status, callDuration=125, mediaUrl="https://recordings.example/1.mp3")
    async with hamsa(always(200, {"success": True, "data": conversation})) as opened:
        found = await opened.provider.execution("job-1")
    assert found is not None
    assert (found.outcome, found.disposition, found.status) == (outcome, disposition, status)
    assert (found.duration_s, found.phone) == (125.0, PHONE)
    assert found.recording_url == "https://recordings.example/1.mp3"


async def test_a_call_that_hamsa_does_not_know_is_none_and_no_id_leads_elsewhere() -> None:
    async with hamsa(always(404, {"success": False, "message": "Conversation not found"})) as opened:
        assert await opened.provider.execution("job-1") is None
        assert await opened.provider.execution("../jobs?x") is None
    assert len(opened.asked) == 1


async def test_a_finished_call_is_read_whole_once_and_costs_what_its_job_says() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("minimal-list"):
            return page(row(1), row(2, "IN_PROGRESS"), row(3))
        if request.url.path == "/v1/jobs":
            cost = {"job-1": 0.25, "job-3": 0}[request.url.params["jobId"]]
            return httpx.Response(200, json={"data": {"id": "x", "totalCost": cost}})
        return httpx.Response(200, json={"data": row(1, mediaUrl="https://recordings.example/1.mp3")})

    async with hamsa(answer) as opened:
        provider, since_us = opened.provider, opened.clock.now_us()
        for _ in range(2):
            told = [each async for some in provider.executions(AGENT, since_us) for each in some]
        bills = [each async for some in provider.costs(since_us) for each in some]
        again = [each async for some in provider.costs(since_us) for each in some]
    assert [bool(each.recording_url) for each in told] == [True, False, True]
    assert sum("/conversation/" in request.url.path for request in opened.asked) == 2
    # A call with talk that costs nothing is not billed yet, and is asked about again.
    assert [(each.execution_id, each.cost) for each in bills] == [("job-1", 0.25)]
    assert [(each.execution_id, each.cost) for each in again] == [("job-1", 0.25)]
    assert [r.url.params["jobId"] for r in opened.asked if r.url.path == "/v1/jobs"] == [
        "job-1",
        "job-3",
        "job-3",
    ]


# Agents and numbers


def number(phone: str, agent: str | None = None) -> dict[str, Any]:
    return {
        "id": f"id-{phone}",
        "number": phone,
        "label": "Sales",
        "type": "TWILIO",
        "twilioAuthToken": TWILIO_TOKEN,
        "sipOutboundConfigs": {"address": "sip.example.com", "customHeaders": {"X-Key": "hidden"}},
        "voiceAgentId": agent,
        "voiceAgent": {"id": agent, "name": "Renewals"} if agent else None,
    }


def numbers_api(*numbers: dict[str, Any]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/list"):
            return httpx.Response(200, json={"success": True, "message": "Success", "data": list(numbers)})
        if request.url.path.endswith("assign-number"):
            body = orjson.loads(request.content)
            numbers[0]["voiceAgentId"] = body["voiceAgentId"]
        return httpx.Response(200, json={"success": True, "message": "Success", "data": "Voice agents were"})

    return answer


async def test_a_twilio_number_is_added_with_all_five_fields_and_its_token_is_shown_nowhere() -> None:
    added = always(200, {"success": True, "message": "Success", "data": number(CALLER)})
    async with hamsa(added) as opened:
        found = await opened.provider.add_number(
            CALLER, "Sales", "twilio", {"sid": "AC1", "auth_token": TWILIO_TOKEN}
        )
    assert opened.bodies() == [
        {
            "type": "TWILIO",
            "phoneNumber": CALLER,
            "label": "Sales",
            "twilioAccountSid": "AC1",
            "twilioAuthToken": TWILIO_TOKEN,
        }
    ]
    assert (found.phone, found.kind, found.label) == (CALLER, "TWILIO", "Sales")
    assert TWILIO_TOKEN not in repr(found)
    assert "hidden" not in repr(found)


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (400, BadInput, "twilioAuthToken must be longer.*nothing was changed"),
        (409, BadInput, "409"),
        (401, NotReady, "check the token"),
        (500, NotReady, "not known, look before trying again"),
        (429, NotReady, "429"),
    ],
)
async def test_what_hamsa_says_to_a_number_is_told_without_the_secrets(
    status: int, kind: type[Exception], told: str
) -> None:
    words = {"message": [f"twilioAuthToken must be longer than 1: {TWILIO_TOKEN}"]}
    async with hamsa(always(status, words)) as opened:
        with pytest.raises(kind, match=told) as caught:
            await opened.provider.add_number(
                CALLER, "Sales", "twilio", {"sid": "AC1", "auth_token": TWILIO_TOKEN}
            )
    assert TWILIO_TOKEN not in str(caught.value)
    assert len(opened.asked) == 1


@pytest.mark.parametrize(
    ("phone", "label", "telephony", "secrets", "told"),
    [
        (CALLER, "Sales", "exotel", {"sid": "AC1", "auth_token": "t"}, "Twilio numbers only"),
        ("8449292835", "Sales", "twilio", {"sid": "AC1", "auth_token": "t"}, "no number in E.164"),
        (CALLER, " ", "twilio", {"sid": "AC1", "auth_token": "t"}, "wants a label"),
        (CALLER, "Sales", "twilio", {"sid": "AC1"}, "Twilio's auth_token"),
        (CALLER, "Sales", "twilio", {}, "Twilio's sid and auth_token"),
    ],
)
async def test_a_number_that_cannot_be_added_is_refused_before_anything_is_sent(
    phone: str, label: str, telephony: str, secrets: dict[str, str], told: str
) -> None:
    async with hamsa(always(200, {})) as opened:
        with pytest.raises(BadInput, match=told):
            await opened.provider.add_number(phone, label, telephony, secrets)
    assert opened.asked == []


async def test_a_number_that_another_agent_has_is_not_moved_and_it_is_said_whose_it_is() -> None:
    async with hamsa(numbers_api(number(CALLER, OTHER_AGENT))) as opened:
        with pytest.raises(BadInput, match=f"attached to agent {OTHER_AGENT} .Renewals.*nothing was changed"):
            await opened.provider.attach_numbers(AGENT, [CALLER])
        with pytest.raises(BadInput, match="not to 5d1c"):
            await opened.provider.detach_number(AGENT, CALLER)
        with pytest.raises(BadInput, match=r"no number \+15550000000"):
            await opened.provider.detach_number(None, "+15550000000")
    assert {request.method for request in opened.asked} == {"GET"}


async def test_a_free_number_is_assigned_and_one_that_is_there_already_is_left() -> None:
    async with hamsa(numbers_api(number(CALLER))) as opened:
        [found] = await opened.provider.attach_numbers(AGENT, [CALLER])
        [again] = await opened.provider.attach_numbers(AGENT, [f"id-{CALLER}"])
        said = await opened.provider.detach_number(AGENT, CALLER)
    assert (found.agent, again.agent, said) == (AGENT, AGENT, "Voice agents were")
    assert [request.url.path.rpartition("/")[2] for request in opened.asked if request.method == "POST"] == [
        "assign-number",
        "unassign",
    ]


async def test_numbers_that_were_attached_before_one_was_refused_are_named() -> None:
    numbers = [number(CALLER), number("+18449292836")]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"data": numbers})
        refused = orjson.loads(request.content)["phoneNumber"] != CALLER
        return httpx.Response(400 if refused else 200, json={"message": "Number is suspended"})

    async with hamsa(answer) as opened:
        with pytest.raises(BadInput, match=r"6: .*suspended\); attached before that: \+18449292835$"):
            await opened.provider.attach_numbers(AGENT, [CALLER, "+18449292836"])


async def test_agents_are_listed_page_by_page_without_their_webhook_secrets() -> None:
    agents = [
        {"id": f"agent-{n}", "name": f"A{n}", "webhookAuth": {"authSecret": "hidden-secret"}}
        for n in range(60)
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        first = (int(request.url.params["skip"]) - 1) * 50
        return httpx.Response(200, json={"data": {"filtered": 60, "voiceAgents": agents[first : first + 50]}})

    async with hamsa(answer) as opened:
        found = [each async for some in opened.provider.agents() for each in some]
    assert [each.agent for each in found] == [f"agent-{n}" for n in range(60)]
    assert "hidden-secret" not in repr(found)


async def test_hamsa_can_what_it_documents_and_no_more() -> None:
    async with hamsa(always(200, {})) as opened:
        able = [
            AddsNumbers,
            AttachesNumbers,
            DetachesNumbers,
            HearsEvents,
            ListsAgents,
            ListsNumbers,
            TellsOfOne,
        ]
        assert all(isinstance(opened.provider, one) for one in able)
        assert not isinstance(opened.provider, ReleasesNumbers)
