"""POST /webhooks/{account}: an event is verified, written down and answered; it is applied afterwards.

An account whose provider does not prove its events (`verifies_events`) is only heard at a path that holds a
secret, /webhooks/{account}/{secret}. The secret is made from the account's token, so that it needs no
setting, nothing can be learned of the token from it, and a new token makes a new path.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio
import anyio.to_thread
import httpx
import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from dialer.base.clock import Clock, SystemClock
from dialer.base.errors import BadInput, NotReady
from dialer.base.settings import Account, account_token
from dialer.base.trouble import Trouble
from dialer.outcomes.events import Heard, apply_events, store_events
from dialer.providers.abilities import EventRefused, HearsEvents
from dialer.providers.registry import find_provider
from dialer.store.database import Store

log = structlog.get_logger()

BODY_MAX = 4 * 1024 * 1024
"""Bytes of a delivery, at most: transcripts are long, but not that long."""
BODY_PATIENCE_S = 10.0
"""How long a delivery may take to arrive."""
LINGER_S = 2.0
LINGER_MAX = 64 * 1024 * 1024
"""How long, and how many bytes, a refused body may go on coming; none of them is kept."""
STORE_PATIENCE_S = 4.0
"""How long a delivery waits for the database; providers give up after 5 s and deliver again."""
APPLY_EVERY_S = 1.0
"""How often stored events that had to wait are looked at, when nothing new comes."""


@dataclass
class Listener:
    """An account whose events are heard; `secret` is the part of its path that only the provider knows."""

    account: Account
    provider: HearsEvents
    verifies: bool
    secret: str

    @property
    def path(self) -> str:
        """The path to give to the provider."""
        start = f"/webhooks/{self.account.name}"
        return start if self.verifies else f"{start}/{self.secret}"

    def admits(self, secret: str | None) -> bool:
        """Return whether a request that came by this path may be the provider's."""
        if secret is None or not self.secret:
            return secret is None and self.verifies
        return hmac.compare_digest(secret.encode(), self.secret.encode())


@dataclass
class _Waiting:
    heard: Heard
    stored: anyio.Event = field(default_factory=anyio.Event)
    is_new: bool = False
    failed: NotReady | None = None


class Receiver:
    """Takes deliveries in; `working` must be entered for as long as it does."""

    def __init__(self, store: Store, listeners: Sequence[Listener], clock: Clock | None = None) -> None:
        self._store = store
        self._listeners = {one.account.name: one for one in listeners}
        self._clock = clock or SystemClock()
        self._inbox: list[_Waiting] = []
        self._came = anyio.Event()
        self._stored = anyio.Event()

    def routes(self) -> list[Route]:
        """Return what answers where."""
        return [
            Route("/webhooks/{account}", self.receive, methods=["POST"]),
            Route("/webhooks/{account}/{secret}", self.receive, methods=["POST"]),
        ]

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Write down what comes, and apply it, while the context lasts."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write)
            tasks.start_soon(self._apply)
            yield
            tasks.cancel_scope.cancel()

    async def receive(self, request: Request) -> Response:
        """Answer one delivery: 200 once it is written down, whether it is new or a duplicate."""
        listener = self._listeners.get(request.path_params["account"])
        if listener is None or not listener.admits(request.path_params.get("secret")):
            return _answer(404, "no webhooks are received here; `dialer serve` prints the address of each")
        try:
            body = await _read_body(request)
        except _Refused as refused:
            log.warning("event.refused", account=listener.account.name, why=str(refused))
            return _Refusal(refused.status, str(refused))
        return await self._take_in(listener, dict(request.headers), body)

    async def _take_in(self, listener: Listener, headers: Mapping[str, str], body: bytes) -> Response:
        account = listener.account
        try:
            event = listener.provider.read_event(headers, body, self._clock.now_us() / 1e6)
        except EventRefused as error:
            log.warning("event.refused", account=account.name, why=str(error))
            return _answer(error.status, str(error))
        waiting = _Waiting(Heard(account.name, account.provider, event, body))
        self._inbox.append(waiting)
        self._came.set()
        with anyio.move_on_after(STORE_PATIENCE_S):
            await waiting.stored.wait()
        if waiting.failed or not waiting.stored.is_set():
            log.warning("event.not_stored", account=account.name, why=str(waiting.failed or "too slow"))
            return _answer(503, "the database cannot take this now; deliver it again")
        log.info("event.stored", account=account.name, kind=event.kind, new=waiting.is_new)
        return Response(b'{"ok":true}', media_type="application/json")

    async def _write(self) -> None:
        """Write what has come in since the last transaction, all in one."""
        while True:
            await self._came.wait()
            self._came = anyio.Event()
            batch, self._inbox = self._inbox, []
            try:
                new = await anyio.to_thread.run_sync(
                    partial(store_events, self._store, [one.heard for one in batch])
                )
            except NotReady as error:
                for one in batch:
                    one.failed = error
            else:
                for one, is_new in zip(batch, new, strict=True):
                    one.is_new = is_new
            for one in batch:
                one.stored.set()
            self._stored.set()

    async def _apply(self) -> None:
        """Settle attempts by what was written; what has to wait is tried again."""
        troubles = {
            name: Trouble("events.not_applied", "events.applied_again", self._clock, account=name)
            for name in self._listeners
        }
        while True:
            for listener in self._listeners.values():
                account = listener.account
                try:
                    done = await anyio.to_thread.run_sync(
                        partial(apply_events, self._store, account.name, account.call_expires_s)
                    )
                except NotReady as error:
                    troubles[account.name].failed(error)
                else:
                    troubles[account.name].over()
                    if done.settled:
                        log.info("events.applied", account=account.name, settled=done.settled)
            with anyio.move_on_after(APPLY_EVERY_S):
                await self._stored.wait()
            self._stored = anyio.Event()


