"""Does an audit of ten million attempts take less than a minute?

Bulk SQL writes the books of a long campaign into each database; then the audit proves them, in a process of
its own, whose memory is measured too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from multiprocessing.connection import Connection

from stage.books import write_books
from stage.databases import fresh, machine

from dialer.store.database import Store
from dialer.store.migrate import prepare
from dialer.tables.audit import audit

LIMITS = {"bench": (100.0, None)}


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--attempts", type=int, default=10_000_000)
    words.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    asked = words.parse_args()
    print(machine())
    slow = False
    for which in asked.database or ["sqlite", "postgresql"]:
        with fresh(which) as url:
            began = time.perf_counter()
            store = Store(url)
            prepare(store)
            write_books(store, asked.attempts)
            store.close()
            print(
                f"{which}: {asked.attempts:,} attempts written in {time.perf_counter() - began:.0f} s",
                flush=True,
            )
            seconds, megabytes = measured(url)
            slow = slow or seconds > 60
            print(f"{which}: audited in {seconds:.1f} s (to reach: 60), {megabytes:.0f} MB at its peak\n")
    return int(slow)


def measured(url: str) -> tuple[float, float]:
    """Audit in a fresh process; return its seconds and its megabytes."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=prove, args=(there, url))
    process.start()
    seconds, megabytes, lines = here.recv()
    process.join()
    print("\n".join(lines))
    return seconds, megabytes


def prove(pipe: Connection, url: str) -> None:
    store = Store(url)
    began = time.perf_counter()
    report = audit(store, limits=LIMITS)
    seconds = time.perf_counter() - began
    store.close()
    assert report.ok, "\n".join(report.lines())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    pipe.send((seconds, peak, report.lines()[-1:]))


if __name__ == "__main__":
    sys.exit(main())
