"""Does a claim cost the same at ten million contacts as at ten thousand, and the last as much as the first?

Three in four contacts were called before. A claim is a ledger transaction of its own that leases 50 contacts.
Both lists take turns, claim by claim, so that whatever else the machine does meets both. The drain leases a
million while an analyst's transaction stays open, so that PostgreSQL can clean up nothing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice

from stage.books import write_books
from stage.databases import fresh, machine

from dialer.attempts import workers
from dialer.attempts.ledger import Desk, Wanted, ensure_account, exchange
from dialer.calls.claim import START, Asked
from dialer.calls.groups import UNGROUPED
from dialer.store.database import Store
from dialer.store.migrate import prepare

SMALL = 10_000
BLOCK = 50
CLAIMS = 41
DRAIN_BLOCK = 100


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--contacts", type=int, default=10_000_000)
    words.add_argument("--drain", type=int, default=1_000_000)
    words.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    asked = words.parse_args()
    print(f"{machine()}; medians of {CLAIMS} claims of {BLOCK}")
    for which in asked.database or ["sqlite", "postgresql"]:
        small, large = claims_in_turn(which, asked.contacts)
        print(f"{which}: {small:.2f} ms at {SMALL:,}, {large:.2f} ms at {asked.contacts:,} contacts")
        print(f"{which}: large / small: {large / small:.2f} (to reach: 1.3, better 1.1)", flush=True)
    if "postgresql" in (asked.database or ["postgresql"]):
        drain(asked.drain)


def claims_in_turn(which: str, contacts: int) -> tuple[float, float]:
    """Return the median milliseconds of a claim in a short list and in a long one."""
    with ExitStack() as stack:
        sides = []
        for rows in (SMALL, contacts):
            store = Store(stack.enter_context(fresh(which)))
            stack.callback(store.close)
            prepare(store)
            write_books(store, rows, rows // 4)
            sides.append(claims(store, BLOCK))
        took = [[next(side) for side in sides] for _ in range(CLAIMS + 5)][5:]
    small, large = (statistics.median(side) * 1000 for side in zip(*took, strict=True))
    return small, large


def drain(contacts: int) -> None:
    with fresh("postgresql") as url:
        store = Store(url)
        prepare(store)
        write_books(store, 1000, contacts)
        with store.read() as analyst:
            analyst.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            analyst.exec_driver_sql("SELECT count(*) FROM contacts").scalar()
            took = list(islice(claims(store, DRAIN_BLOCK), contacts // DRAIN_BLOCK))
        store.close()
    edge = max(20, len(took) // 50)
    first, last = (statistics.median(part) * 1000 for part in (took[5 : edge + 5], took[-edge:]))
    print(
        f"postgresql, {contacts:,} drained under an open snapshot: first {first:.2f} ms, last {last:.2f} ms"
    )
    print(f"last / first: {last / first:.2f} (to reach: 1.5, better 1.2)")


def claims(store: Store, block: int) -> Iterator[float]:
    """Claim block after block, each after the one before; give the seconds of each."""
    ensure_account(store, "bench")
    workers.enter(store, "bench", 3600.0)
    desk = Desk(store, "bench", "bench", "unleashx")
    cursor = START
    while True:
        began = time.perf_counter()
        (calls,) = exchange(desk, [1], wanted=[Wanted(1, block, [Asked(UNGROUPED, cursor)])]).claimed
        took = time.perf_counter() - began
        assert len(calls) == block
        cursor = cursor.after(calls)
        yield took


if __name__ == "__main__":
    main()
