"""`dialer demo`: a real campaign from a dirty list to an outcome table, against a pretend provider."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from dialer.attempts.progress import RunProgress
from dialer.base.errors import BadInput, NotReady
from dialer.base.log import configure_logging
from dialer.base.settings import Account, Settings
from dialer.calls.load import load
from dialer.campaign import read_campaign
from dialer.cli.deployment import open_store
from dialer.cli.dial import dial
from dialer.cli.look import print_outcomes
from dialer.cli.show import loading_bar, out, print_table
from dialer.run import dialing_rights
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.server import simulator_process
from dialer.tables.audit import audit

CALLS_PER_SECOND = 40.0
TOKEN = "demo-token"  # noqa: S105 - the simulator's, good for nothing else

SIMULATOR = SimulatorConfig(
    tokens=(TOKEN,),
    latency_ms=(20.0, 180.0),
    limit_per_second=int(CALLS_PER_SECOND),
    throttle_before=0.004,
    error_before=0.01,
    error_after=0.01,
    close_before=0.01,
    close_after=0.02,
    truncated_after=0.005,
    listing_delay_s=0.5,
    time_scale=60.0,
)
"""A provider on a bad day: it throttles, stalls, loses answers after placing calls, and lists calls late."""


def demo(*, seed: int = 1, database_url: str | None = None) -> int:
    """Run a real campaign against the bundled simulator, and print the outcome table.

    Args:
        seed: Another seed, another bad day at the provider.
        database_url: Where to keep the results; a fresh SQLite file where left out.
    """
    configure_logging(level=logging.WARNING)  # the figures at the end say it all
    if database_url is not None and not database_url.startswith(("sqlite:///", "postgresql")):
        raise BadInput(f"--database-url {database_url}: expected sqlite:///FILE or postgresql+psycopg://...")
    folder = Path(tempfile.mkdtemp(prefix="dialer-demo-"))
    url = database_url or f"sqlite:///{folder / 'dialer.db'}"
    console = out()
    config = SimulatorConfig(**{**_fields(SIMULATOR), "seed": seed, "ledger_file": folder / "ledger.jsonl"})
    with simulator_process(config) as provider_url:
        settings = Settings(
            database_url=url, campaigns=_campaigns(), accounts={"demo": _account(provider_url, folder)}
        )
        campaign = read_campaign("demo", settings)
        console.print(f"A pretend UnleashX answers on {provider_url}, as on a bad day.\n", markup=False)
        with open_store(settings, create=True) as store:
            with dialing_rights(store):
                with loading_bar() as watch:
                    [books] = load(store, campaign, watch=watch)
                _print_books(books.rows_read, books.accepted, books.rejected, books.duplicate, books.reasons)
                progress = dial(store, campaign, settings.accounts["demo"], wait=True)
            ledger: dict[str, Any] = httpx.get(f"{provider_url}/simulator/summary", trust_env=False).json()
            _print_run(progress, ledger)
            print_outcomes(store, campaign.name)
            report = audit(store, campaign.name, limits={"demo": (CALLS_PER_SECOND, None)})
            for line in report.lines():
                console.print(line, markup=False)
    twice = ledger["numbers_called_more_than_once"]
    console.print(
        f"The provider's own ledger: {ledger['calls_placed']} calls placed, {twice} numbers called twice."
    )
    console.print(f"\nThe results are in {url}", markup=False, soft_wrap=True)
    if twice:
        raise NotReady("a number was called twice: please report this with the seed")
    return progress.exit_code or report.exit_code


def _campaigns() -> Path:
    """Return the folder with the demo campaign: in the wheel, or in a checkout."""
    shipped = Path(__file__).parent / "campaigns"
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "campaigns"


def _account(base_url: str, folder: Path) -> Account:
    token = folder / "token"
    token.write_text(TOKEN)
    return Account.model_validate(
        {
            "name": "demo",
            "provider": "unleashx",
            "base_url": base_url,
            "token": f"file:{token}",
            "calls_per_second": CALLS_PER_SECOND,
            "timeout_s": 5.0,
            "poll_s": 0.5,
            "listing_delay_s": 3.0,
            "outcome_wait_s": 15.0,
        }
    )


def _print_books(read: int, accepted: int, rejected: int, duplicate: int, reasons: Counter[str]) -> None:
    out().print(f"{read} rows read = {accepted} accepted + {rejected} rejected + {duplicate} duplicate")
    in_order = sorted(reasons, key=lambda reason: (-reasons[reason], reason))
    rows = [(reason, reasons[reason]) for reason in in_order]
    print_table("Rejected and duplicate rows, each kept with its line and a reason", ("reason", "rows"), rows)


def _print_run(progress: RunProgress, ledger: dict[str, Any]) -> None:
    counts = progress.counts
    lines = [
        f"{counts.submitted} submissions at {progress.pace or 0:.1f} per second, limit {CALLS_PER_SECOND:g}, "
        f"held and slowed by {counts.throttled} answers 429; "
        f"the worst second at the provider had {ledger['submissions_worst_second']}",
        f"{counts.accepted} accepted with an execution id, "
        f"{counts.not_dialled} surely not dialled and sent again",
        f"{counts.unknown} unknown (the answer was lost): {progress.bound} found at the provider, "
        f"{progress.freed} not there and called again, {progress.unknown_left} left for a person",
    ]
    for line in lines:
        out().print(line, markup=False)


def _fields(config: SimulatorConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in config.__dataclass_fields__}
