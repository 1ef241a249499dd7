"""`dialer status`, `export` and `audit`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from dialer.base.settings import Settings
from dialer.cli.deployment import Config, campaign_name, open_store, rules_of, settings_of
from dialer.cli.show import out, print_json, print_table
from dialer.store.database import Store
from dialer.tables.audit import audit as audit_store
from dialer.tables.export import export as export_to
from dialer.tables.progress import outcome_table, progress

Which = Annotated[str | None, Parameter(help="A campaign; every campaign where left out.")]


def status(
    campaign: Which = None, /, *, json: bool = False, watch: bool = False, config: Config = None
) -> int:
    """Show progress, pace and outcomes.

    Args:
        json: Print one JSON document instead of tables.
        watch: Show it again every two seconds, until Ctrl-C.
    """
    settings = settings_of(config)
    name = campaign_name(campaign, settings) if campaign is not None else None
    with open_store(settings) as store:
        while True:
            _print_status(store, settings, name, json=json)
            if not watch:
                return 0
            time.sleep(2)


def export(
    what: Literal["contacts", "attempts", "outcomes", "rejects"],
    /,
    *,
    to: Path,
    campaign: str | None = None,
    config: Config = None,
) -> int:
    """Write a table to a file: .csv, .parquet or .jsonl, by its ending.

    Args:
        to: The file to write; it is complete or not there.
        campaign: Only this campaign.
    """
    settings = settings_of(config)
    name = campaign_name(campaign, settings) if campaign is not None else None
    notes: list[str] = []
    with open_store(settings) as store:
        rows = export_to(store, what, to, name, notes)
    note = ": there is nothing to mend" if what == "rejects" and not rows else ""
    out().print(f"{rows} rows of {what} in {to}{note}", markup=False)
    for lost in notes:
        out().print(f"  note: {lost}", markup=False)
    return 0


def audit(campaign: Which = None, /, *, json: bool = False, config: Config = None) -> int:
    """Prove from the database that nobody was called twice, nobody lost, no limit exceeded.

    Args:
        json: Print one JSON document instead of lines.
    """
    settings = settings_of(config)
    name = campaign_name(campaign, settings) if campaign is not None else None
    limits = {
        account.name: (account.calls_per_second, account.requests_per_minute)
        for account in settings.accounts.values()
    }
    with open_store(settings) as store:
        report = audit_store(store, name, limits=limits, rules=rules_of(settings))
    if json:
        print_json(report.as_json())
    else:
        for line in report.lines():
            out().print(line, markup=False)
    return report.exit_code


def print_outcomes(store: Store, campaign: str) -> None:
    """Print how many contacts are in each status, and why."""
    rows = [
        (one.status, one.result, one.contacts, f"{one.share:.1%}") for one in outcome_table(store, campaign)
    ]
    print_table("Outcomes", ("status", "result", "contacts", "share"), rows)


def _print_status(store: Store, settings: Settings, name: str | None, *, json: bool) -> None:
    rows = progress(store, name, accounts=settings.accounts, rules=rules_of(settings))
    if json:
        print_json(
            [
                {**one._asdict(), "outcomes": [row._asdict() for row in outcome_table(store, one.campaign)]}
                for one in rows
            ]
        )
        return
    if not rows:
        out().print("no campaign was loaded yet; begin with: dialer load CAMPAIGN")
    for one in rows:
        for line in one.lines():
            out().print(line, markup=False)
        print_outcomes(store, one.campaign)
