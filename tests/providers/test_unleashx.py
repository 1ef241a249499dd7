"""Placing a call at UnleashX: what leaves, and what each answer proves."""

from __future__ import annotations

from dataclasses import replace
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
    Refused,
    SubmitError,
)
from dialer.providers.provider import Accepted, Submission
from dialer.providers.unleashx.provider import UnleashX
from tests.providers.scripted import CALL, PHONE, TOKEN, account, scripted

pytestmark = pytest.mark.anyio

GOOD = {
    "success": True,
    "message": "Call initiated successfully",
    "data": {"execution_id": "550e8400-e29b-41d4-a716-446655440000", "call_status": "initiated"},
}
INNER = {"execution_id": "550e8400-e29b-41d4-a716-446655440000"}


async def outcome(response: httpx.Response | Exception, call: Submission = CALL, **keys: Any) -> Any:
    """What becomes of a submission that is answered so: Accepted, or the error."""

    def answer(_: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    async with scripted(answer, **keys) as opened:
        try:
            return await opened.provider.submit(call)
        except SubmitError as error:
            return error


async def test_one_request_leaves_as_the_page_documents_it() -> None:
    async with scripted(lambda _: httpx.Response(200, json=GOOD)) as opened:
        accepted = await opened.provider.submit(CALL)
    [request] = opened.asked
    assert accepted == Accepted("550e8400-e29b-41d4-a716-446655440000", 200, "initiated")
    assert str(request.url) == "https://provider.example/api/v1/global/agents/call"
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert orjson.loads(request.content) == {
        "agent_id": 962,
        "phone_number": PHONE,
        "metadata": {"customer_id": "CUST001", "dialer_attempt_id": "0190-attempt"},
    }
    assert opened.paced == 0, "the worker paces submissions itself"


@pytest.mark.parametrize(
    ("style", "header", "value"),
    [
        ("token", "token", TOKEN),
        ("api_access_token", "api_access_token", TOKEN),
        ("authorization", "authorization", TOKEN),
        ("bearer", "authorization", f"Bearer {TOKEN}"),
    ],
)
async def test_exactly_one_header_carries_the_token(style: str, header: str, value: str) -> None:
    async with scripted(lambda _: httpx.Response(200, json=GOOD), auth_style=style) as opened:
        await opened.provider.submit(CALL)
    [request] = opened.asked
    assert request.headers[header] == value
    assert [name for name, value in request.headers.items() if TOKEN in value] == [header]


async def test_our_attempt_id_wins_over_metadata_of_the_same_name() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert orjson.loads(request.content)["metadata"] == {"ref": CALL.attempt_id}
        return httpx.Response(200, json=GOOD)

    async with scripted(answer, attempt_id_key="ref") as opened:
        await opened.provider.submit(replace(CALL, metadata={"ref": "theirs"}))
    assert len(opened.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        {"error": False, "code": 200, "message": "ok", "timestamp": 1769244619292, "data": INNER},
        {"error": False, "code": 200, "data": {"success": True, "message": "ok", "data": INNER}},
        INNER,
        {"error": None, "data": {"execution_id": " 550e8400-e29b-41d4-a716-446655440000\n"}},
    ],
    ids=["A", "B", "A-in-B", "C", "padded"],
)
async def test_every_envelope_is_opened(body: dict[str, Any]) -> None:
    accepted = await outcome(httpx.Response(200, json=body))
    assert isinstance(accepted, Accepted)
    assert accepted.execution_id == "550e8400-e29b-41d4-a716-446655440000"


async def test_an_execution_id_that_is_a_number_is_kept_as_text() -> None:
    accepted = await outcome(httpx.Response(201, json={"success": True, "data": {"execution_id": 48213}}))
    assert accepted == Accepted("48213", 201, None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"<html>Please wait</html>", "not_json"),
        (orjson.dumps(GOOD)[:-20], "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"null", "not_json"),
        (b"[1, 2]", "not_json"),
        (b'"550e8400-e29b-41d4-a716-446655440000"', "not_json"),
        (b'{"success": true, "data": null}', "no_execution_id"),
        (b'{"success": true, "data": {"execution_id": ""}}', "no_execution_id"),
        (b'{"success": true, "data": {"execution_id": null}}', "no_execution_id"),
        (b'{"success": true, "data": {"execution_id": true}}', "no_execution_id"),
        (b'{"success": true, "data": {"execution_id": {}}}', "no_execution_id"),
        (b'{"success": true, "data": {"execution_id": "a\\u0000b"}}', "no_execution_id"),
        (b'{"success": true, "data": [{"execution_id": "x"}]}', "no_execution_id"),
        (orjson.dumps({"success": True, "data": {"execution_id": "x" * 201}}), "no_execution_id"),
        (b'{"error": true, "message": "no", "data": {"execution_id": "x"}}', "error_true"),
        (b'{"error": "true", "data": {"execution_id": "x"}}', "error_true"),
        (b'{"success": false, "data": {"execution_id": "x"}}', "success_false"),
        (b'{"error": false, "code": 500, "data": {"execution_id": "x"}}', "success_false"),
        (b'{"error": false, "data": {"success": false, "data": {"execution_id": "x"}}}', "success_false"),
        (b'{"error": true, "message": "Invalid Auth Key or Session Expired"}', "error_true"),
    ],
)
async def test_a_success_without_a_usable_id_may_have_been_dialled(body: bytes, code: str) -> None:
    error = await outcome(httpx.Response(200, content=body))
    assert type(error) is MaybeDialled
    assert (error.code, error.http_status) == (code, 200)


