"""One HTTP exchange turned into certainty: what every provider that speaks HTTP shares.

`exchange` sends a submission once; `error_of_status` says what a status proves where the provider
documents nothing else; `ask` reads a list, which is safe to repeat.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from dialer.base.clock import Clock
from dialer.base.errors import AccountStopped, MaybeDialled, NotDialled, NotReady, Refused, SubmitError
from dialer.providers.provider import PaceRequest
from dialer.providers.transport import bytes_left

RETRY_AFTER_S_MAX = 3600.0
"""A provider that asks for a longer wait is asked again after this long."""

TRIES = 4
"""Requests for one page of a list, at most."""

TEXT_MAX = 300
"""Characters of a provider's own words in an error message."""

NOTHING_MORE = httpx.ByteStream(b"")

NOTHING_MORE = httpx.ByteStream(b"")

Unsure = Literal["unknown", "not_dialled"]

ACCOUNT_STATUSES = frozenset({401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 421, 426, 451})
"""Answers that every further call would get too: token, balance, path, protocol."""

ROW_STATUSES = frozenset({400, 413, 414, 422, 431})
"""Answers that are about this request's own content."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whom an error message is about, and what it must never repeat (the token)."""

    account: str
    provider: str
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Speaker({self.account!r}, {self.provider!r})"

    def __str__(self) -> str:
        return f"account '{self.account}': {self.provider}"


async def exchange(client: httpx.AsyncClient, request: httpx.Request, who: Speaker) -> httpx.Response:
    """Send the request once and return the whole answer, whatever its status.

    Raises:
        NotDialled: surely not a byte of it left.
        MaybeDialled: any other failure.
    """
    try:
        response = await client.send(request, follow_redirects=False)
    except Exception as error:
        raise error_of_transport(error, who) from error
    # httpx ties the answer and its stream into a ring. It has been read; without the ring the answer, the
    # request and all that hangs on them go at once, and the collector finds nothing to do.
    response.stream = NOTHING_MORE
    return response


def error_of_transport(error: Exception, who: Speaker) -> SubmitError:
    """Return what a failure on the way means for the call."""
    code = code_of(error)
    said = readable(str(error), who.secrets)
    what = f"{code}{': ' if said else ''}{said}"
    if bytes_left(error):
        return MaybeDialled(f"{who} gave no usable answer ({what}); the call may have been placed", code=code)
    return NotDialled(f"{who} could not be reached ({what}); no call was placed", code=code)


def error_of_status(
    response: httpx.Response, said: str, who: Speaker, now_us: int, status_503: Unsure = "unknown"
) -> SubmitError:
    """Return what an answer that is not a success means where the provider documents nothing else.

    Statuses that are about the request as such prove that no call was placed. 408, 409 and 425, 5xx,
    redirects and numbers nobody knows may come from a layer that has passed the request on.
    """
    status = response.status_code
    code = f"http_{status}"
    answered = f"{who} answered {status}" + (f" ({said})" if said else "")
    if status == 429:
        return NotDialled(
            f"{answered}: too many requests; the account slows down",
            code=code,
            http_status=status,
            retry_after_s=retry_after_s(response.headers, now_us),
            throttled=True,
        )
    if status == 503 and status_503 == "not_dialled":
        wait_s = retry_after_s(response.headers, now_us)
        return NotDialled(
            f"{answered}: no call was placed, as status_503 says",
            code=code,
            http_status=status,
            retry_after_s=wait_s,
        )
    if status in ACCOUNT_STATUSES:
        return AccountStopped(f"{answered}; {_advice(status)}", code=code, http_status=status)
    if status in ROW_STATUSES:
        return Refused(f"{answered}; the call is not sent again", code=code, http_status=status)
    return MaybeDialled(f"{answered}; the call may have been placed", code=code, http_status=status)


