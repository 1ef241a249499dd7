"""The app that `dialer serve` runs, and its server."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI

from dialer.base.errors import NotReady
from dialer.store.database import Store
from dialer.web.webhooks import Listener, Receiver


def build_web(store: Store, listeners: Sequence[Listener]) -> FastAPI:
    """Return the app; its background work runs for as long as it is served."""
    receiver = Receiver(store, listeners)

    @asynccontextmanager
    async def working(_: FastAPI) -> AsyncIterator[None]:
        async with receiver.working():
            yield

    app = FastAPI(title="dialer", openapi_url=None, lifespan=working)
    app.router.routes.extend(receiver.routes())
    return app


def serve_web(app: FastAPI, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; `ready` is told the address.

    Raises:
        NotReady: the port is taken, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise NotReady(
                f"cannot listen on {host}, port {port}: {error.strerror}; another --port may be free"
            ) from error
        shown = f"[{host}]" if family == socket.AF_INET6 else host
        ready(f"http://{shown}:{sock.getsockname()[1]}")
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,  # paths hold secrets
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=5,
            lifespan="on",
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[sock])
