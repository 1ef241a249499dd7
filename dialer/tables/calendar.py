"""When a plan's calls are placed, hour by hour: a heat map for a terminal, as HTML and as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from dialer.base.clock import as_datetime
from dialer.base.errors import BadInput
from dialer.calls.plan import QUARTER_S
from dialer.tables.whole import check_place, whole_file

SHADES = " ·░▒▓█"
DAYS_MAX = 28
"""So many days fit on a terminal; the others are counted."""
PNG_SCALE = 2.0
# A picture and no script: 20 kB in place of 900, it prints, and it is there in a third of a second.
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body style="font-family: sans-serif">{picture}</body></html>
"""


def hours(quarters: Mapping[int, float], zone: str) -> pl.DataFrame:
    """Return `calls` by `day` (Date) and `hour` (Int64) of the zone's clock, in order."""
    found: dict[tuple[date, int], float] = {}
    for quarter, calls in quarters.items():
        local = as_datetime(quarter * QUARTER_S * 1_000_000).astimezone(ZoneInfo(zone))
        key = (local.date(), local.hour)
        found[key] = found.get(key, 0.0) + calls
    rows = [(day, hour, round(calls, 1)) for (day, hour), calls in sorted(found.items()) if calls >= 0.05]
    return pl.DataFrame(rows, schema={"day": pl.Date, "hour": pl.Int64, "calls": pl.Float64}, orient="row")


def heat_map(by_hour: pl.DataFrame) -> list[str]:
    """Return the calendar as lines of text: a row for each day, a shade for each hour."""
    if by_hour.is_empty():
        return []
    most = float(by_hour["calls"].max())  # type: ignore[arg-type]
    lines = ["               " + "".join(f"{hour:<3d}" for hour in range(24)) + " calls"]
    days = by_hour.partition_by("day", as_dict=True, maintain_order=True)
    for (day,), part in list(days.items())[:DAYS_MAX]:
        calls = dict(zip(part["hour"].to_list(), part["calls"].to_list(), strict=True))
        cells = "".join(_shade(calls.get(hour, 0.0), most) * 2 + " " for hour in range(24))
        lines.append(f"{day:%a %Y-%m-%d} {cells} {sum(calls.values()):,.0f}")
    if len(days) > DAYS_MAX:
        lines.append(f"... and {len(days) - DAYS_MAX} more days")
    return lines


def legend(by_hour: pl.DataFrame) -> str:
    """Return what the shades of the heat map mean: calls in an hour."""
    most, steps = float(by_hour["calls"].max()), len(SHADES) - 1  # type: ignore[arg-type]
    begins = [most * step / steps for step in range(steps)]
    return ", ".join(
        f"{shade} {'any' if step == 0 else f'from {begin:,.0f}'}"
        for step, (shade, begin) in enumerate(zip(SHADES[1:], begins, strict=True))
        if step == 0 or round(begin) > round(begins[step - 1])
    )


def write_calendar(by_hour: pl.DataFrame, to: Path, title: str, zone: str) -> None:
    """Write the calendar to a file, whole or not at all: .html (nothing is fetched) or .png.

    Raises:
        BadInput: another ending, or no such folder.
        NotReady: it could not be written to its end.
    """
    if to.suffix.lower() not in (".html", ".png"):
        raise BadInput(f"{to}: expected a file that ends in .html or .png")
    check_place(to)
    chart = _chart(by_hour, title, zone)
    with whole_file(to) as part:
        if to.suffix.lower() == ".png":
            chart.save(str(part), format="png", scale_factor=PNG_SCALE)
        else:
            picture = StringIO()
            chart.save(picture, format="svg")
            part.write_text(PAGE.format(title=escape(title), picture=picture.getvalue()), encoding="utf-8")


def _chart(by_hour: pl.DataFrame, title: str, zone: str) -> Any:
    import altair  # takes half a second, which no other command should wait for

    shown = by_hour.with_columns(pl.col("day").dt.to_string("%Y-%m-%d %a"))
    return (
        altair.Chart(shown, title=title)
        .mark_rect(cornerRadius=2)
        .encode(
            x=altair.X("hour:O", title=f"hour ({zone})", scale=altair.Scale(domain=list(range(24)))),
            y=altair.Y("day:O", title=None),
            color=altair.Color("calls:Q", title="calls", scale=altair.Scale(scheme="blues", domainMin=0)),
            tooltip=["day", "hour", "calls"],
        )
        .properties(width=24 * 24, height=altair.Step(18))
    )


def _shade(calls: float, most: float) -> str:
    if calls <= 0:
        return SHADES[0]
    return SHADES[min(len(SHADES) - 1, 1 + int(calls / most * (len(SHADES) - 1)))]
