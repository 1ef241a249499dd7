"""Lists that end late, never, or somewhere else than they say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.base.errors import NotReady
from dialer.providers.unleashx.lists import message_of, read_pages, rows_of, windows
from dialer.providers.wire import Speaker

pytestmark = pytest.mark.anyio

WHO = Speaker("spring", "UnleashX")
DAY_US = 86_400 * 1_000_000


class Listing:
    """A list of so many rows, that gives at most `cap` a page and may say where it ends."""

    def __init__(self, rows: int, cap: int = 1000, block: bool = False, stuck: bool = False) -> None:
        self.rows = [{"ID": n} for n in range(rows)]
        self.cap, self.block, self.stuck = cap, block, stuck
        self.pages = 0

    async def ask(self, asked: Mapping[str, Any]) -> Any:
        self.pages += 1
        limit = min(asked["limit"], self.cap)
        first = 0 if self.stuck else (asked["page"] - 1) * limit
        body: dict[str, Any] = {"datalist": self.rows[first : first + limit]}
        if self.block:
            pages = -(-len(self.rows) // limit)
            body["pagination"] = {"currentPage": asked["page"], "totalPages": pages}
        return body

    async def read(self, page_size: int = 100, pages_max: int = 50) -> list[int]:
        pages = read_pages(self.ask, {}, page_size=page_size, pages_max=pages_max, who=WHO)
        return [row["ID"] async for page in pages for row in page]


@given(rows=st.integers(0, 350), cap=st.sampled_from([10, 25, 30, 100, 1000]), block=st.booleans())
async def test_every_row_is_read_once_whatever_the_provider_allows_a_page(
    rows: int, cap: int, block: bool
) -> None:
    listing = Listing(rows, cap, block)
    assert await listing.read() == list(range(rows))


async def test_a_list_with_few_rows_costs_one_request() -> None:
    listing = Listing(3)
    assert await listing.read() == [0, 1, 2]
    assert listing.pages == 1


async def test_a_pagination_block_saves_the_request_that_finds_nothing() -> None:
    listing = Listing(200, block=True)
    await listing.read()
    assert listing.pages == 2


async def test_a_list_that_repeats_its_page_ends() -> None:
    listing = Listing(100, stuck=True)
    assert await listing.read() == list(range(100))
    assert listing.pages == 2


async def test_a_list_that_does_not_end_is_told_and_not_taken_for_complete() -> None:
    with pytest.raises(NotReady, match="pages_max"):
        await Listing(1000).read(page_size=100, pages_max=5)


@pytest.mark.parametrize(
    "body",
    [
        {"datalist": [{"ID": 1}]},
        {"transactions": [{"ID": 1}], "headers": []},
        {"success": True, "message": "ok", "data": {"datalist": [{"ID": 1}]}},
        {"error": False, "code": 200, "data": {"success": True, "data": {"datalist": [{"ID": 1}]}}},
        {"error": False, "data": [{"ID": 1}]},
        {"datalist": [{"ID": 1}, None, "odd"]},
    ],
)
def test_rows_are_found_in_every_envelope(body: Any) -> None:
    assert rows_of(body) == [{"ID": 1}]


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        "text",
        {"data": {}},
        {"error": True, "datalist": []},
        {"success": False, "data": {"datalist": []}},
        {"message": "Under maintenance"},
    ],
)
async def test_an_answer_that_is_no_list_is_never_taken_for_an_empty_one(body: Any) -> None:
    async def ask(_: Mapping[str, Any]) -> Any:
        return body

    assert rows_of(body) is None
    with pytest.raises(NotReady, match="without a list"):
        [page async for page in read_pages(ask, {}, page_size=10, pages_max=3, who=WHO)]


def test_the_message_is_found_in_every_envelope() -> None:
    assert message_of({"error": True, "message": "A"}) == "A"
    assert message_of({"data": {"message": "inner"}}) == "inner"
    assert message_of({"error": "B"}) == "B"
    assert message_of([1]) == ""


@given(since_days=st.integers(0, 400), hour=st.integers(0, 23))
def test_windows_cover_the_time_in_every_zone_and_none_is_longer_than_a_month(
    since_days: int, hour: int
) -> None:
    now = datetime(2026, 11, 21, hour, 30, tzinfo=UTC)
    since = now - timedelta(days=since_days)
    cut = windows(round(since.timestamp() * 1e6), round(now.timestamp() * 1e6))
    for start, end in cut:
        assert timedelta(0) < end - start <= timedelta(days=28)
    for (_, end), (start, _) in pairwise(cut):
        assert end == start
    midnights = [start.replace(hour=0, minute=0) for start, _ in cut]
    # As midnight in the westernmost zone, 12 hours behind, the first day is still early enough.
    assert midnights[0] + timedelta(hours=12) <= since
    # As midnight in the easternmost zone, 14 hours ahead, the last day is still late enough.
    assert cut[-1][1].replace(hour=0, minute=0) - timedelta(hours=14) > now
