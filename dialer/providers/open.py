"""Open an account: its provider over a client of its own, checked before anything is sent."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import httpx

from dialer.base.clock import Clock, SystemClock
from dialer.base.errors import NotReady
from dialer.base.settings import Account
from dialer.providers.provider import PaceRequest, Provider
from dialer.providers.registry import find_provider
from dialer.providers.transport import open_client


@asynccontextmanager
async def open_account(account: Account, clock: Clock, pace_request: PaceRequest) -> AsyncIterator[Provider]:
    """Open the account's provider; a connection is made, no request is sent.

    Raises:
        BadInput: a key of the account is wrong, or its token is missing.
        NotReady: nothing answers at its address.
    """
    kind = find_provider(account.provider)
    base_url = account.base_url or kind.default_base_url
    async with open_client(
        base_url, connections_max=account.requests_in_flight_max + 8, timeout_s=account.timeout_s
    ) as client:
        provider = kind(account, client, clock, pace_request)
        try:
            first_second = math.ceil(account.calls_per_second or 0.0)
            await client.warm(min(max(8, first_second), account.requests_in_flight_max))
        except httpx.TransportError as error:
            raise NotReady(
                f"account '{account.name}': {urlsplit(base_url).netloc} cannot be reached"
                f" ({str(error) or type(error).__name__}); nothing was called"
            ) from error
        yield provider


async def reach(account: Account, agent: str) -> None:
    """Make sure that the account can be used for this agent: its keys, its token, its address.

    Raises:
        BadInput, NotReady: it cannot.
    """
    async with open_account(account, SystemClock(), anyio.lowlevel.checkpoint) as provider:
        provider.check_agent(agent)
