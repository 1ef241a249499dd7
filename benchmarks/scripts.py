"""What does a script place in the same time: one shared httpx client, or a bare aiohttp session?

The scripts are what people write: gather over all numbers, a semaphore of 64, one row of CSV for each answer
(httpx), or nothing written at all (aiohttp). Ours commits every intent before its request and every answer
after it. All are timed by the server, from the first call that arrived to the last.
"""

from __future__ import annotations

import asyncio
import statistics

from stage.databases import fresh, machine
from stage.durable import dial_once
from stage.others import missing, rate_of
from stage.server import Served, serving

from dialer.store.database import Store
from dialer.store.migrate import prepare

IN_FLIGHT = 64
ROUNDS = 3
CALLS = 4000
SCRIPTS = {"httpx": (200, "6, better 15"), "aiohttp": (CALLS, "0.25, better 0.75")}
"""Calls of a round, and what our calls per second are to be of theirs."""


def main() -> None:
    print(f"{machine()}; {IN_FLIGHT} in flight, the server answers at once, median of {ROUNDS} rounds")
    rates: dict[str, list[float]] = {}
    with fresh("sqlite") as sqlite, fresh("postgresql") as postgresql, serving() as server:
        stores = {"SQLite": Store(sqlite), "PostgreSQL": Store(postgresql)}
        for store in stores.values():
            prepare(store)
        for turn in range(ROUNDS + 1):
            for name, store in stores.items():
                note(rates, name, turn, ours(store, server))
            for name, (calls, _) in SCRIPTS.items():
                if not missing(name):
                    note(rates, name, turn, rate_of(name, server, calls))
        for store in stores.values():
            store.close()
    report({name: statistics.median(rounds) for name, rounds in rates.items()})


def note(rates: dict[str, list[float]], name: str, turn: int, rate: float) -> None:
    if turn:  # the first is to warm up
        rates.setdefault(name, []).append(rate)


def ours(store: Store, server: Served) -> float:
    server.seen()
    asyncio.run(dial_once(store, server.url, CALLS, IN_FLIGHT))
    return server.seen().per_second


def report(rates: dict[str, float]) -> None:
    for name, rate in rates.items():
        print(f"{name:12}{rate:8.0f} calls/s")
    for script, (_, must) in SCRIPTS.items():
        if script not in rates:
            print(f"left out, {missing(script)}")
            continue
        for database in ("SQLite", "PostgreSQL"):
            print(f"{database} / {script}: {rates[database] / rates[script]:.2f} (to reach: {must})")


if __name__ == "__main__":
    main()
