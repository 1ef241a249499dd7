"""One run that may kill itself at a step, as a power cut would: `python worker.py FOLDER POINT NTH`.

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
from dialer.attempts import answers, lane, ledger, settle
from dialer.base.settings import read_settings
from dialer.calls import campaigns
from dialer.calls import load as loading
from dialer.campaign import read_campaign
from dialer.providers.unleashx import UnleashX
from dialer.run import Run, dialing_rights
from dialer.store.database import Store
from dialer.store.migrate import prepare

STEPS: dict[str, tuple[Any, str]] = {
    "write the list": (loading, "append"),
    "register the campaign": (campaigns, "register"),
    "write answers": (ledger, "_record"),
    "open attempts": (ledger, "_open"),
    "claim calls": (ledger.claims, "claim"),
    "commit": (ledger, "_exchange"),
    "submit": (UnleashX, "submit"),
    "note the answer": (lane.Lane, "_note"),
    "look up": (UnleashX, "look_up"),
    "bind": (settle, "_bind"),
    "free": (settle, "free"),
    "give leases back": (ledger.claims, "give_back"),
}


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


def main(folder: Path, point: str = "", nth: str = "1") -> int:
    dialer.run.LEASE_S = 2.0
    lane.LEASE_MARGIN_S = 0.3
    lane.RECHECK_S = 0.05
    answers.RETRY_FIRST_S = 0.05
    dialer.run.LOOK_S = 0.05
    if point:
        die_at(point, int(nth))
    settings = read_settings(folder / "dialer.toml")
    campaign = read_campaign(folder / "campaigns" / "spring", settings)
    store = Store(settings.database_url)
    prepare(store)
    with dialing_rights(store, "unleashx"):
        loading.load(store, campaign, only_new=True)
        progress = anyio.run(Run(store, campaign, campaign.account(settings), wait=True).go)
    store.close()
    return progress.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
