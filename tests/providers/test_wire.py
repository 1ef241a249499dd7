"""Reading with patience: waits, repeats, and giving up with a reason."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Iterable
from email.utils import formatdate

import httpx
import pytest

from dialer.base.clock import ManualClock
from dialer.base.errors import NotReady
from dialer.providers.wire import TRIES, Speaker, ask, code_of, exchange, readable, retry_after_s

pytestmark = pytest.mark.anyio

WHO = Speaker("spring", "UnleashX", ("hush",))
NOW_US = ManualClock().now_us()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("999999999", 3600.0),
        (formatdate(NOW_US / 1e6 + 42, usegmt=True), 42.0),
        (formatdate(NOW_US / 1e6 - 42, usegmt=True), 0.0),
        (formatdate(NOW_US / 1e6 + 1e6, usegmt=True), 3600.0),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("1e9", None),
        ("٧", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_too_long(text: str, seconds: float | None) -> None:
    assert retry_after_s(httpx.Headers({"retry-after": text.encode()}), NOW_US) == seconds


def test_no_retry_after_is_no_wait() -> None:
    assert retry_after_s(httpx.Headers(), NOW_US) is None


@pytest.mark.parametrize(
    ("cause", "code"),
    [(ConnectionRefusedError(), "connect_refused"), (ssl.SSLError(), "tls_error"), (None, "connect_error")],
)
def test_an_error_is_named_by_what_caused_it(cause: Exception | None, code: str) -> None:
    error = httpx.ConnectError("no")
    error.__cause__ = cause
    assert code_of(error) == code


def test_foreign_words_become_one_short_line_without_secrets() -> None:
    assert readable("a\n\tb\x1b[31m hush", ("hush", "")) == "a b [31m (hidden)"
    assert len(readable("x" * 1000)) == 300


class Server:
    """Answers one after the other, and counts."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers: Iterable[httpx.Response | Exception] = iter(answers)
        self.asked = self.paced = 0
        self.clock = ManualClock()

    def answer(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        answer = next(iter(self.answers))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def pace(self) -> None:
        self.paced += 1

    async def ask(self) -> object:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.answer)) as client:
            request = httpx.Request("GET", "https://provider.example/list")
            return await ask(client, request, who=WHO, clock=self.clock, pace_request=self.pace)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(503),
        httpx.Response(408),
        httpx.Response(200, content=b'{"datalist": ['),
        httpx.ReadTimeout("no"),
        httpx.RemoteProtocolError("no"),
        httpx.ConnectError("no"),
    ],
)
async def test_trouble_that_may_pass_is_asked_again_and_every_try_is_paced(
    trouble: httpx.Response | Exception,
) -> None:
    server = Server(trouble, trouble, httpx.Response(200, json={"datalist": []}))
    assert await server.ask() == {"datalist": []}
    assert (server.asked, server.paced) == (3, 3)
    assert 1.0 <= (server.clock.now_us() - NOW_US) / 1e6 <= 4.0


async def test_retry_after_is_honoured_but_never_beyond_a_minute() -> None:
    server = Server(
        httpx.Response(429, headers={"retry-after": "9"}),
        httpx.Response(429, headers={"retry-after": "3000"}),
        httpx.Response(200, json=[]),
    )
    await server.ask()
    assert (server.clock.now_us() - NOW_US) / 1e6 == 69.0


async def test_it_gives_up_with_the_last_reason() -> None:
    server = Server(*[httpx.Response(502)] * TRIES)
    with pytest.raises(NotReady, match=rf"'spring'.*{TRIES} times over: it answered 502; try again later"):
        await server.ask()
    assert server.asked == TRIES


@pytest.mark.parametrize(
    ("status", "advice"), [(401, "token"), (403, "token"), (402, "balance"), (404, "base_url")]
)
async def test_a_refusal_is_not_asked_again(status: int, advice: str) -> None:
    server = Server(httpx.Response(status))
    with pytest.raises(NotReady, match=advice):
        await server.ask()
    assert server.asked == 1


async def test_an_exchange_leaves_nothing_for_the_collector() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"ok": True}))
    async with httpx.AsyncClient(transport=transport, base_url="https://provider.test") as client:
        first = await exchange(client, client.build_request("POST", "/call"), WHO)
        gc.collect()
        gc.disable()
        try:
            answers = [await exchange(client, client.build_request("POST", "/call"), WHO) for _ in range(20)]
            read = [answer.json() for answer in [first, *answers]]
            del answers
            found = gc.collect()
        finally:
            gc.enable()
    assert read == [{"ok": True}] * 21
    assert found < 20  # a ring in each would be some twenty objects a call
