"""`dialer init`, `simulate`, `db upgrade` and `db check`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from dialer.base.errors import BadInput
from dialer.campaign.examples import example_campaign, example_list, example_settings
from dialer.campaign.schema import write_schema
from dialer.cli.deployment import Config, open_store, settings_of
from dialer.cli.show import out
from dialer.simulator.config import SimulatorConfig, refuse_unread
from dialer.simulator.gateway import describe
from dialer.simulator.server import run_simulator
from dialer.store import migrate
from dialer.store.database import Store


def init(folder: Annotated[Path, Parameter(help="Where to write.")] = Path(), /) -> int:
    """Write a commented dialer.toml and an example campaign; nothing that is there is overwritten."""
    files = {
        "dialer.toml": example_settings(),
        "campaigns/example/campaign.toml": example_campaign(),
        "campaigns/example/contacts.csv": example_list(),
    }
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise BadInput(f"{folder / there[0]} is there already; nothing was written")
    try:
        for name, words in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(words, encoding="utf-8")
            out().print(f"wrote {path}", markup=False)
        write_schema(folder / "campaigns" / "campaign.schema.json")
    except OSError as error:
        raise BadInput(f"cannot write into {folder}: {error.strerror}") from error
    enter = "" if folder.resolve() == Path.cwd() else f"cd {folder}, "
    out().print(
        f"next: {enter}put your token into UNLEASHX_TOKEN, your list beside campaign.toml, "
        "then: dialer check example",
        markup=False,
        soft_wrap=True,
    )
    return 0


def simulate(
    provider: Literal["agentphone", "hamsa", "http", "unleashx"],
    /,
    *,
    port: int = 8000,
    host: str = "127.0.0.1",
    faults: Annotated[SimulatorConfig | None, Parameter(name="*")] = None,
) -> int:
    """Serve the provider's API on this machine, with a ledger of placed calls.

    The ledger is at /simulator/ledger, its figures at /simulator/summary. `http` is a small gateway; after
    its address it prints the part of dialer.toml that describes it.
    """
    if not 0 <= port <= 65535:
        raise BadInput(f"--port {port}, expected 0 to 65535")
    wanted = replace(faults) if faults else SimulatorConfig()
    refuse_unread(wanted, provider)

    def ready(url: str) -> None:
        said = f"{url}\n\n{describe(url, wanted.tokens[0])}" if provider == "http" else url
        out().print(said, markup=False, highlight=False, soft_wrap=True)
        out().file.flush()

    run_simulator(wanted, provider=provider, host=host, port=port, ready=ready)
    return 0


def upgrade(*, config: Config = None) -> int:
    """Bring the database to this version of dialer."""
    store = Store(settings_of(config).database_url)
    try:
        out().print(f"the database is at version {migrate.upgrade(store)}")
    finally:
        store.close()
    return 0


def check_database(*, config: Config = None) -> int:
    """Say whether the database is at this version of dialer."""
    with open_store(settings_of(config)) as store:
        out().print(f"the database is at version {migrate.check(store)}, as it should be")
    return 0
