"""Faults as the network sees them: bytes, ends and resets on a raw socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import orjson
import pytest
from starlette.types import Message

from dialer.simulator import SimulatorConfig, simulator_thread
from dialer.simulator.answers import CONNECTION, Cut, Hang

BODY = b'{"agent_id":962,"phone_number":"+919876543210"}'
REQUEST = (
    b"POST /api/v1/global/agents/call HTTP/1.1\r\nhost: x\r\ntoken: simulator-token\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(BODY), BODY)
)
CONFIG = SimulatorConfig(close_by_reset=0.0)


@dataclass
class Seen:
    """What came over the socket, and how it ended: fin, reset or silence."""

    received: bytes
    end: str


def send(url: str, fault: str) -> Seen:
    """Submit one call that meets `fault`, byte by byte."""
    httpx.post(f"{url}/simulator/faults", json={"next": [fault]}).raise_for_status()
    host, _, port = url.removeprefix("http://").partition(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=0.2) as sock:
        sock.sendall(REQUEST)
        try:
            while data := sock.recv(4096):
                received += data
        except ConnectionResetError:
            return Seen(received, "reset")
        except TimeoutError:
            return Seen(received, "silence")
    return Seen(received, "fin")


def placed(url: str) -> int:
    return int(httpx.get(f"{url}/simulator/summary").json()["calls_placed"])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with simulator_thread(CONFIG) as address:
        yield address


@pytest.mark.parametrize(("fault", "calls"), [("close_before", 0), ("close_after", 1)])
def test_a_closed_connection_ends_without_a_byte(url: str, fault: str, calls: int) -> None:
    before = placed(url)
    assert send(url, fault) == Seen(b"", "fin")
    assert placed(url) - before == calls


@pytest.mark.parametrize(("fault", "calls"), [("close_before", 0), ("close_after", 1)])
def test_a_reset_connection_is_truly_reset(fault: str, calls: int) -> None:
    with simulator_thread(replace(CONFIG, close_by_reset=1.0)) as address:
        assert send(address, fault) == Seen(b"", "reset")
        assert placed(address) == calls


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [Cut(reset=True), Cut(reset=False), Hang(seconds=0)])
async def test_a_connection_that_is_gone_already_is_not_broken_again(answer: Cut | Hang) -> None:
    """The client left, or the simulator ends, while the answer that would break the connection is late."""
    here, there = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=here)
    transport.abort()
    while here.fileno() != -1:
        await asyncio.sleep(0)
    seen = []

    async def receive() -> Message:
        seen.append("http.disconnect")
        await asyncio.sleep(0)
        return {"type": seen[-1]}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await answer({"type": "http", "extensions": {CONNECTION: transport}}, receive, send)
    there.close()
    assert seen


@pytest.mark.parametrize(("fault", "calls"), [("hang_before", 0), ("hang_after", 1)])
def test_a_hanging_request_says_nothing(url: str, fault: str, calls: int) -> None:
    before = placed(url)
    assert send(url, fault) == Seen(b"", "silence")
    assert placed(url) - before == calls


def test_a_hanging_request_is_let_go_in_the_end() -> None:
    with simulator_thread(replace(CONFIG, hang_s=0.05)) as address:
        assert send(address, "hang_after") == Seen(b"", "fin")


def test_half_an_answer_ends_in_the_middle_of_its_body(url: str) -> None:
    seen = send(url, "half_after")
    head, _, half = seen.received.partition(b"\r\n\r\n")
    [length] = [int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"content-length: ")]
    assert head.startswith(b"HTTP/1.1 200")
    assert 0 < len(half) < length
    assert seen.end == "fin"


def test_truncated_json_comes_in_a_whole_answer(url: str) -> None:
    seen = send(url, "truncated_after")
    head, _, body = seen.received.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    assert seen.end == "silence", "the connection stays open for the next request"


def test_a_client_that_hangs_up_early_has_called_nevertheless() -> None:
    with simulator_thread(replace(CONFIG, latency_ms=(50.0, 50.0))) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(REQUEST)
            sock.settimeout(0.02)
            with pytest.raises(TimeoutError):
                sock.recv(1)
        assert placed(address) == 1
