"""`dialer runs`: which runs there were, what started them, why they ended, and with what figures."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from cyclopts import Parameter

from dialer.base.clock import as_datetime
from dialer.calls import runs as records
from dialer.calls.runs import RunRecord
from dialer.cli.deployment import Config, campaign_name, open_store, settings_of
from dialer.cli.show import err, print_json, print_table

NOTE = (
    "note: what workers dial after `dialer resume` or `dialer worker CAMPAIGN` is no run;"
    " dialer status and dialer export attempts have it"
)


def runs(
    campaign: Annotated[str | None, Parameter(help="A campaign; every campaign where left out.")] = None,
    /,
    *,
    most: Annotated[int, Parameter(help="So many of the newest.")] = 20,
    json: bool = False,
    config: Config = None,
) -> int:
    """List the newest runs: started by what and when, ended when and why, and what they did.

    A run is what `dialer run`, `dialer test-call` or a due time of `[hours] cron` began. What workers dial
    after `dialer resume` or `dialer worker CAMPAIGN` has no beginning and no end of its own, and is no run.

    Args:
        json: Print one JSON document instead of a table.
    """
    settings = settings_of(config)
    name = campaign_name(campaign, settings) if campaign is not None else "*"
    with open_store(settings) as store:
        found = records.latest(store, name, most)
        had_workers = records.had_workers(store)
    if json:
        print_json([_plain(one) for one in found])
        return 0
    print_table(
        "Runs, times in UTC",
        (
            "campaign",
            "started by",
            "due",
            "started",
            "ended",
            "submitted",
            "accepted",
            "exit",
            "why it ended",
        ),
        [_row(one) for one in found],
    )
    if had_workers:
        err().print(NOTE, markup=False, soft_wrap=True)
    return 0


def _figures(one: RunRecord) -> dict[str, Any]:
    return dict(orjson.loads(one.figures)) if one.figures else {}


def _row(one: RunRecord) -> tuple[Any, ...]:
    figures = _figures(one)
    return (
        one.campaign,
        one.started_by,
        _moment(one.due_at_us),
        _moment(one.started_at_us),
        _moment(one.ended_at_us),
        figures.get("submitted"),
        figures.get("accepted"),
        one.exit_code,
        one.ended or "runs, or its process died",
    )


def _plain(one: RunRecord) -> dict[str, Any]:
    return {
        "run_id": one.run_id,
        "campaign": one.campaign,
        "started_by": one.started_by,
        "due_at": as_datetime(one.due_at_us) if one.due_at_us is not None else None,
        "started_at": as_datetime(one.started_at_us),
        "ended_at": as_datetime(one.ended_at_us) if one.ended_at_us is not None else None,
        "ended": one.ended,
        "exit_code": one.exit_code,
        "figures": _figures(one),
    }


def _moment(at_us: int | None) -> str | None:
    return f"{as_datetime(at_us):%Y-%m-%d %H:%M}" if at_us is not None else None
