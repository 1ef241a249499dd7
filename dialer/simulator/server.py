"""Serve a pretended provider: in this process, in a thread, or in a process of its own."""

from __future__ import annotations

import gc
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

import orjson
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dialer.base.clock import Clock, SystemClock
from dialer.base.errors import BadInput, NotReady
from dialer.base.words import did_you_mean
from dialer.simulator.agentphone.app import build_agentphone
from dialer.simulator.answers import CONNECTION
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.gateway import build_gateway
from dialer.simulator.hamsa.app import build_hamsa
from dialer.simulator.unleashx.app import build_unleashx

Ready = Callable[[str], None]
"""Told the address as soon as requests are answered there."""

BUILDERS: dict[str, Callable[[SimulatorConfig, Clock], FastAPI]] = {
    "unleashx": build_unleashx,
    "agentphone": build_agentphone,
    "hamsa": build_hamsa,
    "http": build_gateway,
}
"""The app of each provider that can be pretended."""


class ConnectionProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which hands the connection itself to the app, to be broken by it."""

    def on_message_begin(self) -> None:
        """Begin a request; the connection rides in its scope."""
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: self.transport}  # type: ignore[dict-item]


class Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and leaves at once when told to."""

    def __init__(self, app: FastAPI, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=ConnectionProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level=logging.ERROR,
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=2,
                backlog=4096,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the door and say so."""
        # What is loaded by now stays: the collector would walk over it for 25 ms in the middle of calls.
        gc.collect()
        gc.freeze()
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Leave; requests that hang do not hold us."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def build_app(
    config: SimulatorConfig | None = None, *, provider: str = "unleashx", clock: Clock | None = None
) -> FastAPI:
    """Return the pretended provider as an app; its state is `app.state.simulator`.

    Raises:
        BadInput: nobody pretends to be `provider`.
    """
    if provider not in BUILDERS:
        raise BadInput(
            f"no simulator of '{provider}'{did_you_mean(provider, BUILDERS)}; there is: {', '.join(BUILDERS)}"
        )
    return BUILDERS[provider](config or SimulatorConfig(), clock or SystemClock())


def run_simulator(
    config: SimulatorConfig | None = None,
    *,
    provider: str = "unleashx",
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Ready | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; `ready` is told the address (default: one line on stdout).

    Raises:
        BadInput: the provider is unknown.
        NotReady: the port is taken.
    """
    app = build_app(config, provider=provider)
    sock, url = _open_door(host, port)
    with suppress(KeyboardInterrupt):
        Server(app, lambda: (ready or _print_url)(url)).run(sockets=[sock])


@contextmanager
def simulator_thread(
    config: SimulatorConfig | None = None,
    *,
    provider: str = "unleashx",
    port: int = 0,
    clock: Clock | None = None,
) -> Iterator[str]:
    """Serve on a thread of this process while the context lasts; give the address."""
    app = build_app(config, provider=provider, clock=clock)
    sock, url = _open_door("127.0.0.1", port)
    is_ready = threading.Event()
    server = Server(app, is_ready.set)
    thread = threading.Thread(target=server.run, args=([sock],), name="simulator", daemon=True)
    thread.start()
    try:
        if not is_ready.wait(10):
            raise NotReady("the simulator did not start within 10 s")
        yield url
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def simulator_process(
    config: SimulatorConfig | None = None, *, provider: str = "unleashx", port: int = 0
) -> Iterator[str]:
    """Serve in a process of its own while the context lasts; give the address.

    The process also ends when this one dies, however that happens: it watches its standard input.
    """
    order = {"provider": provider, "port": port, "config": asdict(config or SimulatorConfig())}
    # A session of its own, so that Ctrl-C in a terminal leaves it alive while this process drains.
    process = subprocess.Popen(
        [sys.executable, "-m", "dialer.simulator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(orjson.dumps(order, default=str) + b"\n")
        process.stdin.flush()
        url = process.stdout.readline().decode().strip()
        if not url:
            raise NotReady("the simulator's process ended before it answered; its reason is above")
        yield url
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


def _open_door(host: str, port: int) -> tuple[socket.socket, str]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY; without it every answer waits 40 ms for an ACK.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise NotReady(f"the simulator cannot listen on {host}, port {port}: {error.strerror}") from error
    shown = f"[{host}]" if ":" in host else host
    return sock, f"http://{shown}:{sock.getsockname()[1]}"


def _print_url(url: str) -> None:
    print(url, flush=True)  # noqa: T201
