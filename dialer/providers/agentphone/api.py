"""How AgentPhone is spoken to: its address and key, reading lists, sending an order, reading its errors.

An order (a number bought, a call ended) is sent once: the vendor's own SDK says that a timeout or a 5xx
can follow a write that succeeded. Errors come in two envelopes, `{"error": {...}}` and `{"detail": ...}`.

Source: docs.agentphone.to, the pages pagination and error handling, and the official SDKs.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from dialer.base.clock import Clock
from dialer.base.errors import BadInput, NotReady, SubmitError
from dialer.providers.json_api import JsonApi
from dialer.providers.provider import PaceRequest
from dialer.providers.wire import Speaker, read_json, readable

PAGE_SIZE = 100
"""Rows of a page: the documented largest one."""

PAGES_MAX = 2000
"""Pages of one list, at most; more is taken for a list that does not end."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an answer other than success says: its words, its code, the field that it is about."""

    words: str = ""
    code: str = ""
    field: str = ""


class AgentPhoneApi(JsonApi):
    """One account's way to AgentPhone."""

    def __init__(
        self,
        who: Speaker,
        base_url: str,
        token: str,
        sub_account: str | None,
        client: httpx.AsyncClient,
        clock: Clock,
        pace_request: PaceRequest,
    ) -> None:
        authorizing = [("authorization", f"Bearer {token}")]
        if sub_account is not None:
            authorizing.append(("x-sub-account-id", sub_account))
        super().__init__(who, base_url, authorizing, client, clock, pace_request)

    async def order(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send an order that is no call, once, and return the JSON that it is answered with.

        Raises:
            BadInput: AgentPhone says no, and why.
            NotReady: it could not be asked, or whether it obeyed is not known.
        """
        await self._pace_request()
        try:
            response = await self.send_once(method, path, None if body is None else orjson.dumps(body))
        except SubmitError as error:
            raise NotReady(
                f"{self.who} could not be told ({error.code}); look before trying again"
            ) from error
        status = response.status_code
        if 200 <= status < 300:
            return read_json(response.content) if response.content else {}
        said = complaint_of(read_json(response.content), self.who.secrets).words
        told = f"{self.who} answered {status}" + (f" ({said})" if said else "")
        if status in (401, 403):
            raise NotReady(f"{told}; check the token: `token` of the account in dialer.toml")
        if status == 429:
            raise NotReady(f"{told}; nothing was changed, try again later")
        if 400 <= status < 500 and status not in (408, 409, 425):
            raise BadInput(f"{told}; nothing was changed")
        raise NotReady(f"{told}; whether it was done is not known, look before trying again")

    async def pages(
        self, path: str, parameters: Mapping[str, Any] | None = None, page_size: int = PAGE_SIZE
    ) -> AsyncIterator[list[Mapping[str, Any]]]:
        """Yield the rows of a list, each once, page by page; pages may shift while they are read.

        Raises:
            NotReady: the answer is no list, or it does not end.
        """
        seen: set[str] = set()
        offset = 0
        for _ in range(PAGES_MAX):
            answer = await self.get(path, {**(parameters or {}), "limit": page_size, "offset": offset})
            rows = rows_of(answer)
            if rows is None:
                said = complaint_of(answer, self.who.secrets).words
                raise NotReady(f"{self.who} answered {path} without a list{': ' if said else ''}{said}")
            fresh = [row for row in rows if (key := key_of(row)) not in seen and not seen.add(key)]  # type: ignore[func-returns-value]
            if fresh:
                yield fresh
            offset += len(rows)
            if not rows or not _has_more(answer, offset):
                return
        raise NotReady(f"{self.who} still had rows after {PAGES_MAX} pages at {path}")


def rows_of(answer: Any) -> list[Mapping[str, Any]] | None:
    """Return the rows of an answer: a bare list, or under `data` or `items`; None where it holds no list."""
    rows = answer
    if isinstance(answer, dict):
        rows = answer.get("data", answer.get("items"))
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def key_of(row: Mapping[str, Any]) -> str:
    """Return what a row is known by: its id, or all of it."""
    return str(row.get("id") or orjson.dumps(row, option=orjson.OPT_SORT_KEYS))


def usable_id(value: Any) -> str | None:
    """Return an id that a table and a path can hold, or None; ids are opaque."""
    text = value.strip() if isinstance(value, str) else ""
    return text if re.fullmatch(r"[A-Za-z0-9_.:-]{1,128}", text) else None


def complaint_of(answer: Any, hide: tuple[str, ...] = ()) -> Complaint:
    """Return what an error says, from either envelope; secrets are taken out of its words."""
    if not isinstance(answer, dict):
        return Complaint(readable(answer, hide) if isinstance(answer, str) else "")
    error = answer.get("error")
    if isinstance(error, dict):
        details = error.get("details")
        first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
        return Complaint(
            readable(_text(error.get("message")) or _text(first.get("message")), hide),
            _text(error.get("code")),
            _text(first.get("field")),
        )
    detail = answer.get("detail")
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        where = detail[0].get("loc")
        parts = [str(part) for part in where] if isinstance(where, list) else []
        field = ".".join(parts[1:] if parts[:1] == ["body"] else parts)
        words = "; ".join(_text(each.get("msg")) for each in detail if isinstance(each, dict))
        return Complaint(readable(f"{field}: {words}" if field else words, hide), "", field)
    words = next((text for name in ("detail", "message", "error") if (text := _text(answer.get(name)))), "")
    return Complaint(readable(words, hide), _text(answer.get("code")))


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _has_more(answer: Any, offset: int) -> bool:
    """Tell whether a list goes on: by `hasMore`, else by `total`, else until a page is empty."""
    if not isinstance(answer, dict):
        return False
    if isinstance(answer.get("hasMore"), bool):
        return bool(answer["hasMore"])
    total = answer.get("total")
    return offset < total if isinstance(total, int) else True
