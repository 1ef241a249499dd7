"""A full disk, a read-only database, a clock that jumps: nothing unwritten is sent, nothing lost."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from sqlalchemy import event, make_url, text

from dialer.attempts import ledger, workers
from dialer.attempts.breaker import Breaker
from dialer.attempts.dialing import Dialing
from dialer.attempts.lane import Lane
from dialer.attempts.lease import ALONE_LEASE_S
from dialer.attempts.ledger import Desk, ensure_account
from dialer.base.clock import Clock, SystemClock
from dialer.base.errors import NotReady
from dialer.providers.provider import Accepted, Submission
from dialer.simulator.server import simulator_thread
from dialer.store.database import Store
from dialer.tables.audit import audit
from tests.attempts.test_lane import FreePace, Scripted, accept
from tests.deployment import Deployment
from tests.seed import seed_campaign, statuses


class JumpingClock(SystemClock):
    """The machine's clock, set forward or back by somebody while the monotonic one goes on."""

    ahead_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.ahead_us


@pytest.fixture
def live(store_url: str) -> Iterator[Store]:
    opened = Store(store_url)
    yield opened
    opened.close()


def lane_for(
    store: Store,
    provider: Scripted,
    campaign_id: int,
    *,
    clock: Clock | None = None,
    patience_s: float = 20.0,
) -> Lane:
    ensure_account(store, "unleashx")
    workers.enter(store, "w", ALONE_LEASE_S)  # the lease is another test's
    return Lane(
        Desk(store, "w", "unleashx", "unleashx"),
        provider,  # type: ignore[arg-type]
        FreePace(),
        [Dialing(campaign_id, "spring", "962", {}, Breaker(1.0, 10_000))],
        clock=clock or SystemClock(),
        requests_in_flight_max=8,
        pace_limit=None,
        drain_s=5.0,
        lease_until=lambda: float("inf"),
        database=anyio.CapacityLimiter(1),
        random=Random(1),
        patience_s=patience_s,
    )


def make_read_only(store: Store) -> Callable[[], None]:
    """Let nothing be written from now on; return what takes that back."""
    if store.is_sqlite:
        return _set_on_checkout(store, "PRAGMA query_only = ON", "PRAGMA query_only = OFF")
    session = "SET SESSION CHARACTERISTICS AS TRANSACTION READ"
    return _set_on_checkout(store, f"{session} ONLY", f"{session} WRITE")


def fill_disk(store: Store) -> Callable[[], None]:
    """Leave the SQLite file no page more than it has; return what takes that back."""
    # It never cuts off what is there.
    return _set_on_checkout(store, "PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000")


def _set_on_checkout(store: Store, damaged: str, mended: str) -> Callable[[], None]:
    """Let every use of a connection begin with a statement; return what changes it to another."""
    statement = [damaged]

    def set_(connection: Any, *_: object) -> None:
        connection.cursor().execute(statement[0])
        connection.commit()

    event.listen(store.engine, "checkout", set_)

    def take_back() -> None:
        statement[0] = mended

    return take_back


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[NotReady]:
    """Every transaction of the ledger that failed, as it comes."""
    failed: list[NotReady] = []
    real = ledger.exchange

    def noting(*words: Any, **more: Any) -> Any:
        try:
            return real(*words, **more)
        except NotReady as error:
            failed.append(error)
            raise

    monkeypatch.setattr(ledger, "exchange", noting)
    return failed


def known_phones(store: Store) -> set[str]:
    with store.read() as connection:
        return set(connection.scalars(text("SELECT phone FROM ledger")))


@pytest.mark.anyio
@pytest.mark.parametrize("damage", [make_read_only, fill_disk])
async def test_what_cannot_be_written_is_not_sent_and_dialing_goes_on_when_it_can(
    live: Store, damage: Callable[[Store], Callable[[], None]], failures: list[NotReady]
) -> None:
    if damage is fill_disk and not live.is_sqlite:
        pytest.skip("PostgreSQL has no limit that a test could set")
    campaign_id = seed_campaign(live, contacts=400)
    take_back: list[Callable[[], None]] = []

    def script(number: int, submission: Submission) -> Accepted:
        if number == 40:
            take_back.append(damage(live))
        return accept(number, submission)

    provider = Scripted(script)
    lane = lane_for(live, provider, campaign_id)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lane.run)
            while not failures or provider.in_air:
                await anyio.sleep(0.01)
            sent = sum(provider.placed.values())
            assert set(provider.placed) <= known_phones(live)
            take_back[0]()
            while lane.counts.accepted < 400:
                await anyio.sleep(0.01)
            lane.stop()
    assert sent < 400
    assert set(provider.placed.values()) == {1}
    assert statuses(live) == {"calling": 400}
    assert audit(live).ok


@pytest.mark.anyio
async def test_a_database_that_stays_read_only_ends_the_run_and_nothing_is_lost(live: Store) -> None:
    campaign_id = seed_campaign(live, contacts=50)
    take_back: list[Callable[[], None]] = []

    def script(number: int, submission: Submission) -> Accepted:
        if number == 10:
            take_back.append(make_read_only(live))
        return accept(number, submission)

    provider = Scripted(script)
    lane = lane_for(live, provider, campaign_id, patience_s=0.3)
    with anyio.fail_after(30), pytest.raises(NotReady, match=r"database .*read-?only"):
        await lane.run()
    take_back[0]()
    recovered = workers.recover(live, "next", alone=True)
    assert set(provider.placed.values()) == {1}
    assert set(provider.placed) <= known_phones(live)
    counts = statuses(live)
    assert sum(counts.values()) == 50
    assert counts["unknown"] == recovered.unknown > 0
    assert audit(live).ok


@pytest.mark.anyio
@pytest.mark.parametrize("jumps", [(3600.0, -7200.0), (-3600.0, 7200.0)])
async def test_a_wall_clock_that_jumps_calls_nobody_twice_and_loses_nobody(
    store_url: str, jumps: tuple[float, float]
) -> None:
    clock = JumpingClock()
    # SQLite has no clock but the machine's; PostgreSQL's own goes on as if nothing were.
    store = Store(store_url, clock if store_url.startswith("sqlite") else None)
    campaign_id = seed_campaign(store, contacts=300)

    def script(number: int, submission: Submission) -> Accepted:
        if number in (100, 200):
            clock.ahead_us += round(jumps[number // 200] * 1e6)
        return accept(number, submission)

    provider = Scripted(script)
    lane = lane_for(store, provider, campaign_id, clock=clock)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lane.run)
            while lane.counts.accepted < 300:
                await anyio.sleep(0.01)
            lane.stop()
    assert set(provider.placed.values()) == {1}
    assert statuses(store) == {"calling": 300}
    broken = [check.name for check in audit(store).checks if not check.ok]
    assert set(broken) <= {"times_in_order"}  # that somebody set the clock is a fact worth naming
    store.close()


def test_a_run_without_room_for_a_page_says_so_and_calls_nobody(tmp_path: Path, sqlite_url: str) -> None:
    with simulator_thread() as url:
        spring = Deployment(tmp_path, sqlite_url, url).write(20)
        ended = subprocess.run(
            [sys.executable, "-m", "dialer", "run", "spring"],
            cwd=spring.folder,
            env={**os.environ, "UNLEASHX_TOKEN": "simulator-token"},
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Traceback" not in ended.stderr
    assert str(make_url(sqlite_url)) in ended.stderr
    assert "disk" in ended.stderr