def code_of(error: BaseException) -> str:
    """Return a short word for a failure on the way: `connect_refused`, `read_timeout`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return "connect_refused"
        if isinstance(cause, socket.gaierror):
            return "no_address"
        if isinstance(cause, ssl.SSLError):
            return "tls_error"
        cause = cause.__cause__
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()


def read_json(body: bytes) -> Any:
    """Return what the body says, or None where it is not JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def message_in(answer: Any) -> str:
    """Return the words of an answer for people, under whatever key they usually stand."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list):
        return "; ".join(filter(None, map(message_in, answer)))
    if isinstance(answer, dict):
        for name in ("message", "error", "detail", "errors", "msg"):
            if answer.get(name) and (words := message_in(answer[name])).strip():
                return words
    return ""


def readable(text: str, hide: Iterable[str] = ()) -> str:
    """Return foreign words fit for a message and a table: one line, short, without secrets or numbers."""
    for secret in hide:
        if secret:
            text = text.replace(secret, "(hidden)")
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def retry_after_s(headers: httpx.Headers, now_us: int) -> float | None:
    """Return the seconds that Retry-After asks for, from seconds or an HTTP date; None without one."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return min(float(text), RETRY_AFTER_S_MAX)
    try:
        until_s = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, until_s - now_us / 1e6), RETRY_AFTER_S_MAX)


class Declined(NotReady):
    """The provider was asked, and answered what it would answer again: a wrong token, a wrong address."""


class NotKnown(Declined):
    """The provider was asked, and answered 404: it knows nothing under that address."""


class _TryAgain(Exception):
    """A reading that failed in a way that may pass."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


async def ask(
    client: httpx.AsyncClient,
    request: httpx.Request,
    *,
    who: Speaker,
    clock: Clock,
    pace_request: PaceRequest,
) -> Any:
    """Return the JSON that a GET answers with; paced, and repeated while the trouble may pass.

    Raises:
        NotReady: there is no readable answer, and why; NotKnown where it is 404.
    """
    tries = AsyncRetrying(
        sleep=clock.sleep,
        stop=stop_after_attempt(TRIES),
        wait=_pause_s,
        retry=retry_if_exception_type(_TryAgain),
        reraise=True,
    )
    try:
        async for attempt in tries:
            with attempt:
                await pace_request()
                return await _ask_once(client, request, who, clock)
    except _TryAgain as error:
        raise NotReady(f"{who} could not be asked, {TRIES} times over: {error}; try again later") from error
    raise AssertionError("tenacity ends with a value or an error")


async def _ask_once(client: httpx.AsyncClient, request: httpx.Request, who: Speaker, clock: Clock) -> Any:
    try:
        response = await client.send(request, follow_redirects=False)
    except httpx.HTTPError as error:
        raise _TryAgain(f"{code_of(error)} {readable(str(error), who.secrets)}".strip()) from error
    status = response.status_code
    if status == 429 or status == 408 or status >= 500:
        raise _TryAgain(f"it answered {status}", retry_after_s(response.headers, clock.now_us()))
    if not 200 <= status < 300:
        kind = NotKnown if status == 404 else Declined
        # A list is asked about numbers, which its answer may repeat.
        said = re.sub(
            r"\+?[0-9]{7,}", "(number)", readable(message_in(read_json(response.content)), who.secrets)
        )
        answered = f"it answered {status}" + (f" ({said})" if said else "")
        raise kind(f"{who} could not be asked: {answered}; {_advice(status)}")
    body = read_json(response.content)
    if body is None and response.content.strip() != b"null":
        raise _TryAgain("its answer is not JSON")
    return body


_backoff_s = wait_exponential_jitter(multiplier=0.5, max=20.0, jitter=1.0)


def _pause_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked_s = error.wait_s if isinstance(error, _TryAgain) else None
    return _backoff_s(state) if asked_s is None else min(asked_s, 60.0)


def _advice(status: int) -> str:
    if status in (401, 403):
        return "check the token: what `token` of the account names in dialer.toml must hold a valid one"
    if status == 402:
        return "check the balance of the account"
    if 300 <= status < 400:
        return "check base_url: it leads to a redirect, which is not followed"
    return "check base_url, and that the agent exists"
