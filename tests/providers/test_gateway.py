"""`provider = "http"`: what dialer.toml may say, what is refused, and the guide's own examples at work."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
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
from dialer.base.settings import Account, read_settings
from dialer.providers.abilities import EventRefused, HearsEvents, TellsOfOne
from dialer.providers.gateway.provider import Gateway
from dialer.providers.provider import OpenAttempt, Submission

pytestmark = pytest.mark.anyio

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "http.md"
PHONE = "+919876543210"
CALL = Submission("0190-attempt", PHONE, "renewals", None, {"name": "Asha", "policy": 7})
KEY = "san-key-81c0"
SECRET = "bridge-secret-55"

Answer = Callable[[httpx.Request], httpx.Response]

LEAST: dict[str, Any] = {
    "base_url": "https://gateway.example",
    "call": {"path": "/calls", "body": {"to": "{phone}"}, "execution_id": "id"},
    "calls": {"path": "/calls"},
    "fields": {"phone": "to"},
    "outcomes": {"completed": ["done"]},
}
"""The least that makes a gateway."""


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAN_API_KEY", KEY)
    monkeypatch.setenv("BRIDGE_TOKEN", "bridge-token-1")
    monkeypatch.setenv("BRIDGE_WEBHOOK_SECRET", SECRET)


class Opened:
    """The provider under test, and what it asked."""

    def __init__(self, provider: Gateway, clock: ManualClock) -> None:
        self.provider = provider
        self.clock = clock
        self.asked: list[httpx.Request] = []


@asynccontextmanager
async def gateway(account: Account, answer: Answer) -> AsyncIterator[Opened]:
    clock = ManualClock()

    def note(request: httpx.Request) -> httpx.Response:
        opened.asked.append(request)
        return answer(request)

    async def pace() -> None:
        return None

    async with httpx.AsyncClient(transport=httpx.MockTransport(note), trust_env=False) as client:
        opened = Opened(Gateway(account, client, clock, pace), clock)
        yield opened


def described(changes: Mapping[str, Any] | None = None) -> Account:
    """The least account with changes: `call.path` sets a key, None takes it away."""
    values: dict[str, Any] = orjson.loads(orjson.dumps(LEAST))
    for path, value in (changes or {}).items():
        *sections, key = path.split(".")
        table = values
        for section in sections:
            table = table.setdefault(section, {})
        if value is None:
            del table[key]
        else:
            table[key] = value
    return Account(name="mine", provider="http", **values)


def of_guide(name: str, folder: Path) -> Account:
    """The account of that name in the guide, read as dialer reads a dialer.toml."""
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    [block] = [block for block in blocks if f"[accounts.{name}]" in block]
    (folder / "dialer.toml").write_text(block)
    return read_settings(folder / "dialer.toml", {}).accounts[name]


def always(status: int, body: Any, **headers: str) -> Answer:
    return lambda _: httpx.Response(status, json=body, headers=headers)


# The guide's examples


async def test_the_platform_of_the_guide_is_spoken_to_as_its_sheet_says(tmp_path: Path) -> None:
    account = of_guide("san", tmp_path)
    async with gateway(account, always(200, {"result": "Queued", "callRef": 4711})) as opened:
        accepted = await opened.provider.submit(CALL)
    [request] = opened.asked
    assert str(request.url) == "https://voice.san.example/api/v2/outbound"
    assert request.headers["x-api-key"] == KEY
    assert orjson.loads(request.content) == {
        "msisdn": "919876543210",
        "bot": "renewals",
        "cli": "+918062810341",
        "ref": "0190-attempt",
        "vars": {"name": "Asha", "policy": 7},
    }
    assert accepted.execution_id == "4711"


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (200, {"result": "dnd"}, Refused, "dnd"),
        (200, {"result": "No credit", "message": "recharge"}, AccountStopped, "recharge"),
        (200, {"result": "who knows", "callRef": 1}, MaybeDialled, "verdict"),
        (200, {"callRef": 1}, MaybeDialled, "verdict"),
        (200, {"result": "queued"}, MaybeDialled, "no id at 'callRef'"),
        (200, {"result": "queued", "callRef": {"a": 1}}, MaybeDialled, "no id"),
        (422, {"error": {"message": "bad msisdn"}}, Refused, "bad msisdn"),
        (400, {}, MaybeDialled, "may have been placed"),
        (500, {"message": f"{PHONE[1:]} {KEY}"}, MaybeDialled, "may have been placed"),
        (503, {}, MaybeDialled, "may have been placed"),
        (302, {}, MaybeDialled, "may have been placed"),
        (429, {}, NotDialled, "slows down"),
        (401, {"message": "bad key"}, AccountStopped, "bad key"),
    ],
)
async def test_what_is_not_said_to_be_proof_leaves_a_call_unknown(
    tmp_path: Path, status: int, body: Any, kind: type[SubmitError], told: str
) -> None:
    async with gateway(of_guide("san", tmp_path), always(status, body)) as opened:
        with pytest.raises(SubmitError, match=told) as caught:
            await opened.provider.submit(CALL)
    assert type(caught.value) is kind
    assert PHONE[1:] not in str(caught.value)
    assert KEY not in str(caught.value)


async def test_outcomes_come_from_the_platforms_report_in_its_own_words_and_zone(tmp_path: Path) -> None:
    rows = [
        {"callRef": n, "ref": f"a{n}", "msisdn": "919876543210", "disposition": word, "talkTime": "0:01:15"}
        | {"startTime": "2026-09-21 19:43:20"}
        for n, word in enumerate(["Answered", "ring-timeout", "BUSY", "in progress"], 1)
    ]
    pages = {"1": rows[:3], "2": rows[2:], "3": rows[2:]}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": {"rows": pages[request.url.params["page"]]}})

    async with gateway(of_guide("san", tmp_path), answer) as opened:
        since_us = opened.clock.now_us()
        found = [each async for page in opened.provider.executions("renewals", since_us) for each in page]
        [ours] = await opened.provider.look_up(OpenAttempt("a2", PHONE, "renewals", since_us))
    assert [each.outcome for each in found] == ["completed", "no_answer", "busy", None]
    assert [each.execution_id for each in found] == ["1", "2", "3", "4"]
    assert found[0].created_at_us == since_us  # 14:13:20 UTC
    assert not found[0].zone_assumed
    assert found[0].duration_s == 75.0
    assert ours.attempt_id == "a2"
    # Days in India, one to spare on either side; three pages, because the third brings nothing new.
    asked = [request.url.params for request in opened.asked[:3]]
    assert (asked[0]["from"], asked[0]["to"]) == ("2026-09-20", "2026-09-22")
    assert [each["page"] for each in asked] == ["1", "2", "3"]


async def test_the_bridge_of_the_guide_takes_a_form_and_keeps_our_id(tmp_path: Path) -> None:
    account = of_guide("bridge", tmp_path)
    async with gateway(account, always(202, None)) as opened:
        accepted = await opened.provider.submit(CALL)
    [request] = opened.asked
    assert request.headers["authorization"] == "Bearer bridge-token-1"
    assert request.headers["idempotency-key"] == "0190-attempt"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert b"to=%2B919876543210&flow=renewals&ref=0190-attempt" in request.content
    assert accepted.execution_id == "0190-attempt"


async def test_a_status_that_is_documented_to_place_nothing_lets_the_call_go_again(tmp_path: Path) -> None:
    busy = always(503, {"message": "no line"}, **{"retry-after": "9"})
    async with gateway(of_guide("bridge", tmp_path), busy) as opened:
        with pytest.raises(NotDialled, match="no line") as caught:
            await opened.provider.submit(CALL)
    assert (caught.value.retry_after_s, caught.value.throttled) == (9.0, False)


async def test_one_reference_is_looked_up_and_404_means_none(tmp_path: Path) -> None:
    attempt = OpenAttempt("0190-attempt", PHONE, "renewals", ManualClock().now_us())
    account = of_guide("bridge", tmp_path)
    found = {"dials": [{"ref": "0190-attempt", "state": "talked", "seconds": 12}]}
    async with gateway(account, always(200, found)) as opened:
        [ours] = await opened.provider.look_up(attempt)
    assert opened.asked[0].url.params["ref"] == "0190-attempt"
    assert (ours.outcome, ours.duration_s, ours.attempt_id) == ("completed", 12.0, "0190-attempt")
    async with gateway(account, always(404, {})) as opened:
        assert await opened.provider.look_up(attempt) == []
    async with gateway(account, always(200, {"calls": []})) as opened:
        with pytest.raises(NotReady, match="without a list at 'dials'"):
            await opened.provider.look_up(attempt)


# Never absent by mistake


@pytest.mark.parametrize(
    ("record", "may_be"),
    [
        ({"id": 1, "to": PHONE}, True),
        ({"id": 1, "to": "09876543210"}, True),  # without its country code
        ({"id": 1}, True),  # says nothing, so it may be ours
        ({"id": 1, "to": PHONE, "agent": "Renewals (2)"}, True),
        ({"id": 1, "to": PHONE + "0"}, False),
        ({"id": 1, "to": "+919876543211"}, False),
        ({"id": 1, "to": PHONE, "at": 1_700_000_000}, False),
        ({"id": 1, "to": PHONE, "at": "1790000000000"}, True),
        ({"id": 1, "to": PHONE, "ref": "another"}, False),
    ],
)
async def test_a_call_that_may_be_ours_never_counts_as_absent(record: dict[str, Any], may_be: bool) -> None:
    fields = {"fields.agent": "agent", "fields.created_at": "at", "fields.attempt_id": "ref"}
    attempt = OpenAttempt("0190-attempt", PHONE, "renewals", ManualClock().now_us())
    async with gateway(described(fields | {"absence_is_proof": True}), always(200, [record])) as opened:
        assert opened.provider.absence_is_proof is True
        assert bool(await opened.provider.look_up(attempt)) is may_be


async def test_a_list_whose_calls_have_no_id_proves_nothing() -> None:
    attempt = OpenAttempt("0190-attempt", PHONE, "renewals", ManualClock().now_us())
    async with gateway(described(), always(200, [{"call_id": 1, "to": PHONE}])) as opened:
        with pytest.raises(NotReady, match=r"without an id at 'id'; check fields\.id"):
            await opened.provider.look_up(attempt)
        with pytest.raises(NotReady, match="without an id"):
            _ = [page async for page in opened.provider.executions("renewals", 0)]


async def test_a_gateway_without_a_list_cannot_be_asked_about_a_lost_answer() -> None:
    signed = {"check": "hmac", "header": "X-Sig", "secret": "env:BRIDGE_WEBHOOK_SECRET"}
    attempt = OpenAttempt("a", PHONE, "renewals", ManualClock().now_us())
    async with gateway(described({"calls": None, "events": signed}), always(200, [])) as opened:
        with pytest.raises(NotReady, match="no list of calls"):
            await opened.provider.look_up(attempt)
    assert opened.asked == []


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ({"path": "/c?offset={offset}&n={page_size}", "page_size": 2}, ["offset=0", "offset=2", "offset=3"]),
        (
            {"path": "/c?after={cursor}", "next_cursor": "next", "records": "rows"},
            ["after=", "after=c1", "after=c2"],
        ),
    ],
)
async def test_a_list_is_read_by_offset_or_cursor_to_its_end(
    calls: dict[str, Any], wanted: list[str]
) -> None:
    rows = [{"id": n, "to": PHONE} for n in range(3)]

    def answer(request: httpx.Request) -> httpx.Response:
        if "offset" in request.url.params:
            first = int(request.url.params["offset"])
            return httpx.Response(200, json=rows[first : first + 2])
        number = int(request.url.params["after"][1:] or 0)
        following = f"c{number + 1}" if number < 2 else None
        return httpx.Response(200, json={"rows": [rows[number]], "next": following})

    async with gateway(described({"calls": calls}), answer) as opened:
        found = [each async for page in opened.provider.executions("renewals", 0) for each in page]
    assert [each.execution_id for each in found] == ["0", "1", "2"]
    assert [request.url.query.decode().partition("&")[0] for request in opened.asked] == wanted


# What dialer.toml says


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"base_url": None}, r"accounts\.mine\.base_url is missing"),
        ({"call": None}, r"the section \[accounts\.mine\.call\] is missing"),
        ({"call.path": None}, r"accounts\.mine\.call\.path is missing"),
        ({"call.path": "calls"}, r"call\.path = 'calls', expected a path that starts with /"),
        ({"call.methd": "POST"}, r"call\.methd is not a key \(did you mean 'method'\?\)"),
        ({"calls.recods": "x"}, r"calls\.recods is not a key \(did you mean 'records'\?\)"),
        ({"call.method": "SEND"}, r"call\.method = 'SEND', expected"),
        ({"call.placed": [2000]}, r"call\.placed\[0\] = 2000, expected at most 599"),
        (
            {"call.body": {"to": "{fone}"}},
            r"call\.body\.to: nothing is called \{fone\} \(did you mean 'phone'",
        ),
        (
            {"call.body": {"a": [{"b": "{phone"}]}},
            r"call\.body\.a\[0\]\.b = .*a brace without its other half",
        ),
        ({"call.body": {"to": "{agent}"}}, r"no template names \{phone\}"),
        ({"call.method": "GET"}, r"call\.body: a GET has no body"),
        ({"call.execution_id": "data..id"}, r"call\.execution_id = 'data\.\.id': no path"),
        ({"call.execution_id": "data[x]"}, "no path"),
        ({"call.execution_id": "{attempt_id}"}, r"does not carry \{attempt_id\}"),
        ({"call.refused": [422], "call.not_placed": [422]}, "422 is in both refused and not_placed"),
        ({"call.headers": {"X-A": "{token}"}}, r"names \{token\}: write token"),
        (
            {"call.verdict": {"field": "r", "placed": ["ok"], "refused": ["OK"]}},
            "'OK' is in both placed and refused",
        ),
        ({"headers": {"Authorization": "Bearer abc123"}}, "a secret does not belong in a file"),
        ({"headers": {"Authorization": "Bearer {token}"}}, r"names \{token\}: write token"),
        ({"headers": {"X Y": "1"}}, "no name of a header"),
        ({"headers": {"X-Key": "env:NOT_SET_ANYWHERE"}}, "NOT_SET_ANYWHERE is not set"),
        ({"calls.path": "/c?p={page}&o={offset}"}, "says which page is meant"),
        ({"calls.path": "/c?p={cursor}"}, "next_cursor go together"),
        ({"calls.path": "/c?n={phone}"}, r"nothing is called \{phone\}"),
        ({"calls": None}, r"no way to learn what comes of a call; describe.*\[accounts\.mine\.calls\]"),
        ({"outcomes": None}, r"accounts\.mine\.outcomes is missing"),
        ({"outcomes.noanswer": ["x"]}, r"outcomes\.noanswer is no outcome \(did you mean 'no_answer'"),
        ({"outcomes.expired": ["x"]}, "expired is no outcome"),
        ({"outcomes.failed": ["Done"]}, "'Done' means both completed and failed"),
        ({"fields.phone": None}, "neither phone nor attempt_id"),
        ({"fields.status": "a b"}, r"fields\.status = 'a b': no path"),
        ({"look_up": {"path": "/c"}}, r"names neither \{phone\} nor \{attempt_id\}"),
        ({"one_call": {"path": "/c"}}, r"does not name \{execution_id\}"),
        ({"time_zone": "Mars/Base"}, "time_zone = 'Mars/Base', expected an IANA name"),
        ({"events": {"check": "hmac", "header": "X", "secret": "abc"}}, "env:NAME"),
        (
            {
                "events": {
                    "check": "hmac",
                    "header": "X",
                    "secret": "env:PATH",
                    "signed": "{timestamp}.{body}",
                }
            },
            "timestamp_header is missing",
        ),
        (
            {"calls": None, "events": {"check": "header", "header": "X", "secret": "env:PATH"}},
            "by a header alone prove nothing",
        ),
    ],
)
async def test_a_description_that_cannot_be_meant_is_refused_with_what_to_write(
    changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        async with gateway(described(changes), always(200, {})):
            pass
    assert "abc123" not in str(caught.value)


async def test_absence_is_no_proof_where_nothing_could_show_it() -> None:
    signed = {"check": "hmac", "header": "X-Sig", "secret": "env:BRIDGE_WEBHOOK_SECRET"}
    with pytest.raises(BadInput, match="absence_is_proof: there is no list"):
        async with gateway(
            described({"calls": None, "events": signed, "absence_is_proof": True}), always(200, {})
        ):
            pass


async def test_values_without_a_place_are_left_out_and_texts_are_escaped() -> None:
    body = {
        "to": "{phone}",
        "from": "{from_number}",
        "all": "{metadata}",
        "age": "{metadata.policy}",
        "note": "Hi {metadata.name}{metadata.city}, {{braces}}",
        "list": ["{metadata.city}", 1],
    }
    account = described({"call.body": body, "call.path": "/bots/{agent}/calls?ref={attempt_id}"})
    async with gateway(account, always(201, {"id": "x1"})) as opened:
        odd = Submission("a/1?", PHONE, "a b/c", None, CALL.metadata)
        await opened.provider.submit(odd)
    [request] = opened.asked
    assert request.url.raw_path == b"/bots/a%20b%2Fc/calls?ref=a%2F1%3F"
    assert orjson.loads(request.content) == {
        "to": PHONE,
        "all": {"name": "Asha", "policy": 7},
        "age": 7,
        "note": "Hi Asha, {braces}",
        "list": [1],
    }


async def test_a_gateway_can_what_it_describes_and_no_more() -> None:
    async with gateway(described(), always(200, {})) as opened:
        assert not isinstance(opened.provider, HearsEvents | TellsOfOne)
    full = {
        "one_call": {"path": "/c/{execution_id}", "record": "call"},
        "events": {"check": "header", "header": "X", "secret": "env:PATH"},
    }
    async with gateway(described(full), always(200, {"call": {"id": 7, "status": "DONE"}})) as opened:
        assert isinstance(opened.provider, HearsEvents)
        assert isinstance(opened.provider, TellsOfOne)
        found = await opened.provider.execution("7/8")
    assert found is not None
    assert found.outcome == "completed"
    assert opened.asked[0].url.raw_path == b"/c/7%2F8"


# Events


def sealed(body: bytes, at_s: int, secret: str = SECRET) -> dict[str, str]:
    signed = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return {"x-signature": f"sha256={signed}", "x-timestamp": str(at_s)}


NOTICE = orjson.dumps({"event_id": "e1", "dial": {"ref": "0190-attempt", "state": "busy"}})


async def test_a_signed_event_is_proof_of_what_it_says(tmp_path: Path) -> None:
    async with gateway(of_guide("bridge", tmp_path), always(200, {})) as opened:
        event = opened.provider.read_event(sealed(NOTICE, 1_790_000_000), NOTICE, 1_790_000_200.0)
    assert (event.event_id, event.proof) == ("e1", True)
    assert event.execution is not None
    assert (event.execution.attempt_id, event.execution.outcome) == ("0190-attempt", "busy")


@pytest.mark.parametrize(
    ("headers", "body", "now_s", "told"),
    [
        ({}, NOTICE, 1_790_000_000.0, "no header X-Signature"),
        (sealed(NOTICE, 1_790_000_000, "other"), NOTICE, 1_790_000_000.0, "not from the gateway"),
        (sealed(NOTICE, 1_790_000_000), NOTICE.replace(b"busy", b"done"), 1_790_000_000.0, "not from"),
        (sealed(NOTICE, 1_790_000_000), NOTICE, 1_790_000_301.0, "stale"),
        (sealed(NOTICE, 1_790_000_000), NOTICE, 1_789_999_699.0, "stale"),
        (sealed(NOTICE, 1_790_000_000) | {"x-timestamp": "soon"}, NOTICE, 1_790_000_000.0, "no moment"),
        (sealed(b"{", 1_790_000_000), b"{", 1_790_000_000.0, "no JSON"),
    ],
)
async def test_an_event_that_is_forged_changed_stale_or_broken_is_refused(
    tmp_path: Path, headers: dict[str, str], body: bytes, now_s: float, told: str
) -> None:
    async with gateway(of_guide("bridge", tmp_path), always(200, {})) as opened:
        with pytest.raises(EventRefused, match=told) as caught:
            opened.provider.read_event(headers, body, now_s)
    assert caught.value.status == (400 if told == "no JSON" else 403)
    assert SECRET not in str(caught.value)


async def test_a_secret_in_a_header_is_heard_and_proves_nothing() -> None:
    events = {"check": "header", "header": "Authorization", "prefix": "Bearer ", "secret": "env:SAN_API_KEY"}
    async with gateway(described({"events": events}), always(200, {})) as opened:
        event = opened.provider.read_event({"authorization": f"Bearer {KEY}"}, b'{"id": 7}', 0.0)
        again = opened.provider.read_event({"authorization": f"Bearer {KEY}"}, b'{"id": 7}', 9.0)
        for wrong in (KEY, f"Bearer {KEY}x", "Bearer "):
            with pytest.raises(EventRefused):
                opened.provider.read_event({"authorization": wrong}, b'{"id": 7}', 0.0)
    assert event.proof is False
    assert event.event_id == again.event_id


async def test_a_signature_may_be_base64_of_another_hash() -> None:
    events = {"check": "hmac", "header": "X-Sig", "secret": "env:SAN_API_KEY"}
    events |= {"algorithm": "sha512", "encoding": "base64"}
    signature = base64.b64encode(hmac.new(KEY.encode(), b"[]", "sha512").digest()).decode()
    async with gateway(described({"events": events}), always(200, {})) as opened:
        assert opened.provider.read_event({"x-sig": signature}, b"[]", 0.0).execution is None


def test_every_key_is_in_the_models_documentation_and_every_section_in_the_guide() -> None:
    guide = GUIDE.read_text("utf-8")
    from dialer.providers.gateway.options import GatewayOptions

    for name, field in GatewayOptions.model_fields.items():
        assert field.description, name
        if isinstance(LEAST.get(name, {}), dict) and name not in ("clock_margin_s",):
            assert name in guide, name


def test_the_simulators_description_of_itself_is_a_dialer_toml() -> None:
    from dialer.simulator.gateway import describe

    account = tomllib.loads(describe("http://127.0.0.1:1", "t"))["accounts"]["gateway"]
    Gateway(
        Account(name="gateway", **account | {"token": SecretStr("t"), "events": None}),
        httpx.AsyncClient(transport=httpx.AsyncBaseTransport(), trust_env=False),
        ManualClock(),
        lambda: None,  # type: ignore[arg-type, return-value]
    )


async def test_calls_need_no_webhook_secret_and_without_it_no_delivery_is_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BRIDGE_WEBHOOK_SECRET", raising=False)
    plain = {"check": "header", "header": "X-Secret", "secret": "env:BRIDGE_WEBHOOK_SECRET"}
    async with gateway(described({"events": plain}), always(201, {"id": "x1"})) as opened:
        assert (await opened.provider.submit(CALL)).execution_id == "x1"
        for headers in ({}, {"x-secret": ""}):
            with pytest.raises(BadInput, match="BRIDGE_WEBHOOK_SECRET"):
                opened.provider.read_event(headers, b"{}", 0.0)
