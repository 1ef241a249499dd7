"""The calendar of a plan: every call in its hour of the zone's clock, as text, HTML and PNG."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dialer.base.errors import BadInput
from dialer.tables.calendar import heat_map, hours, write_calendar
from tests.rules.conftest import moment

QUARTERS = {
    moment("2026-07-01T18:30:00") // 900_000_000: 6.0,
    moment("2026-07-01T18:45:00") // 900_000_000: 2.0,
    moment("2026-07-01T19:00:00") // 900_000_000: 1.0,
}


def test_calls_stand_in_the_hours_of_the_zones_clock() -> None:
    assert hours(QUARTERS, "UTC").rows() == [(date(2026, 7, 1), 18, 8.0), (date(2026, 7, 1), 19, 1.0)]
    assert hours(QUARTERS, "Asia/Kolkata").rows() == [(date(2026, 7, 2), 0, 9.0)]


def test_the_terminal_shows_a_row_for_each_day_and_a_shade_for_each_hour() -> None:
    head, day = heat_map(hours(QUARTERS, "UTC"))
    assert day.startswith("Wed 2026-07-01 ")
    assert day.endswith(" 9")
    assert head.index("18") == day.index("██")
    assert day.count("██") == 1
    assert heat_map(hours({}, "UTC")) == []


@pytest.mark.parametrize("ending", ["html", "png"])
def test_the_calendar_is_written_whole_and_fetches_nothing(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"calendar.{ending}"
    write_calendar(hours(QUARTERS, "UTC"), file, "spring", "UTC")
    written = file.read_bytes()
    assert written.startswith(b"\x89PNG" if ending == "png" else b"<!DOCTYPE html>")
    assert b"<script" not in written
    assert ending == "png" or b"calls: 8" in written
    with pytest.raises(BadInput, match=r"\.html or \.png"):
        write_calendar(hours(QUARTERS, "UTC"), tmp_path / "calendar.gif", "spring", "UTC")
