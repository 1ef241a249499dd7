"""Hamsa's webhooks: a shared secret in either reading, and events that are a reason to ask, never proof."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from dialer.base.clock import ManualClock
from dialer.providers.abilities import EventRefused
from dialer.providers.hamsa.provider import Hamsa
from tests.providers.test_hamsa import account

SECRET = "s3cret-93ab"
GOOD = {"authorization": f"Token {SECRET}"}

ENDED: dict[str, Any] = {
    "eventType": "call.ended",
    "callId": "call_uuid_12345",
    "timestamp": "2024-01-15T14:35:00.000Z",
    "agentId": "agent-1",
    "data": {
        "timestamp": "2024-01-15T14:35:00.000Z",
        "data": {
            "conversationId": "conv-123-abc",
            "conversationRecording": "https://recordings.example/rec.mp3",
            "transcription": [{"Agent": "Hello Asha"}, {"User": "Hello"}],
            "outcomeResult": {"attempt_ref": "01JQ8Z6Y3M9T", "address": '{"city":"Riyadh"}'},
        },
    },
}


async def _no_pace() -> None:
    return None


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Hamsa:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    client = httpx.AsyncClient(transport=httpx.AsyncBaseTransport(), trust_env=False)
    return Hamsa(account(webhook_secret="env:HOOK_SECRET"), client, ManualClock(), _no_pace)


def body(event: Any = ENDED) -> bytes:
    return orjson.dumps(event)


@pytest.mark.parametrize(
    "headers",
    [
        GOOD,
        {"token": SECRET},
        {"authorization": SECRET},
        {"authorization": f"Bearer {SECRET}"},
    ],
)
def test_every_reading_of_the_shared_secret_is_heard(provider: Hamsa, headers: dict[str, str]) -> None:
    assert provider.read_event(headers, body(), 0.0).kind == "call.ended"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Token"},
        {"authorization": f"Basic {SECRET}"},
        {"authorization": f"Token {SECRET}x"},
        {"token": SECRET.upper()},
        {"authorization": "Token \u00fc"},
    ],
)
def test_whoever_does_not_know_the_secret_is_refused(provider: Hamsa, headers: dict[str, str]) -> None:
    with pytest.raises(EventRefused, match="webhook secret") as caught:
        provider.read_event(headers, body(), 0.0)
    assert caught.value.status == 403
    assert SECRET not in str(caught.value)


def test_an_account_without_a_secret_hears_nothing() -> None:
    client = httpx.AsyncClient(transport=httpx.AsyncBaseTransport(), trust_env=False)
    deaf = Hamsa(account(), client, ManualClock(), _no_pace)
    with pytest.raises(EventRefused, match="webhook_secret"):
        deaf.read_event({"authorization": "Token "}, body(), 0.0)


def test_an_event_names_the_attempt_and_never_what_came_of_it(provider: Hamsa) -> None:
    event = provider.read_event(GOOD, body(ENDED | {"status": "COMPLETED"}), 0.0)
    assert event.proof is False
    assert event.execution is not None
    assert event.execution.attempt_id == "01JQ8Z6Y3M9T"
    assert event.execution.execution_id == "conv-123-abc"
    assert event.execution.outcome is None
    assert event.execution.recording_url == "https://recordings.example/rec.mp3"
    assert event.execution.transcript == "Agent: Hello Asha\nUser: Hello"


def test_the_same_event_is_known_again_and_another_moment_is_another_event(provider: Hamsa) -> None:
    first = provider.read_event(GOOD, body(), 0.0)
    again = provider.read_event({"token": SECRET}, orjson.dumps(ENDED, option=orjson.OPT_INDENT_2), 9e9)
    later = provider.read_event(GOOD, body(ENDED | {"timestamp": "2024-01-15T14:36:00.000Z"}), 0.0)
    assert first.event_id == again.event_id == "call_uuid_12345:call.ended:2024-01-15T14:35:00.000Z"
    assert first.event_id != later.event_id
    assert first.duplicate_keys != again.duplicate_keys


@pytest.mark.parametrize(
    ("event", "attempt_id", "execution_id"),
    [
        ({"eventType": "call.started", "data": {"params": {"attempt_ref": "a1"}}}, "a1", None),
        ({"eventType": "call.started", "data": {"params": '{"attempt_ref": "a1"}'}}, "a1", None),
        ({"eventType": "call.answered", "callId": "c1", "data": {}}, None, "c1"),
        ({"eventType": "call.ended", "callId": "c1", "data": {"data": {"jobId": "j1"}}}, None, "c1"),
        ({"eventType": "call.ended", "data": {"data": {"outcomeResult": {"attempt_ref": 7}}}}, None, None),
    ],
)
def test_an_event_with_fields_missing_says_what_it_can(
    provider: Hamsa, event: dict[str, Any], attempt_id: str | None, execution_id: str | None
) -> None:
    read = provider.read_event(GOOD, body(event), 0.0)
    said = read.execution
    assert (said and said.attempt_id, said and said.execution_id) == (attempt_id, execution_id)
    assert (said is None) == (attempt_id is None and execution_id is None)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b'"call.ended"'])
def test_what_is_no_json_object_is_unreadable(provider: Hamsa, raw: bytes) -> None:
    with pytest.raises(EventRefused) as caught:
        provider.read_event(GOOD, raw, 0.0)
    assert caught.value.status == 400


def test_params_are_never_evaluated(provider: Hamsa) -> None:
    deep = b'{"eventType":"call.ended","callId":"c","data":' + b'{"data":' * 500 + b"1" + b"}" * 500 + b"}"
    assert provider.read_event(GOOD, deep, 0.0).execution is not None