@pytest.mark.parametrize(
    ("status", "message", "kind", "code"),
    [
        (400, "Phone Number is required", Refused, "phone_missing"),
        (422, "Validation error message", Refused, "http_422"),
        (400, "Something about this row", Refused, "http_400"),
        (413, "", Refused, "http_413"),
        (400, "Agent ID is required", AccountStopped, "agent_missing"),
        (401, "Invalid Auth Key or Session Expired", AccountStopped, "unauthorized"),
        (400, "Invalid Auth Key or Session Expired", AccountStopped, "unauthorized"),
        (401, "", AccountStopped, "http_401"),
        (403, "", AccountStopped, "http_403"),
        (404, "Agent not found or not active", AccountStopped, "agent_not_found"),
        (422, "Agent not found or not active", AccountStopped, "agent_not_found"),
        (402, "Insufficient balance", AccountStopped, "http_402"),
        (404, "<no such page>", AccountStopped, "http_404"),
        (405, "", AccountStopped, "http_405"),
        (408, "", MaybeDialled, "http_408"),
        (409, "Agent not found or not active", MaybeDialled, "http_409"),
        (425, "", MaybeDialled, "http_425"),
        (418, "", MaybeDialled, "http_418"),
        (499, "", MaybeDialled, "http_499"),
        (301, "", MaybeDialled, "http_301"),
        (307, "", MaybeDialled, "http_307"),
        (500, "Agent not found or not active", MaybeDialled, "http_500"),
        (502, "", MaybeDialled, "http_502"),
        (503, "", MaybeDialled, "http_503"),
        (504, "", MaybeDialled, "http_504"),
        (599, "", MaybeDialled, "http_599"),
    ],
)
async def test_each_status_has_its_certainty(
    status: int, message: str, kind: type[SubmitError], code: str
) -> None:
    error = await outcome(httpx.Response(status, json={"error": True, "message": message}))
    assert type(error) is kind
    assert (error.code, error.http_status) == (code, status)
    assert message in str(error)


async def test_a_refusal_with_a_page_of_html_is_still_a_refusal() -> None:
    error = await outcome(httpx.Response(400, content=b"<html>Bad Request</html>"))
    assert type(error) is Refused


async def test_a_503_means_not_dialled_only_where_the_account_says_so() -> None:
    response = httpx.Response(503, headers={"retry-after": "5"})
    error = await outcome(response, status_503="not_dialled")
    assert type(error) is NotDialled
    assert (error.retry_after_s, error.throttled) == (5.0, False)


async def test_a_429_without_retry_after_asks_for_no_special_wait() -> None:
    error = await outcome(httpx.Response(429))
    assert type(error) is NotDialled
    assert (error.throttled, error.retry_after_s) == (True, None)


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        (httpx.ConnectError("no"), NotDialled, "connect_error"),
        (httpx.ConnectTimeout("no"), NotDialled, "connect_timeout"),
        (httpx.PoolTimeout("no"), NotDialled, "pool_timeout"),
        (httpx.UnsupportedProtocol("no"), NotDialled, "unsupported_protocol"),
        (httpx.ReadTimeout("no"), MaybeDialled, "read_timeout"),
        (httpx.WriteTimeout("no"), MaybeDialled, "write_timeout"),
        (httpx.ReadError("no"), MaybeDialled, "read_error"),
        (httpx.WriteError("no"), MaybeDialled, "write_error"),
        (httpx.RemoteProtocolError("no"), MaybeDialled, "remote_protocol_error"),
        (httpx.DecodingError("no"), MaybeDialled, "decoding_error"),
        (OSError("foreign"), MaybeDialled, "oserror"),
        (RuntimeError("foreign"), MaybeDialled, "runtime_error"),
    ],
)
async def test_only_an_error_before_the_first_byte_is_surely_not_dialled(
    failure: Exception, kind: type[SubmitError], code: str
) -> None:
    error = await outcome(failure)
    assert type(error) is kind
    assert error.code == code
    assert error.__cause__ is failure


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(307, headers={"location": "https://elsewhere.example/steal"})

    async with scripted(answer) as opened:
        with pytest.raises(MaybeDialled):
            await opened.provider.submit(CALL)
    assert [request.url.host for request in opened.asked] == ["provider.example"]


