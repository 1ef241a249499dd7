"""A worker is killed at every numbered step; nobody is called twice and nobody is lost."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from dialer.simulator.config import SimulatorConfig
from dialer.simulator.server import simulator_process
from dialer.store.database import Store
from dialer.tables.audit import audit
from tests.crashes import worker
from tests.crashes.worker import SOMETIMES, STEPS
from tests.deployment import TOKEN, Deployment, number

ROWS = 16
"""New rows before each run, so that every step has something to do."""

BAD_DAY = SimulatorConfig(
    tokens=(TOKEN,),
    latency_ms=(0.0, 20.0),
    error_before=0.05,
    error_after=0.05,
    close_before=0.05,
    close_after=0.05,
    truncated_after=0.03,
    time_scale=1000.0,
)


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Children that are forked from a process which has imported everything: a start costs little."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", worker.__name__])
    return context


@pytest.fixture
def spring(tmp_path: Path, store_url: str) -> Iterator[Deployment]:
    account = {"calls_per_second": 200.0, "poll_s": 0.05, "listing_delay_s": 0.3, "outcome_wait_s": 5.0}
    with simulator_process(BAD_DAY) as provider_url:
        yield Deployment(tmp_path, store_url, provider_url, account, on_unknown="redial").write(ROWS)


class Runs:
    """Runs of one deployment, one after another, each with a list of its own to begin with."""

    def __init__(self, spring: Deployment, processes: ForkServerContext) -> None:
        self.rows = ROWS
        self._spring = spring
        self._processes = processes

    def add_rows(self) -> None:
        rows = range(self.rows, self.rows + ROWS)
        self.rows += ROWS
        home = self._spring.folder / "campaigns" / "spring"
        (home / f"list-{self.rows}.csv").write_text(
            "id,phone\n" + "".join(f"c{n},{number(n)}\n" for n in rows)
        )

    def start(self, *words: Any) -> BaseProcess:
        process = self._processes.Process(
            target=worker.go, args=(self._spring.folder, self._spring.environment, *words)
        )
        process.start()
        return process

    def work(self, *words: Any) -> int | None:
        """Run a worker to its end, however that comes; return its exit code."""
        process = self.start(*words)
        process.join(60)
        said = (self._spring.folder / "worker.log").read_text()
        assert process.exitcode in (0, 4, -9), said[-4000:]
        return process.exitcode

    def assert_each_called_once(self) -> None:
        summary = httpx.get(f"{self._spring.base_url}/simulator/summary", trust_env=False).json()
        assert summary["numbers_called_more_than_once"] == 0
        assert summary["calls_placed"] == summary["numbers_called"] == self.rows
        store = Store(self._spring.database_url)
        with store.read() as connection:
            query = text("SELECT status, count(*) FROM outcomes GROUP BY status")
            counts = dict(connection.execute(query).all())
            read = connection.scalar(text("SELECT sum(rows_read) FROM loads"))
        report = audit(store)
        store.close()
        assert counts == {"done": self.rows}
        assert read == self.rows
        assert report.ok, report.lines()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_step_calls_nobody_twice_and_loses_nobody(
    spring: Deployment, processes: ForkServerContext, when: str
) -> None:
    """One campaign, killed at every step in turn, with fresh rows each time; then it runs to its end."""
    runs = Runs(spring, processes)
    for place, step in enumerate(STEPS):
        nth = 2 if place > 1 and place % 2 else 1  # every other step dies the second time round
        # On a busy machine 2 s are too short: the lease of the worker killed before lasts as long.
        code = runs.work(f"{when} {step}", nth, 2.0 if step in SOMETIMES else 20.0)
        assert code == -9 or step in SOMETIMES, step
        runs.add_rows()
    assert runs.work() == 0
    runs.assert_each_called_once()


def test_kills_at_random_instants_call_nobody_twice_and_lose_nobody(
    spring: Deployment, processes: ForkServerContext
) -> None:
    """One worker after another on SQLite; four at a time on PostgreSQL, one of which is always killed."""
    random = Random(7)
    runs = Runs(spring, processes)
    alive: list[BaseProcess] = []
    at_once = 1 if spring.database_url.startswith("sqlite") else 4
    for _ in range(6):
        alive += [runs.start() for _ in range(at_once - len(alive))]
        alive[0].join(random.uniform(0.2, 0.8))
        victim = alive.pop(random.randrange(at_once))
        victim.kill()
        victim.join()
        runs.add_rows()
    for process in alive:
        process.join(60)
    assert runs.work() == 0
    runs.assert_each_called_once()
