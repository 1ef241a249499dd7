"""Is a job queue faster: arq, Celery, procrastinate, with the same server and 64 calls at a time?

Each queue has its jobs enqueued beforehand and one worker, as ours has its list loaded; Celery runs threads
and requests, the others httpx. Redis keeps everything in memory, without syncing. The server takes the time.
"""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from scripts import CALLS, IN_FLIGHT, note, ours
from stage.databases import fresh, machine
from stage.others import missing, rate_of
from stage.server import serving

from dialer.store.database import Store
from dialer.store.migrate import prepare

ROUNDS = 2
QUEUES = ("arq", "celery", "procrastinate")
QUEUE_CALLS = 400
MUST = "2.5, better 6"


def main() -> None:
    print(f"{machine()}; {IN_FLIGHT} at a time, the server answers at once, median of {ROUNDS} rounds")
    there = [name for name in QUEUES if missing(name) is None]
    with (
        redis() as redis_url,
        fresh("sqlite") as sqlite,
        fresh("postgresql") as database,
        serving() as server,
    ):
        if redis_url is None:
            print("left out, arq and celery: install redis-server")
            there = [name for name in there if name == "procrastinate"]
        stores = {"SQLite": Store(sqlite), "PostgreSQL": Store(database)}
        for store in stores.values():
            prepare(store)
        rates: dict[str, list[float]] = {}
        for turn in range(ROUNDS + 1):
            for name, store in stores.items():
                note(rates, name, turn, ours(store, server))
            for name in there:
                with fresh("postgresql") if name == "procrastinate" else nothing() as own:
                    rate = rate_of(name, server, QUEUE_CALLS, REDIS_URL=redis_url or "", DATABASE_URL=own)
                note(rates, name, turn, rate)
        for store in stores.values():
            store.close()
    report({name: statistics.median(rounds) for name, rounds in rates.items()})


def report(rates: dict[str, float]) -> None:
    for name, rate in rates.items():
        print(f"{name:14}{rate:8.0f} calls/s" + (f", {CALLS} calls" if name not in QUEUES else ""))
    for name in QUEUES:
        if name not in rates and (words := missing(name)):
            print(f"left out, {words}")
    best = max((rate, name) for name, rate in rates.items() if name in QUEUES) if len(rates) > 2 else None
    for database in ("SQLite", "PostgreSQL"):
        if best:
            print(f"{database} / {best[1]}: {rates[database] / best[0]:.2f} (to reach: {MUST})")


@contextmanager
def nothing() -> Iterator[str]:
    yield ""


@contextmanager
def redis() -> Iterator[str | None]:
    """Give the URL of a Redis of its own, None where it is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
