"""What does full durability cost: the ledger around each call, against the same client without a database?

Both sides send the same submissions through the same provider, client and transport, 64 in flight. One side
only counts the answers; the other commits every intent before its request leaves and every answer after it.
A server that answers after 50 ms is as fast as providers get; one that answers at once is the worst case,
where client, server and database share the cores and nobody ever waits. As in a run, the interpreter is
told to make way first (`make_way`), for both sides.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable

from sqlalchemy import event
from stage.databases import fresh, machine
from stage.durable import CLOCK, dial_once, phone, provider_at
from stage.server import serving

from dialer.base.ids import new_attempt_id
from dialer.engine import make_way
from dialer.providers.provider import Submission
from dialer.store.database import Store
from dialer.store.migrate import prepare

IN_FLIGHT = 64
ROUNDS = 3
CALLS = {0.05: 4000, 0.0: 20_000}
"""Calls of a round, by the seconds that the server takes to answer."""
TO_REACH = "by calls per second SQLite 0.90, PostgreSQL 0.86; by CPU 0.82"
TO_REACH_SLOWED = "by calls per second 0.78"
Side = Callable[[str, int], tuple[float, float]]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--slow-commit-ms", type=float, default=0.0, help="make every commit this much slower")
    slow_commit_ms = words.parse_args().slow_commit_ms
    slower = f", commits {slow_commit_ms:g} ms slower" if slow_commit_ms else ""
    print(f"{machine()}; {IN_FLIGHT} in flight, {ROUNDS} rounds in turn after one to warm up{slower}\n")
    with fresh("sqlite") as sqlite, fresh("postgresql") as postgresql:
        make_way()
        sides: dict[str, Side] = {"without a database": bare}
        for name, database in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
            sides[name] = durable(Store(database), slow_commit_ms)
        for latency_s, calls in CALLS.items():
            figures: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
            with serving(latency_s) as server:
                for turn in range(ROUNDS + 1):
                    for name, side in sides.items():
                        measured = side(server.url, calls)
                        if turn:
                            figures[name].append(measured)
            print(f"the server answers after {latency_s * 1000:g} ms, {calls} calls a round")
            report(figures, TO_REACH_SLOWED if slow_commit_ms else TO_REACH)


def report(figures: dict[str, list[tuple[float, float]]], to_reach: str) -> None:
    bare_rounds = figures["without a database"]
    print(f"{'':22}{'calls/s':>9}{'CPU us':>8}{'x calls/s':>11}{'x CPU':>7}   worst and best round")
    for name, rounds in figures.items():
        ratios = [mine[0] / its[0] for mine, its in zip(rounds, bare_rounds, strict=True)]
        cpu_ratios = [its[1] / mine[1] for mine, its in zip(rounds, bare_rounds, strict=True)]
        rate = statistics.median(rate for rate, _ in rounds)
        cpu = statistics.median(cpu for _, cpu in rounds)
        print(
            f"{name:22}{rate:9.0f}{cpu:8.0f}{statistics.median(ratios):11.2f}"
            f"{statistics.median(cpu_ratios):7.2f}   {min(ratios):.2f} to {max(ratios):.2f}"
        )
    print(f"to reach: {to_reach}\n")


def bare(url: str, calls: int) -> tuple[float, float]:
    async def run() -> tuple[float, float]:
        left = iter(range(calls))
        async with provider_at(url, IN_FLIGHT) as provider:

            async def sender() -> None:
                for number in left:
                    await provider.submit(
                        Submission(
                            new_attempt_id(CLOCK.now_us()), phone(number), "962", None, {"customer_id": "C1"}
                        )
                    )

            started, cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))
            return calls / (time.perf_counter() - started), (time.process_time() - cpu) / calls * 1e6

    return asyncio.run(run())


def durable(store: Store, slow_commit_ms: float) -> Side:
    prepare(store)
    if slow_commit_ms:
        event.listen(store.engine, "commit", lambda connection: time.sleep(slow_commit_ms / 1000))

    def side(url: str, calls: int) -> tuple[float, float]:
        return asyncio.run(dial_once(store, url, calls, IN_FLIGHT))

    return side


if __name__ == "__main__":
    main()
