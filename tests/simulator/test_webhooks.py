"""Webhooks of pretended providers: each fault does to a delivery just what its name says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from dialer.base.clock import SystemClock
from dialer.base.errors import BadInput
from dialer.simulator.config import WEBHOOK_FAULTS, SimulatorConfig
from dialer.simulator.webhooks import Delivery, Target, Webhooks

pytestmark = pytest.mark.anyio

CONFIG = SimulatorConfig(time_scale=1e6)
Take = Callable[[dict[str, str], bytes], int]


class Receiver:
    """A server that answers by `status`, keeps what it got, and waits until there is enough of it."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._came = asyncio.Condition()
        self.got: list[tuple[dict[str, str], bytes]] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")[1:-2]
        headers = dict(line.split(": ", 1) for line in head)
        body = await reader.readexactly(int(headers["content-length"]))
        writer.write(
            b"HTTP/1.1 %d x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % self._take(headers, body)
        )
        await writer.drain()
        writer.close()
        async with self._came:
            self.got.append((headers, body))
            self._came.notify_all()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(20), self._came:
            await self._came.wait_for(lambda: len(self.got) >= count)

    def bodies(self) -> list[Any]:
        return [orjson.loads(body) for _, body in self.got]


def seal(delivery_id: str, timestamp_s: int, body: bytes, signature: str) -> dict[str, str]:
    good = {"x-id": delivery_id, "x-at": str(timestamp_s), "x-signed": body.hex(), "x-signature": signature}
    return {key: value for key, value in good.items() if signature != "missing" or key != "x-signature"}


async def try_out(
    test: Callable[[Webhooks, Callable[[str], Delivery], Receiver], Awaitable[None]],
    take: Take = lambda *_: 200,
    config: SimulatorConfig = CONFIG,
) -> None:
    """Run `test` with a deliverer, a way to send an event of a name, and the receiver of all."""
    receiver = Receiver(take)
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    hooks = Webhooks(config, SystemClock(), retries_s=(240, 960))

    def send(name: str) -> Delivery:
        return hooks.send(
            "call.ended",
            key=name,
            due_at_us=0,
            write=lambda: {"name": name, "status": "completed"},
            target=lambda: Target(url, seal),
        )

    async with server:
        await test(hooks, send, receiver)


async def test_a_good_delivery_is_signed_over_its_own_bytes_and_sent_once() -> None:
    async def test(_: Webhooks, send: Callable[[str], Delivery], receiver: Receiver) -> None:
        delivery = send("a")
        await receiver.wait_for(1)
        [(headers, body)] = receiver.got
        assert headers["x-signed"] == body.hex()
        assert headers["x-id"] == delivery.delivery_id

    await try_out(test)


async def test_a_duplicate_has_the_same_id_and_body() -> None:
    async def test(hooks: Webhooks, send: Callable[[str], Delivery], receiver: Receiver) -> None:
        hooks.order(["webhook_duplicate"])
        send("a")
        await receiver.wait_for(2)
        first, again = receiver.got
        assert (first[0]["x-id"], first[1]) == (again[0]["x-id"], again[1])

    await try_out(test)


async def test_a_reordered_event_is_passed_by_the_next_one_and_a_lost_one_never_comes() -> None:
    async def test(hooks: Webhooks, send: Callable[[str], Delivery], receiver: Receiver) -> None:
        hooks.order(["webhook_reorder", "webhook_lost"])
        for name in "abc":
            send(name)
        await receiver.wait_for(2)
        assert {each["name"] for each in receiver.bodies()} == {"a", "c"}
        assert hooks.deliveries[1].as_json()["error"] == "lost"

    await try_out(test, config=SimulatorConfig(time_scale=1e3))


async def test_a_reordered_event_comes_by_itself_where_nothing_passes_it() -> None:
    async def test(hooks: Webhooks, send: Callable[[str], Delivery], receiver: Receiver) -> None:
        hooks.order(["webhook_reorder"])
        send("a")
        await receiver.wait_for(1)

    await try_out(test)


@pytest.mark.parametrize(
    ("fault", "is_bad"),
    [
        ("webhook_bad_signature", lambda headers, body: headers.get("x-signature") == "forged"),
        ("webhook_no_signature", lambda headers, body: "x-signature" not in headers),
        (
            "webhook_changed_body",
            lambda headers, body: headers["x-signed"] != body.hex() and b"failed" in body,
        ),
        ("webhook_stale", lambda headers, body: int(headers["x-at"]) < SystemClock().now_us() / 1e6 - 3000),
        ("webhook_not_json", lambda headers, body: not body.endswith(b"}")),
    ],
)
async def test_what_a_fault_damages_is_the_first_try(
    fault: str, is_bad: Callable[[dict[str, str], bytes], bool]
) -> None:
    async def test(hooks: Webhooks, send: Callable[[str], Delivery], receiver: Receiver) -> None:
        hooks.order([fault])
        delivery = send("a")
        await receiver.wait_for(2)
        assert [is_bad(*each) for each in receiver.got] == [True, False]
        assert len({headers["x-id"] for headers, _ in receiver.got}) == 1, "the id is that of the event"
        assert delivery.tries == 2

    await try_out(test, take=lambda headers, body: 403 if is_bad(headers, body) else 200)


async def test_a_delivery_that_nobody_takes_is_tried_so_often_and_then_failed() -> None:
    async def test(_: Webhooks, send: Callable[[str], Delivery], receiver: Receiver) -> None:
        delivery = send("a")
        await receiver.wait_for(3)
        async with asyncio.timeout(20):
            while delivery.status == "pending":
                await asyncio.sleep(0)
        assert (delivery.status, delivery.tries, delivery.error) == ("failed", 3, "HTTP 500")

    await try_out(test, take=lambda *_: 500)


async def test_a_call_that_ends_early_brings_its_event_forward() -> None:
    async def test(hooks: Webhooks, send: Callable[[str], Delivery], receiver: Receiver) -> None:
        far_us = SystemClock().now_us() + 3_600_000_000
        url = "http://127.0.0.1:9/nowhere"
        delivery = hooks.send(
            "call.ended", key="a", due_at_us=far_us, write=dict, target=lambda: Target(url, seal)
        )
        hooks.move(delivery, 0)
        async with asyncio.timeout(20):
            await delivery.tried.wait()
        assert delivery.error == "ConnectError"

    await try_out(test)


def test_the_rates_of_webhook_faults_are_shares_and_their_names_are_known() -> None:
    with pytest.raises(BadInput, match="more than 1"):
        SimulatorConfig(webhook_lost=0.6, webhook_late=0.6)
    with pytest.raises(BadInput, match="did you mean 'webhook_lost'"):
        Webhooks(CONFIG, SystemClock(), retries_s=()).order(["webhook_lots"])
    assert all(hasattr(CONFIG, name) for name in WEBHOOK_FAULTS)
