"""An UnleashX account whose other end is a function of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from dialer.base.clock import ManualClock
from dialer.base.settings import Account
from dialer.providers.provider import OpenAttempt, Submission
from dialer.providers.unleashx.provider import UnleashX

TOKEN = "scripted-token-9d2e"
PHONE = "+919876543210"
CALL = Submission("0190-attempt", PHONE, "962", metadata={"customer_id": "CUST001"})

Answer = Callable[[httpx.Request], httpx.Response]


def account(**keys: Any) -> Account:
    given = {"base_url": "https://provider.example", "token": SecretStr(TOKEN), **keys}
    return Account(name="spring", provider="unleashx", **given)


def attempt(clock: ManualClock, execution_id: str | None = None) -> OpenAttempt:
    return OpenAttempt(CALL.attempt_id, CALL.phone, CALL.agent, clock.now_us(), execution_id)


def row(clock: ManualClock, **columns: Any) -> dict[str, Any]:
    """A row of the list of executions, made now, to the number of `CALL`."""
    created = {"CREATED_AT": clock.now_us() // 1000}
    return {"ID": 48213, "AGENT_ID": 962, "CALLING_NUMBER": PHONE, "STATUS": "initiated"} | created | columns


class Scripted:
    """The provider under test, what it was paced for and what it asked."""

    def __init__(self, provider: UnleashX) -> None:
        self.provider = provider
        self.paced = 0
        self.asked: list[httpx.Request] = []


@asynccontextmanager
async def scripted(answer: Answer, clock: ManualClock | None = None, **keys: Any) -> AsyncIterator[Scripted]:
    """Open an account at a provider that answers by `answer`."""

    def note(request: httpx.Request) -> httpx.Response:
        opened.asked.append(request)
        return answer(request)

    async def pace() -> None:
        opened.paced += 1

    async with httpx.AsyncClient(transport=httpx.MockTransport(note), timeout=2.0) as client:
        opened = Scripted(UnleashX(account(**keys), client, clock or ManualClock(), pace))
        yield opened
