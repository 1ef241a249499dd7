"""Answers that keep the protocol, and answers that break it on the wire.

A broken answer closes the very connection it came by. `server.ConnectionProtocol` leaves the
transport of the connection in the scope; without it (an app called in-process) ConnectionResetError
is raised instead.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CONNECTION = "dialer.connection"
"""Where the scope's extensions hold the asyncio transport of the connection."""


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(body), status, headers, "application/json")


class Cut(Response):
    """The connection ends without an answer: by RST where `reset`, else by FIN."""

    def __init__(self, reset: bool) -> None:
        super().__init__()
        self.reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End the connection."""
        transport = _connection(scope)
        _end(transport, self.reset)
        await _until_gone(receive)


class Half(Response):
    """Head and half of a good body, and then the connection ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half and end the connection."""
        transport = _connection(scope)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport.close()
        await _until_gone(receive)


class Hang(Response):
    """Nothing at all, until the client loses patience or `seconds` are over."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep silent, then end the connection."""
        transport = _connection(scope)
        try:
            async with asyncio.timeout(self.seconds):
                await _until_gone(receive)
        except TimeoutError:
            _end(transport, reset=False)
            await _until_gone(receive)


def _connection(scope: Scope) -> asyncio.Transport:
    transport = scope.get("extensions", {}).get(CONNECTION)
    if transport is None:
        raise ConnectionResetError("the simulator closes the connection")
    assert isinstance(transport, asyncio.Transport)
    return transport


def _end(transport: asyncio.Transport, reset: bool) -> None:
    if transport.is_closing():  # the client left, or the server does, while this answer was late: no socket
        return
    if reset:
        sock = transport.get_extra_info("socket")
        # Linger of zero seconds: closing sends RST instead of FIN.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _until_gone(receive: Receive) -> None:
    """Wait until the server has seen the end of the connection, else it would answer 500."""
    while (await receive())["type"] != "http.disconnect":
        pass
