"""Finding a call again: what is proof, what is a candidate, what is neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from dialer.base.clock import ManualClock
from dialer.base.errors import NotReady
from dialer.providers.unleashx.provider import NOBODY
from tests.providers.scripted import CALL, PHONE, TOKEN, Answer, attempt, row, scripted

pytestmark = pytest.mark.anyio

UUID = "550e8400-e29b-41d4-a716-446655440000"


def listing(rows: Callable[[httpx.QueryParams], list[dict[str, Any]]]) -> Answer:
    """Answer every list with the rows that a function of the parameters chooses."""

    def answer(request: httpx.Request) -> httpx.Response:
        name = "transactions" if "transaction" in request.url.path else "datalist"
        return httpx.Response(200, json={name: rows(request.url.params)})

    return answer


def by_number(*rows: dict[str, Any]) -> Answer:
    """Only the search by number finds something."""
    return listing(lambda asked: list(rows) if "calling_number" in asked else [])


async def refs(answer: Answer, clock: ManualClock, execution_id: str | None = None, **keys: Any) -> list[str]:
    async with scripted(answer, clock, **keys) as opened:
        found = await opened.provider.look_up(attempt(clock, execution_id))
    return [each.provider_ref for each in found]


async def test_the_question_is_documented_filters_over_the_days_around_the_submission(
    clock: ManualClock,
) -> None:
    async with scripted(by_number(), clock) as opened:
        assert await opened.provider.look_up(attempt(clock)) == []
    first, probe = (dict(request.url.params) for request in opened.asked)
    assert first["agent_id"] == "962"
    assert first["calling_number"] == PHONE[1:]
    assert first["fromdate"] <= "2026-09-21" < first["todate"]
    assert probe["input_data"] == CALL.attempt_id
    assert {request.headers["token"] for request in opened.asked} == {TOKEN}
    assert {request.method for request in opened.asked} == {"GET"}
    assert opened.paced == 2


async def test_a_call_to_this_number_since_then_is_a_candidate(clock: ManualClock) -> None:
    assert await refs(by_number(row(clock)), clock) == ["48213"]


async def test_two_calls_to_this_number_are_two_candidates(clock: ManualClock) -> None:
    assert await refs(by_number(row(clock), row(clock, ID=48214)), clock) == ["48213", "48214"]


@pytest.mark.parametrize(
    "columns",
    [
        {"CALLING_NUMBER": PHONE + "0"},
        {"CALLING_NUMBER": PHONE[:-1]},
        {"CALLING_NUMBER": None},
        {"AGENT_ID": 963},
        {"INPUT_DATA": {"dialer_attempt_id": "another"}},
    ],
)
async def test_another_number_agent_or_attempt_is_none(clock: ManualClock, columns: dict[str, Any]) -> None:
    assert await refs(by_number(row(clock, **columns)), clock) == []


@pytest.mark.parametrize("number", [PHONE, PHONE[1:], "00" + PHONE[1:]])
async def test_the_number_may_be_kept_with_or_without_its_plus(clock: ManualClock, number: str) -> None:
    assert await refs(by_number(row(clock, CALLING_NUMBER=number)), clock) == ["48213"]


@pytest.mark.parametrize(("seconds", "found"), [(-60, True), (-120, True), (-121, False), (3600, True)])
async def test_a_call_from_before_the_submission_counts_only_within_the_clock_margin(
    clock: ManualClock, seconds: int, found: bool
) -> None:
    created = clock.now_us() // 1000 + seconds * 1000
    assert bool(await refs(by_number(row(clock, CREATED_AT=created)), clock)) is found


@pytest.mark.parametrize(
    ("created", "keys", "found"),
    [
        # The clock stands at 2026-09-21 14:13:20 UTC.
        ("2026-09-21 07:13:25", {}, True),  # New York's clock, zone not said
        ("2026-09-21 19:43:25", {}, True),  # Kolkata's
        ("2026-09-21 01:00:00", {}, False),
        ("2026-09-21 07:13:25", {"time_zone": "UTC"}, False),
        ("2026-09-21 19:43:25", {"time_zone": "Asia/Kolkata"}, True),
        ("2026-09-21 19:13:25", {"time_zone": "Asia/Kolkata"}, False),
        ("2026-09-21", {}, True),
        ("", {}, True),
    ],
)
async def test_a_date_without_a_zone_gets_a_wide_margin_unless_the_account_names_the_zone(
    clock: ManualClock, created: str, keys: dict[str, Any], found: bool
) -> None:
    assert bool(await refs(by_number(row(clock, CREATED_AT=created)), clock, **keys)) is found


async def test_a_row_with_our_attempt_id_is_proof_and_comes_alone(clock: ManualClock) -> None:
    proof = row(clock, ID=7, INPUT_DATA=f'{{"dialer_attempt_id":"{CALL.attempt_id}"}}')
    async with scripted(by_number(row(clock), proof), clock) as opened:
        [found] = await opened.provider.look_up(attempt(clock))
    assert (found.provider_ref, found.attempt_id) == ("7", CALL.attempt_id)
    assert len(opened.asked) == 1, "nothing is left to ask"


async def test_a_hit_by_input_data_is_proof_where_the_list_filters_by_it(clock: ManualClock) -> None:
    def rows(asked: httpx.QueryParams) -> list[dict[str, Any]]:
        both = [row(clock, ID=1), row(clock, ID=2)]
        return {CALL.attempt_id: [both[1]], NOBODY: []}.get(asked.get("input_data"), both)

    async with scripted(listing(rows), clock) as opened:
        [found] = await opened.provider.look_up(attempt(clock))
        assert (found.provider_ref, found.attempt_id) == ("2", CALL.attempt_id)
        await opened.provider.look_up(attempt(clock))
    controls = [request for request in opened.asked if request.url.params.get("input_data") == NOBODY]
    assert len(controls) == 1, "whether the list filters is asked once"


async def test_a_list_that_ignores_the_filter_proves_nothing(clock: ManualClock) -> None:
    async with scripted(listing(lambda _: [row(clock)]), clock) as opened:
        [found] = await opened.provider.look_up(attempt(clock))
    assert found.attempt_id is None


async def test_a_known_execution_id_is_proof(clock: ManualClock) -> None:
    rows = (row(clock, ID=1), row(clock, ID=2, TRACK_ID=UUID))
    assert await refs(by_number(*rows), clock, execution_id=UUID) == ["2"]


async def test_a_known_execution_id_is_looked_for_among_the_transactions(clock: ManualClock) -> None:
    def rows(asked: httpx.QueryParams) -> list[dict[str, Any]]:
        if asked.get("search") == UUID:
            return [{"ID": 5, "TRACK_ID": UUID, "TOTAL_COST": 0.2}, {"ID": 6, "TRACK_ID": "other"}]
        return []

    async with scripted(listing(rows), clock) as opened:
        [found] = await opened.provider.look_up(attempt(clock, UUID))
    assert (found.provider_ref, found.execution_id, found.cost) == ("transaction:5", UUID, 0.2)


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (httpx.Response(401), "token"),
        (httpx.Response(404), "base_url"),
        (httpx.Response(302, headers={"location": "https://elsewhere.example"}), "redirect"),
        (httpx.Response(500), "answered 500"),
        (httpx.Response(200, content=b"<html>"), "not JSON"),
        (httpx.Response(200, json={"error": True, "message": "Under maintenance"}), "Under maintenance"),
        (httpx.Response(200, json={"message": f"token {TOKEN}"}), "without a list"),
    ],
)
async def test_what_is_no_list_is_never_taken_for_absence(
    clock: ManualClock, response: httpx.Response, told: str
) -> None:
    async with scripted(lambda _: response, clock) as opened:
        with pytest.raises(NotReady, match=told) as caught:
            await opened.provider.look_up(attempt(clock))
    assert TOKEN not in str(caught.value)


async def test_an_agent_of_another_provider_cannot_be_asked_about(clock: ManualClock) -> None:
    async with scripted(by_number(), clock) as opened:
        with pytest.raises(NotReady, match="whole number"):
            await opened.provider.look_up(replace(attempt(clock), agent="agent_abc"))
    assert opened.asked == []


async def test_executions_older_than_asked_for_are_left_out(clock: ManualClock) -> None:
    now_ms = clock.now_us() // 1000
    rows = [
        row(clock, ID=1, CREATED_AT=now_ms - 7_200_000),
        row(clock, ID=2),
        row(clock, ID=3, CREATED_AT=None),
    ]
    async with scripted(listing(lambda _: rows), clock) as opened:
        pages = [page async for page in opened.provider.executions("962", clock.now_us() - 3_600_000_000)]
    assert [each.provider_ref for page in pages for each in page] == ["2", "3"]


async def test_executions_of_a_long_time_are_asked_for_month_by_month(clock: ManualClock) -> None:
    async with scripted(listing(lambda _: []), clock) as opened:
        since_us = clock.now_us() - 90 * 86_400 * 1_000_000
        assert [page async for page in opened.provider.executions("962", since_us)] == []
    asked = [(request.url.params["fromdate"], request.url.params["todate"]) for request in opened.asked]
    assert len(asked) == 4
    assert [end for _, end in asked[:-1]] == [start for start, _ in asked[1:]]


async def test_dates_are_written_as_the_account_says(clock: ManualClock) -> None:
    async with scripted(listing(lambda _: []), clock, date_format="%Y-%m-%d %H:%M:%S") as opened:
        await opened.provider.look_up(attempt(clock))
    assert opened.asked[0].url.params["fromdate"] == "2026-09-21 00:13:20"
