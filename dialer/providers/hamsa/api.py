"""How Hamsa is spoken to: its address and key, reading a list, sending an order.

An order (a number added, assigned) is sent once. What went wrong is told with Hamsa's own words; its
documents print no error bodies, so any shape of them is read.

Source: docs.tryhamsa.com, the pages quick start, phone-number and start-a-call.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import httpx
import orjson

from dialer.base.clock import Clock
from dialer.base.errors import BadInput, NotReady, SubmitError
from dialer.providers.json_api import JsonApi
from dialer.providers.provider import PaceRequest
from dialer.providers.wire import Speaker, message_in, read_json, readable

FUNDS = re.compile(
    r"(insufficient|not enough|no|out of|low|exceeded)\s+(\w+\s+){0,2}(funds?|balance|credits?|money)\b"
    r"|(funds?|balance|credits?)\s+(\w+\s+){0,2}(insufficient|exhausted|exceeded|too low)",
    re.IGNORECASE,
)
"""Words by which a refusal says that the account has no money left; the documents print none."""


class HamsaApi(JsonApi):
    """One account's way to Hamsa."""

    def __init__(
        self,
        who: Speaker,
        base_url: str,
        authorization: str,
        client: httpx.AsyncClient,
        clock: Clock,
        pace_request: PaceRequest,
    ) -> None:
        super().__init__(who, base_url, [("authorization", authorization)], client, clock, pace_request)

    async def order(self, path: str, body: Mapping[str, Any], hide: Iterable[str] = ()) -> Any:
        """Send an order that is no call, once, and return the JSON it is answered with.

        `hide` are secrets of the body, which an answer might repeat.

        Raises:
            BadInput: Hamsa says no, and why.
            NotReady: it could not be asked, or whether it obeyed is not known.
        """
        await self._pace_request()
        try:
            response = await self.send_once("POST", path, orjson.dumps(body))
        except SubmitError as error:
            raise NotReady(
                f"{self.who} could not be told ({error.code}); look before trying again"
            ) from error
        answer = read_json(response.content)
        said = readable(message_in(answer), (*self.who.secrets, *hide))
        status = response.status_code
        told = f"{self.who} answered {status}" + (f" ({said})" if said else "")
        if 200 <= status < 300 and isinstance(answer, dict):
            return answer
        if status in (401, 403):
            raise NotReady(f"{told}; check the token: `token` of the account in dialer.toml")
        if 400 <= status < 500 and status not in (408, 425, 429):
            raise BadInput(f"{told}; nothing was changed")
        raise NotReady(f"{told}; whether it was done is not known, look before trying again")

    async def pages(
        self, path: str, parameters: Mapping[str, Any], name: str | None, paging: tuple[str, str, int, int]
    ) -> AsyncIterator[list[Mapping[str, Any]]]:
        """Yield the rows of a list, each once, in pages counted from 1.

        `name` is the key of the rows within `data`, None where `data` is the list. `paging` is the two
        parameters' names (page, rows), the rows of a page, and the pages at most. A page ends the list
        when it is empty or brings nothing new; a short one does unless `filtered` counts more rows.

        Raises:
            NotReady: the answer is no list, or it goes on beyond the pages allowed.
        """
        page_key, size_key, size, pages_max = paging
        seen: set[bytes] = set()
        for page in range(1, pages_max + 1):
            answer = await self.get(path, {**parameters, page_key: page, size_key: size})
            rows, matching = rows_of(answer, name)
            if rows is None:
                said = readable(message_in(answer), self.who.secrets)
                raise NotReady(f"{self.who} answered {path} without a list{': ' if said else ''}{said}")
            fresh = [row for row in rows if (key := _key(row)) not in seen and not seen.add(key)]  # type: ignore[func-returns-value]
            if fresh:
                yield fresh
            more = len(rows) >= size or (matching is not None and len(seen) < matching)
            if not fresh or not more:
                return
        raise NotReady(f"{self.who} still had rows after {pages_max} pages of {size} at {path}")


def rows_of(answer: Any, name: str | None) -> tuple[list[Mapping[str, Any]] | None, int | None]:
    """Return the rows of an answer and how many match in all; None where it holds no list or no count.

    `success` is not looked at: the documents' own examples of good answers say false.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    rows = data.get(name) if isinstance(data, dict) and name else data
    matching = data.get("filtered") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        return None, None
    counted = isinstance(matching, int) and not isinstance(matching, bool)
    return [row for row in rows if isinstance(row, dict)], matching if counted else None


def mentions_funds(said: str) -> bool:
    """Tell whether a refusal is about money."""
    return FUNDS.search(said) is not None


def _key(row: Mapping[str, Any]) -> bytes:
    return orjson.dumps(row.get("id") or row, option=orjson.OPT_SORT_KEYS)