async def test_words_of_the_provider_come_without_number_token_and_line_breaks() -> None:
    said = f"Invalid {PHONE} / {PHONE[1:]}\nfor token {TOKEN}\x00 " + "very " * 200
    error = await outcome(httpx.Response(422, json={"error": True, "message": said}))
    assert "Invalid (hidden) / (hidden) for token (hidden)" in str(error)
    assert TOKEN not in str(error)
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    "phone", ["9876543210", "+91 98765 43210", "+0123456789", "+12", "", "+٩١٩٨٧٦٥٤٣٢١٠"]
)
async def test_what_is_not_strict_e164_is_refused_unsent(phone: str) -> None:
    async with scripted(lambda _: httpx.Response(200, json=GOOD)) as opened:
        with pytest.raises(Refused) as caught:
            await opened.provider.submit(replace(CALL, phone=phone))
    assert caught.value.code == "not_e164"
    assert opened.asked == []


async def test_metadata_that_is_no_json_is_refused_unsent() -> None:
    error = await outcome(httpx.Response(200, json=GOOD), replace(CALL, metadata={"odd": object()}))
    assert type(error) is Refused
    assert error.code == "metadata_not_json"


async def test_a_caller_id_is_refused_because_it_would_be_ignored() -> None:
    error = await outcome(httpx.Response(200, json=GOOD), replace(CALL, from_number="+918062810341"))
    assert type(error) is AccountStopped
    assert "from_numbers" in str(error)


@pytest.mark.parametrize("agent", ["agent_abc123xyz", "", "0", "-1", "9.5", "٩٦٢", "962 "])
async def test_an_agent_that_is_no_whole_number_is_refused_unsent(agent: str) -> None:
    async with scripted(lambda _: httpx.Response(200, json=GOOD)) as opened:
        with pytest.raises(BadInput, match="whole number"):
            opened.provider.check_agent(agent)
        with pytest.raises(AccountStopped):
            await opened.provider.submit(replace(CALL, agent=agent))
    assert opened.asked == []


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"auth_stile": "token"}, "accounts.spring.auth_stile.*did you mean 'auth_style'"),
        ({"time_out_s": 3}, "did you mean 'timeout_s'"),
        ({"auth_style": "basic"}, "accounts.spring.auth_style: .*'bearer'"),
        ({"page_size": 0}, "accounts.spring.page_size"),
        ({"time_zone": "Mars/Olympus"}, "accounts.spring.time_zone: .*Asia/Kolkata"),
        ({"token": None}, "accounts.spring.token"),
    ],
)
async def test_a_wrong_key_of_the_account_is_told_before_anything_is_sent(
    keys: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        async with scripted(lambda _: httpx.Response(200), **keys):
            pass


@pytest.mark.parametrize("secret", ["two words", "line\nbreak", "größe", " "])
async def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(BadInput, match=r"accounts\.spring\.token") as caught:
        async with scripted(lambda _: httpx.Response(200), token=SecretStr(secret)):
            pass
    assert not secret.strip() or secret not in str(caught.value)


async def test_the_provider_shows_no_secret_of_its_account() -> None:
    async with scripted(lambda _: httpx.Response(200)) as opened:
        assert TOKEN not in repr(opened.provider)
        assert TOKEN not in repr(vars(opened.provider)["_who"])


async def test_a_base_url_with_a_path_and_a_slash_keeps_its_path() -> None:
    async with scripted(lambda _: httpx.Response(200, json=GOOD), base_url="http://127.0.0.1:9/x/") as opened:
        await opened.provider.submit(CALL)
    assert str(opened.asked[0].url) == "http://127.0.0.1:9/x/api/v1/global/agents/call"


def test_the_documented_address_is_the_default() -> None:
    assert account(base_url=None).base_url is None
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    opened = UnleashX(account(base_url=None), client, ManualClock(), _no_pace)
    assert str(vars(opened)["_call_url"]) == "https://www.tryunleashx.com/api/v1/global/agents/call"


async def _no_pace() -> None:
    return None
