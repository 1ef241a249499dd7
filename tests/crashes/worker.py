"""One run that may kill itself at a step, as a power cut would: `go(FOLDER, POINT, NTH)` in a child process.

POINT names a function of the way (`STEPS`) and whether it dies before or after it; NTH which call of it.
Without POINT it is an ordinary run. Leases are short, so that a dead worker is found at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

import dialer.run
from dialer.attempts import answers, books, lane, ledger, reconcile, settle
from dialer.base.settings import read_settings
from dialer.calls import campaigns
from dialer.calls import load as loading
from dialer.campaign import read_campaign
from dialer.providers.unleashx.provider import UnleashX
from dialer.run import Run, dialing_rights
from dialer.store.database import Store
from dialer.store.migrate import prepare

STEPS: dict[str, tuple[Any, str]] = {
    "register the campaign": (campaigns, "register"),
    "write the list": (loading, "_write"),
    "claim calls": (ledger.claims, "claim"),
    "open attempts": (ledger, "_open"),
    "commit": (ledger, "_exchange"),
    "submit": (UnleashX, "submit"),
    "note the answer": (lane.Lane, "_note"),
    "write answers": (ledger, "record"),
    "give leases back": (ledger.claims, "give_back"),
    "look up": (UnleashX, "look_up"),
    "bind": (settle, "_bind"),
    "free": (settle, "free"),
}
SOMETIMES = ("look up", "bind", "free")
"""Steps that need an answer which was lost: a run may end without them."""


def go(folder: Path, environment: dict[str, str], point: str = "", nth: int = 1, for_s: float = 60.0) -> None:
    """Run the folder's campaign; the child's output goes to worker.log. Exits as `dialer run` does."""
    log = os.open(folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(environment)
    hurry()
    if point:
        die_at(point, nth)
    settings = read_settings(folder / "dialer.toml")
    campaign = read_campaign(folder / "campaigns" / "spring", settings)
    store = Store(settings.database_url)
    prepare(store)
    with dialing_rights(store):
        loading.load(store, campaign, only_new=True)
        progress = anyio.run(Run(store, campaign, campaign.account(settings), wait=True, for_s=for_s).go)
    store.close()
    sys.exit(progress.exit_code)


def hurry() -> None:
    """Shorten every pause that only matters where a provider is far and a day is long."""
    dialer.run.LEASE_S = 2.0
    lane.LEASE_MARGIN_S = 0.3
    books.RECHECK_S = 0.05
    answers.RETRY_FIRST_S = 0.05
    answers.FIRST_LOOKUP_S = 0.05
    reconcile.STEPS = (0.5, 1.0)
    dialer.run.LOOK_S = 0.05


def die_at(point: str, nth: int) -> None:
    """Let the process kill itself before or after the nth call of a step."""
    when, _, step = point.partition(" ")
    home, name = STEPS[step]
    real: Callable[..., Any] = getattr(home, name)
    left = [nth]

    def die() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def plain(*words: Any, **more: Any) -> Any:
        if when == "before":
            die()
        result = real(*words, **more)
        if when == "after":
            die()
        return result

    async def waiting(*words: Any, **more: Any) -> Any:
        if when == "before":
            die()
        try:
            return await real(*words, **more)
        finally:
            if when == "after":
                die()

    setattr(home, name, waiting if step in ("submit", "look up") else plain)
