"""How a gateway's calls are read back: the list page by page, one number, one call.

How long a page is, is the gateway's to say: a list ends with a page that is empty or brings nothing new,
never with one that only looks short.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from dialer.base.errors import BadInput, NotReady
from dialer.providers.gateway.options import GatewayOptions
from dialer.providers.gateway.paths import Steps, follow, read_path, text_at
from dialer.providers.gateway.templates import Text
from dialer.providers.wire import NotKnown, Speaker

WINDOW_NAMES = tuple(f"{end}_{form}" for end in ("since", "until") for form in ("iso", "s", "ms", "date"))
LIST_NAMES = ("agent", "page", "page_size", "offset", "cursor", "token", *WINDOW_NAMES)
LOOK_UP_NAMES = ("agent", "phone", "phone_digits", "attempt_id", "token", *WINDOW_NAMES)

AHEAD_US = 600_000_000
"""The end of a window is so much later than now: the gateway's clock may be ahead."""

Ask = Callable[[str], Awaitable[Any]]
"""Returns the JSON at a path with its query. Raises NotReady, NotKnown."""


class ListPlan:
    """One gateway's list of calls, checked."""

    def __init__(self, options: GatewayOptions, who: Speaker, where: str) -> None:
        """Compile the template. Raises BadInput."""
        assert options.calls is not None
        self._calls = calls = options.calls
        self._who = who
        self._id = read_path(options.fields.id, f"{where}.fields.id")
        where = f"{where}.calls"
        self._path = Text(calls.path, LIST_NAMES, f"{where}.path")
        self._records = read_path(calls.records, f"{where}.records")
        self._cursor = read_path(calls.next_cursor, f"{where}.next_cursor") if calls.next_cursor else None
        ways = self._path.names & {"page", "offset", "cursor"}
        if len(ways) > 1:
            raise BadInput(
                f"{where}.path: one of {{page}}, {{offset}} and {{cursor}} says which page is meant"
            )
        if ("cursor" in ways) != (self._cursor is not None):
            raise BadInput(f"{where}: {{cursor}} in path and next_cursor go together")
        self._paged = bool(ways)

    async def pages(self, ask: Ask, values: Mapping[str, Any]) -> AsyncIterator[list[Any]]:
        """Yield the records of the list, each once. Raises NotReady."""
        calls = self._calls
        seen: set[bytes] = set()
        cursor, received = "", 0
        for number in range(calls.pages_max):
            place = {
                "page": calls.first_page + number,
                "page_size": calls.page_size,
                "offset": received,
                "cursor": cursor or None,
            }
            answer = await ask(self._path.fill_url({**values, **place}))
            rows = records_of(answer, self._records, self._who, calls.records)
            received += len(rows)
            fresh = [row for row in rows if (key := self._key(row)) not in seen and not seen.add(key)]  # type: ignore[func-returns-value]
            if fresh:
                yield fresh
            cursor = text_at(answer, self._cursor) if self._cursor is not None else ""
            if not self._paged or not fresh or (self._cursor is not None and not cursor):
                return
        raise NotReady(
            f"{self._who} still had calls after {calls.pages_max} pages; "
            "raise pages_max or page_size of [calls]"
        )

    def _key(self, row: Any) -> bytes:
        return text_at(row, self._id).encode() or orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


class LookUpPlan:
    """One gateway's way to ask for one number or attempt, and for one call."""

    def __init__(self, options: GatewayOptions, who: Speaker, where: str) -> None:
        """Compile the templates. Raises BadInput."""
        self._who = who
        self._options = options
        look_up, one = options.look_up, options.one_call
        self._path = Text(look_up.path, LOOK_UP_NAMES, f"{where}.look_up.path") if look_up else None
        self._records = read_path(look_up.records, f"{where}.look_up.records") if look_up else ()
        self._one = Text(one.path, ("execution_id", "token"), f"{where}.one_call.path") if one else None
        self._record = read_path(one.record, f"{where}.one_call.record") if one else ()
        if self._path is not None and not self._path.names & {"phone", "phone_digits", "attempt_id"}:
            raise BadInput(
                f"{where}.look_up.path names neither {{phone}} nor {{attempt_id}}; use [calls] for lists"
            )
        if self._one is not None and "execution_id" not in self._one.names:
            raise BadInput(f"{where}.one_call.path does not name {{execution_id}}")

    async def find(self, ask: Ask, values: Mapping[str, Any]) -> list[Any] | None:
        """Return the records that the gateway finds; None where it has no such way. Raises NotReady."""
        if self._path is None or self._options.look_up is None:
            return None
        try:
            answer = await ask(self._path.fill_url(values))
        except NotKnown:
            return []
        found = follow(answer, self._records)
        if isinstance(found, dict):
            return [found]
        return records_of(answer, self._records, self._who, self._options.look_up.records)

    async def one(self, ask: Ask, execution_id: str, token: str) -> Any:
        """Return the record of a call; None where there is none. Raises NotReady."""
        if self._one is None:
            return None
        try:
            answer = await ask(self._one.fill_url({"execution_id": execution_id, "token": token}))
        except NotKnown:
            return None
        return follow(answer, self._record)


def window_of(since_us: int, now_us: int, zone: str | None) -> dict[str, Any]:
    """Return the values of a window's placeholders; days are those of `zone`, with a day to spare without."""
    values: dict[str, Any] = {}
    for name, at_us, days in (("since", since_us, -1), ("until", max(now_us, since_us) + AHEAD_US, 1)):
        moment = datetime.fromtimestamp(at_us / 1e6, UTC)
        values[f"{name}_iso"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        values[f"{name}_s"] = at_us // 1_000_000
        values[f"{name}_ms"] = at_us // 1000
        # Whether the last day of a window counts is not known, nor where the gateway's days begin.
        spare_us = days * 86_400_000_000
        day = datetime.fromtimestamp((at_us + spare_us) / 1e6, ZoneInfo(zone) if zone else UTC)
        values[f"{name}_date"] = day.strftime("%Y-%m-%d")
    return values


def records_of(answer: Any, steps: Steps, who: Speaker, path: str) -> list[Any]:
    """Return the list at a path of an answer. Raises NotReady: there is none."""
    found = follow(answer, steps)
    if not isinstance(found, list):
        raise NotReady(f"{who} answered without a list at '{path}'; check `records` in dialer.toml")
    return found
