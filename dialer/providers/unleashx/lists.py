"""Reading UnleashX's lists page by page, without trusting them to end.

Neither the largest page nor the order nor a pagination block is documented. So a page ends the list
when it is empty, repeats what was seen, or is shorter than the page before it; a first page that is
short but not tiny may be as long as the provider lets pages be, and is followed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson

from dialer.base.errors import NotReady
from dialer.providers.wire import Speaker, readable

SMALLEST_LIMIT = 10
"""No provider's largest page is taken to be smaller: 10 is the documented default."""

WINDOW_DAYS = 27
"""Days of one window; the provider answers for one month."""

ZONES_HOURS = 14
"""How far the provider's calendar may be from UTC: dates it filters by name no zone."""

AskPage = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""Returns the JSON of one page for these parameters."""


async def read_pages(
    ask_page: AskPage, parameters: Mapping[str, Any], *, page_size: int, pages_max: int, who: Speaker
) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the rows of a list, page by page, each row once.

    Raises:
        NotReady: the answer is no list, or it goes on beyond `pages_max`.
    """
    seen: set[bytes] = set()
    longest = page_size
    for page in range(1, pages_max + 1):
        body = await ask_page({**parameters, "page": page, "limit": page_size})
        rows = rows_of(body)
        if rows is None:
            said = readable(message_of(body), who.secrets)
            raise NotReady(f"{who} answered without a list{': ' if said else ''}{said}")
        fresh = [row for row in rows if (key := _key(row)) not in seen and not seen.add(key)]  # type: ignore[func-returns-value]
        if fresh:
            yield fresh
        ends = _says_end(body)
        if page == 1 and SMALLEST_LIMIT <= len(rows) < page_size:
            longest = len(rows)
        if not fresh or (len(rows) < longest if ends is None else ends):
            return
    raise NotReady(
        f"{who} still had rows after {pages_max} pages of {page_size}; "
        "raise pages_max or page_size of the account"
    )


def rows_of(body: Any) -> list[dict[str, Any]] | None:
    """Return the rows of an answer in any of the provider's envelopes; None where it holds no list."""
    level = body
    for _ in range(3):
        if isinstance(level, list):
            return [row for row in level if isinstance(row, dict)]
        if not isinstance(level, dict) or _is_true(level.get("error")) or level.get("success") is False:
            return None
        for name in ("datalist", "transactions"):
            if isinstance(level.get(name), list):
                return [row for row in level[name] if isinstance(row, dict)]
        level = level.get("data")
    return None


def message_of(body: Any) -> str:
    """Return the words of an answer for people, from whatever envelope."""
    level = body
    for _ in range(3):
        if not isinstance(level, dict):
            break
        for name in ("message", "error", "detail"):
            if isinstance(level.get(name), str) and level[name].strip():
                return str(level[name])
        level = level.get("data")
    return ""


def open_envelope(answer: Any, wanted: str) -> tuple[Mapping[str, Any], str | None]:
    """Return the innermost object of an answer that holds `wanted`, and what speaks against it.

    Envelopes are nested up to three deep, and their flags mean opposite things: `success: true`,
    `error: false`. Every level must be free of failure.
    """
    level, flaw = answer, None
    for _ in range(3):
        if not isinstance(level, dict):
            break
        code = level.get("code")
        failed = isinstance(code, int) and not isinstance(code, bool) and code >= 300
        if level.get("error") not in (None, False, "", "false", 0):
            flaw = "error_true"
        elif level.get("success", True) not in (None, True, "true", 1) or failed:
            flaw = "success_false"
        if wanted in level or not isinstance(level.get("data"), dict):
            return level, flaw
        level = level["data"]
    return {}, flaw


def windows(since_us: int, now_us: int) -> list[tuple[datetime, datetime]]:
    """Return pairs of days that cover `since_us` to now in every zone, none longer than a month.

    Neighbours share a day, because it is not documented whether the last day of a window counts.
    """
    first = datetime.fromtimestamp(since_us // 1_000_000, UTC) - timedelta(hours=ZONES_HOURS)
    last = datetime.fromtimestamp(now_us // 1_000_000, UTC) + timedelta(days=1, hours=ZONES_HOURS)
    edges = [first]
    while edges[-1] + timedelta(days=WINDOW_DAYS) < last:
        edges.append(edges[-1] + timedelta(days=WINDOW_DAYS))
    edges.append(last)
    return [(start, end) for start, end in pairwise(edges)]


def _says_end(body: Any) -> bool | None:
    """Return whether a pagination block says that this is the last page; None without one."""
    block = body.get("pagination") if isinstance(body, dict) else None
    if not isinstance(block, dict):
        return None
    if isinstance(block.get("has_next"), bool):
        return not block["has_next"]
    page, pages = block.get("currentPage"), block.get("totalPages")
    if isinstance(page, int) and isinstance(pages, int):
        return page >= pages
    return None


def _key(row: Mapping[str, Any]) -> bytes:
    """Return what a row is known by: its id, or all of it."""
    return orjson.dumps(row.get("ID") or row.get("id") or row, option=orjson.OPT_SORT_KEYS)


def _is_true(flag: Any) -> bool:
    return flag is True or (
        isinstance(flag, str | int) and str(flag).strip().lower() not in ("", "false", "0")
    )