def listeners_of(accounts: Mapping[str, Account]) -> tuple[list[Listener], list[str]]:
    """Return the accounts whose events can be heard, and a sentence on each other one. Nothing is asked."""
    listeners, others = [], []
    for account in accounts.values():
        try:
            kind = find_provider(account.provider)
            nowhere = httpx.AsyncClient(transport=httpx.AsyncBaseTransport(), trust_env=False)
            provider = kind(account, nowhere, SystemClock(), anyio.lowlevel.checkpoint)
            if not isinstance(provider, HearsEvents):
                others.append(f"account '{account.name}': {account.provider} has no webhooks")
                continue
            ready = getattr(provider, "ready_for_events", None)
            if ready is not None:
                ready()
            verifies = bool(getattr(provider, "verifies_events", False))
            # A gateway that signs its events may need no token; only unproven ones need a secret path.
            secret = "" if verifies and account.token is None else path_secret(account)
            listeners.append(Listener(account, provider, verifies, secret))
        except BadInput as error:
            others.append(f"account '{account.name}' is not heard: {error}")
    return listeners, others


def path_secret(account: Account) -> str:
    """Return the part of the account's webhook path that nobody can guess. Raises BadInput: no token."""
    key = account_token(account).encode()
    words = f"dialer webhook path of account {account.name}".encode()
    return hmac.new(key, words, hashlib.sha256).hexdigest()[:40]


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def _read_body(request: Request) -> bytes:
    """Return the body, of which no more is read than may be."""
    too_long = _Refused(413, f"a delivery of more than {BODY_MAX} bytes is not read")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > BODY_MAX:
        raise too_long
    body = bytearray()
    try:
        with anyio.fail_after(BODY_PATIENCE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_MAX:
                    raise too_long
    except TimeoutError:
        raise _Refused(408, f"the delivery did not arrive within {BODY_PATIENCE_S:g} s") from None
    except ClientDisconnect:
        raise _Refused(400, "the delivery broke off") from None
    return bytes(body)


def _answer(status: int, message: str) -> Response:
    return Response(orjson.dumps({"ok": False, "error": message}), status, media_type="application/json")


class _Refusal(Response):
    """An answer that is sent while the body may still be coming, and ends the connection.

    What comes is thrown away for a moment: a connection closed upon unread bytes is reset, and the sender
    would never see the answer.
    """

    def __init__(self, status: int, message: str) -> None:
        words = orjson.dumps({"ok": False, "error": message})
        super().__init__(words, status, {"connection": "close"}, media_type="application/json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer at once, then let the rest of the body pass."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        passed = 0
        with anyio.move_on_after(LINGER_S):
            while passed < LINGER_MAX:
                message = await receive()
                passed += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    break
        await send({"type": "http.response.body", "body": b""})
