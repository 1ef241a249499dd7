"""Does a process that dials a list of a million need more memory than one that dials ten thousand?

The same number of calls is placed from both lists, each in a process of its own; the list is written by
another process before.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from stage.databases import fresh, machine
from stage.durable import dial, fill
from stage.server import serving

from dialer.store.database import Store
from dialer.store.migrate import prepare

SMALL = 10_000
CALLS = 5_000
IN_FLIGHT = 64


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--contacts", type=int, default=1_000_000)
    words.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    asked = words.parse_args()
    print(f"{machine()}; the most memory that a process held while it placed {CALLS:,} calls")
    for which in asked.database or ["sqlite", "postgresql"]:
        small, large = peak_mib(which, SMALL), peak_mib(which, asked.contacts)
        print(f"{which}: {small:.0f} MiB of {SMALL:,}, {large:.0f} MiB of {asked.contacts:,} contacts")
        print(f"{which}: large / small: {large / small:.2f}", flush=True)


def peak_mib(which: str, contacts: int) -> float:
    """Return the peak resident memory of a process that dials from a list of so many contacts."""
    with fresh(which) as database, serving() as server:
        campaign_id = in_a_process(write_list, database, contacts)
        return float(in_a_process(dial_some, database, server.url, campaign_id))


def write_list(database: str, contacts: int) -> int:
    store = Store(database)
    prepare(store)
    return fill(store, 1, contacts)


def dial_some(database: str, url: str, campaign_id: int) -> float:
    asyncio.run(dial(Store(database), url, campaign_id, CALLS, IN_FLIGHT))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def in_a_process(work: Callable[..., Any], *words: Any) -> Any:
    """Return what `work` returns in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=answer, args=(there, work, words))
    process.start()
    answered = here.recv()
    process.join()
    return answered


def answer(pipe: Connection, work: Callable[..., Any], words: tuple[Any, ...]) -> None:
    pipe.send(work(*words))


if __name__ == "__main__":
    main()
