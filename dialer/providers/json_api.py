"""One account's way to an API that speaks JSON: its address and headers, a read, a request sent once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from dialer.base.clock import Clock
from dialer.providers.provider import Departing, PaceRequest
from dialer.providers.wire import Speaker, ask, exchange


class JsonApi:
    """What every request of one account has in common; `authorizing` are the headers that prove who asks."""

    def __init__(
        self,
        who: Speaker,
        base_url: str,
        authorizing: Sequence[tuple[str, str]],
        client: httpx.AsyncClient,
        clock: Clock,
        pace_request: PaceRequest,
    ) -> None:
        self.who = who
        self.clock = clock
        self._base_url = base_url
        self._client = client
        self._pace_request = pace_request
        self._headers = [
            *authorizing,
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("accept-encoding", "identity"),
        ]
        self._extensions: dict[str, Any] = {"timeout": client.timeout.as_dict()}

    async def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON at a path. Raises NotReady, NotKnown."""
        url = httpx.URL(self._base_url + path, params=parameters)
        request = httpx.Request("GET", url, headers=self._headers, extensions=self._extensions)
        return await ask(
            self._client, request, who=self.who, clock=self.clock, pace_request=self._pace_request
        )

    async def send_once(
        self, method: str, path: str, body: bytes | None = None, departing: Departing | None = None
    ) -> httpx.Response:
        """Send one request and return the whole answer. Raises NotDialled, MaybeDialled."""
        extensions = self._extensions
        if departing is not None:
            extensions = {**extensions, "departure": departing}
        url = self._base_url + path
        request = httpx.Request(method, url, headers=self._headers, content=body, extensions=extensions)
        return await exchange(self._client, request, self.who)
