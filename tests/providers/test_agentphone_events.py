"""AgentPhone's webhooks: who is believed, and what a delivery says."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from dialer.base.clock import ManualClock
from dialer.base.errors import BadInput
from dialer.base.settings import Account
from dialer.providers.abilities import EventRefused, HearsEvents
from dialer.providers.agentphone.provider import AgentPhone
from dialer.providers.agentphone.records import OUTCOME_OF_REASON, outcome_of
from dialer.providers.provider import OUTCOMES

NOW_S = 1_790_000_000
OLD, NEW = "whsec_old_77", "whsec_new_88"

ENDED: dict[str, Any] = {
    "event": "agent.call_ended",
    "channel": "voice",
    "timestamp": "2026-04-19T17:21:25Z",
    "agentId": "agt_abc123",
    "data": {
        "callId": "call_7f3a91",
        "numberId": "num_xyz789",
        "from": "+14155551234",
        "to": "+14155559999",
        "direction": "outbound",
        "status": "completed",
        "startedAt": "2026-04-19T17:20:11Z",
        "endedAt": "2026-04-19T17:21:24Z",
        "durationSeconds": 73,
        "disconnectionReason": "agent_hangup",
        "transcript": [{"role": "agent", "content": "Hi Asha"}, {"role": "user", "content": "Thanks, bye."}],
        "summary": "Appointment confirmed.",
        "userSentiment": "Positive",
        "callSuccessful": True,
    },
    "conversationState": None,
    "recentHistory": [],
}


def signed(body: bytes, secret: str = NEW, at_s: int = NOW_S, delivery_id: str = "d-1") -> dict[str, str]:
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "x-webhook-id": delivery_id,
        "x-webhook-timestamp": str(at_s),
        "x-webhook-signature": f"sha256={digest}",
    }


@pytest.fixture
def provider(tmp_path: Path) -> AgentPhone:
    """An account while its secret is being changed: the old and the new one are valid."""
    (tmp_path / "old").write_text(OLD)
    (tmp_path / "new").write_text(NEW + "\n")
    return opened(webhook_secret=[f"file:{tmp_path / 'old'}", f"file:{tmp_path / 'new'}"])


def opened(**keys: Any) -> AgentPhone:
    async def pace() -> None:
        return None

    account = Account(name="spring", provider="agentphone", token=SecretStr("sk_live_1"), **keys)
    nowhere = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    return AgentPhone(account, nowhere, ManualClock(), pace)


def test_a_call_that_ended_is_told_with_all_that_the_event_knows(provider: AgentPhone) -> None:
    assert isinstance(provider, HearsEvents)
    body = orjson.dumps(ENDED)
    event = provider.read_event(signed(body), body, NOW_S)
    told = event.execution
    assert told is not None
    assert (event.event_id, event.kind, event.proof) == ("d-1", "agent.call_ended", True)
    assert "call_7f3a91:agent.call_ended" in event.duplicate_keys
    assert (told.execution_id, told.provider_ref, told.agent) == ("call_7f3a91", "call_7f3a91", "agt_abc123")
    assert (told.outcome, told.status) == ("completed", "completed: agent_hangup")
    assert (told.duration_s, told.sentiment, told.disposition) == (73.0, "Positive", "successful")
    assert told.transcript == "agent: Hi Asha\nuser: Thanks, bye."
    assert told.ended_at_us is not None
    assert told.created_at_us is not None
    assert told.ended_at_us - told.created_at_us == 73_000_000
    assert told.phone is None, "which side `from` is in an outbound event is not documented"


def test_either_secret_is_valid_while_it_is_changed(provider: AgentPhone) -> None:
    body = orjson.dumps(ENDED)
    for secret in (OLD, NEW):
        assert provider.read_event(signed(body, secret), body, NOW_S).execution is not None


@pytest.mark.parametrize("delay_s", [-300, 300])
def test_a_delivery_of_five_minutes_is_still_fresh(provider: AgentPhone, delay_s: int) -> None:
    body = orjson.dumps(ENDED)
    assert provider.read_event(signed(body), body, NOW_S + delay_s).event_id == "d-1"


def test_what_did_not_come_from_the_provider_just_now_is_refused(provider: AgentPhone) -> None:
    body = orjson.dumps(ENDED)
    good = signed(body)
    bad: list[tuple[dict[str, str], bytes, float]] = [
        (signed(body, "whsec_of_somebody_else"), body, NOW_S),
        (good, body + b" ", NOW_S),
        (good | {"x-webhook-timestamp": str(NOW_S + 1)}, body, NOW_S),
        (good | {"x-webhook-timestamp": "now"}, body, NOW_S),
        (good | {"x-webhook-signature": ""}, body, NOW_S),
        (good | {"x-webhook-signature": good["x-webhook-signature"][7:]}, body, NOW_S),
        (good | {"x-webhook-signature": good["x-webhook-signature"].upper()}, body, NOW_S),
        (good | {"x-webhook-signature": "sha256=\xff"}, body, NOW_S),
        ({key: value for key, value in good.items() if key != "x-webhook-signature"}, body, NOW_S),
        ({key: value for key, value in good.items() if key != "x-webhook-timestamp"}, body, NOW_S),
        (good, body, NOW_S + 301),
        (good, body, NOW_S - 301),
        ({}, body, NOW_S),
    ]
    for headers, sent, now_s in bad:
        with pytest.raises(EventRefused) as caught:
            provider.read_event(headers, sent, now_s)
        assert caught.value.status == 403
        assert NEW not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"{}", b'{"event": 7}'])
def test_a_signed_body_that_cannot_be_read_is_a_bad_request(provider: AgentPhone, body: bytes) -> None:
    with pytest.raises(EventRefused) as caught:
        provider.read_event(signed(body), body, NOW_S)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "event",
    [
        ENDED | {"test": True},
        ENDED | {"event": "call.ended"},
        ENDED | {"event": "agent.message", "data": {"callId": "call_1", "transcript": "Yes"}},
        ENDED | {"data": None},
        ENDED | {"data": {"callId": {"nested": 1}}},
    ],
)
def test_an_event_that_says_nothing_of_a_call_that_ended_is_taken_and_left(
    provider: AgentPhone, event: dict[str, Any]
) -> None:
    body = orjson.dumps(event)
    assert provider.read_event(signed(body), body, NOW_S).execution is None


def test_an_old_event_under_a_new_id_is_still_known_by_its_call(provider: AgentPhone) -> None:
    body = orjson.dumps(ENDED)
    first = provider.read_event(signed(body, delivery_id="d-1"), body, NOW_S)
    again = provider.read_event(signed(body, delivery_id="d-2"), body, NOW_S)
    assert first.event_id != again.event_id
    assert set(first.duplicate_keys) == set(again.duplicate_keys)


def test_without_a_secret_nothing_is_believed_and_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    body = orjson.dumps(ENDED)
    with pytest.raises(EventRefused, match="webhook_secret is missing") as caught:
        opened().read_event(signed(body), body, NOW_S)
    assert caught.value.status == 503
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    with pytest.raises(EventRefused, match="NO_SUCH_SECRET"):
        opened(webhook_secret="env:NO_SUCH_SECRET").read_event(signed(body), body, NOW_S)
    with pytest.raises(BadInput, match="where the secret is kept"):
        opened(webhook_secret=OLD)


def test_every_reason_has_an_outcome_of_ours_and_an_unknown_one_keeps_the_status() -> None:
    assert set(OUTCOME_OF_REASON.values()) <= set(OUTCOMES)
    assert outcome_of("completed", "voicemail_reached") == "voicemail"
    assert outcome_of("completed", "dial_no_answer") == "no_answer"
    assert outcome_of("completed", "error_llm_websocket_open") == "failed"
    assert outcome_of("completed", "something_new") == "completed"
    assert outcome_of("failed", "something_new") == "failed"
    assert [outcome_of(each) for each in ("in-progress", "ringing", "queued", "")] == [None] * 4
    assert [outcome_of(each) for each in ("no-answer", "Busy", "FAILED")] == ["no_answer", "busy", "failed"]


def test_an_unknown_reason_is_kept_in_the_raw_status(provider: AgentPhone) -> None:
    body = orjson.dumps(
        ENDED | {"data": {**ENDED["data"], "disconnectionReason": "new_word", "callSuccessful": None}}
    )
    told = provider.read_event(signed(body), body, NOW_S).execution
    assert told is not None
    assert (told.status, told.outcome, told.disposition) == ("completed: new_word", "completed", None)
