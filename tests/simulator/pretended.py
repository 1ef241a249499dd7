"""A simulator in this process, asked without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from dialer.base.clock import ManualClock
from dialer.simulator import SimulatorConfig, build_app

CALL_PATH = "/api/v1/global/agents/call"


class Pretended:
    """A client of a pretended provider."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self.client = client
        self._headers = {"token": token, "api_access_token": token, "authorization": token}

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self.client.post(path, json=body, headers=self._headers)

    async def get(self, path: str, **asked: Any) -> httpx.Response:
        return await self.client.get(path, params=asked, headers=self._headers)

    async def order(self, *faults: str) -> None:
        (await self.client.post("/simulator/faults", json={"next": faults})).raise_for_status()

    async def ledger(self) -> list[dict[str, Any]]:
        return list((await self.client.get("/simulator/ledger")).json())

    async def summary(self) -> dict[str, Any]:
        return dict((await self.client.get("/simulator/summary")).json())


@asynccontextmanager
async def pretended(
    config: SimulatorConfig | None = None, clock: ManualClock | None = None
) -> AsyncIterator[Pretended]:
    """Open a pretended UnleashX and a client of it."""
    config = config or SimulatorConfig()
    app = build_app(config, clock=clock or ManualClock())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://pretended") as client:
        try:
            yield Pretended(client, config.tokens[0])
        finally:
            app.state.simulator.ledger.close()
