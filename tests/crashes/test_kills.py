"""A worker is killed at every numbered step; nobody is called twice and nobody is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest
from sqlalchemy import text

from dialer.simulator.config import SimulatorConfig
from dialer.simulator.server import simulator_process
from dialer.store.database import Store
from tests.crashes.worker import STEPS
from tests.deployment import TOKEN, Deployment

ROWS = 40
WORKER = Path(__file__).with_name("worker.py")

BAD_DAY = SimulatorConfig(
    tokens=(TOKEN,),
    latency_ms=(0.0, 20.0),
    error_before=0.03,
    error_after=0.03,
    close_before=0.03,
    close_after=0.05,
    truncated_after=0.03,
    time_scale=1000.0,
)


@pytest.fixture
def provider_url() -> Iterator[str]:
    with simulator_process(BAD_DAY) as url:
        yield url


@pytest.fixture
def spring(tmp_path: Path, store_url: str, provider_url: str) -> Deployment:
    account = {"calls_per_second": 200.0, "poll_s": 0.05, "listing_delay_s": 0.3, "outcome_wait_s": 5.0}
    return Deployment(tmp_path, store_url, provider_url, account, on_unknown="redial").write(ROWS)


def work(spring: Deployment, *words: str) -> int:
    """Run a worker to its end, however that comes; return its exit code."""
    process = subprocess.run(
        [sys.executable, str(WORKER), str(spring.folder), *words],
        env={**os.environ, **spring.environment, "PYTHONPATH": str(WORKER.parents[2])},
        capture_output=True,
        timeout=60,
    )
    assert process.returncode in (0, -9), process.stderr.decode()
    return process.returncode


def assert_each_called_once(spring: Deployment) -> None:
    summary = httpx.get(f"{spring.base_url}/simulator/summary", trust_env=False).json()
    assert summary["numbers_called_more_than_once"] == 0
    assert summary["calls_placed"] == summary["numbers_called"] == ROWS
    store = Store(spring.database_url)
    with store.read() as connection:
        counts = dict(connection.execute(text("SELECT status, count(*) FROM outcomes GROUP BY status")).all())
        books = connection.execute(text("SELECT rows_read, rows_accepted FROM loads")).all()
    store.close()
    assert counts == {"done": ROWS}
    assert [tuple(row) for row in books] == [(ROWS, ROWS)]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_step_calls_nobody_twice_and_loses_nobody(
    spring: Deployment, step: str, when: str
) -> None:
    # On PostgreSQL each kill costs the lease of the dead worker: one is enough there.
    kills = (1, 3) if spring.database_url.startswith("sqlite") else (2,)
    codes = [work(spring, f"{when} {step}", str(nth)) for nth in kills]
    assert work(spring) == 0
    assert_each_called_once(spring)
    # Some steps are not reached every time: they need an answer that was lost, or a lease given back.
    assert -9 in codes or step in ("free", "look up", "bind", "give leases back", "write the list")


def test_kills_at_random_instants_call_nobody_twice_and_lose_nobody(spring: Deployment) -> None:
    random = Random(7)
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, str(WORKER), str(spring.folder)],
            env={**os.environ, **spring.environment, "PYTHONPATH": str(WORKER.parents[2])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(random.uniform(0.6, 1.6))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert work(spring) == 0
    assert_each_called_once(spring)
