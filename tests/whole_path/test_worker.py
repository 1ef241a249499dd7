"""A worker from start to end: what it takes up, what it survives, what it leaves behind."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from sqlalchemy import make_url, text

import dialer.run
import dialer.worker
from dialer.attempts import books, lane, reconcile, workers
from dialer.attempts.ledger import exchange
from dialer.base.settings import Settings, read_settings
from dialer.calls import campaigns
from dialer.calls.load import load
from dialer.campaign import read_campaign
from dialer.rules.heard import HeardRules
from dialer.rules.rulebook import Block, RuleBook
from dialer.run import Run
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.server import simulator_process
from dialer.store.database import Store
from dialer.tables.audit import audit
from dialer.worker import Worker
from tests.attempts.test_ledger import claim, opening
from tests.deployment import TOKEN, Deployment
from tests.seed import desk as seeded_desk
from tests.seed import statuses

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    config = SimulatorConfig(tokens=(TOKEN,), latency_ms=(5.0, 30.0), time_scale=1000.0)
    with simulator_process(config) as url:
        yield url


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten what is long only because networks and people are slow."""
    monkeypatch.setattr(dialer.worker, "LEASE_S", 2.0)
    monkeypatch.setattr(dialer.worker, "FOLLOW_S", 0.05)
    monkeypatch.setattr(lane, "LEASE_MARGIN_S", 0.3)
    monkeypatch.setattr(books, "RECHECK_S", 0.05)
    monkeypatch.setattr(books, "STATES_S", 0.1)
    monkeypatch.setattr(reconcile, "STEPS", (0.5, 1.0))
    monkeypatch.setenv("UNLEASHX_TOKEN", TOKEN)


def deployed(folder: Path, url: str, provider_url: str, rows: int, account: dict[str, object]) -> Settings:
    """Write a deployment, load its campaign; return its settings."""
    there = Deployment(folder, url, provider_url, account, on_unknown="redial").write(rows)
    settings = read_settings(there.folder / "dialer.toml")
    with closing(Store(url)) as store:
        load(store, read_campaign("spring", settings), only_new=True)
    return settings


async def until(store: Store, query: str, seconds: float = 60.0) -> None:
    """Wait until the query gives something other than zero."""
    with anyio.fail_after(seconds):
        while True:
            with store.read() as connection:
                if connection.scalar(text(query)):
                    return
            await anyio.sleep(0.02)


PLACED = "SELECT count(*) >= {} FROM ledger WHERE state IN ('accepted', 'ended')"


@asynccontextmanager
async def working(store: Store, settings: Settings, worker: Worker | None = None) -> AsyncIterator[Worker]:
    """Have a worker beside the block."""
    worker = worker or Worker(store, settings.accounts)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.go)
        yield worker
        worker._stop()


async def test_a_worker_takes_up_what_is_resumed_and_leaves_what_is_paused(
    tmp_path: Path, store_url: str, provider_url: str, hurried: None
) -> None:
    settings = deployed(tmp_path, store_url, provider_url, 300, {"requests_in_flight_max": 4})
    with closing(Store(store_url)) as store, closing(Store(store_url)) as persons:
        async with working(store, settings) as worker:
            await anyio.sleep(0.2)
            assert worker.progress.total("submitted") == 0
            campaigns.resume(persons, "spring")
            await until(persons, PLACED.format(5))
            campaigns.pause(persons, "spring", "by a test")
            await until(persons, "SELECT count(*) = 0 FROM contacts WHERE status = 'leased'")
            paused_at = worker.progress.total("submitted")
            assert paused_at < 300
            campaigns.resume(persons, "spring")
            await until(persons, PLACED.format(paused_at + 20))
            campaigns.cancel(persons, "spring", "by a test")
            gone = "SELECT count(*) = 0 FROM contacts WHERE status IN ('leased', 'waiting')"
            await until(persons, gone)
        assert paused_at + 20 <= worker.progress.total("submitted") < 300
        with persons.read() as connection:
            assert connection.scalar(text("SELECT count(*) FROM workers WHERE state = 'alive'")) == 0
            assert connection.scalar(text(gone))


async def test_a_file_loaded_again_counts_at_once_for_who_dials_already(
    tmp_path: Path, store_url: str, provider_url: str, hurried: None
) -> None:
    """Narrowed to nothing, then widened again under another agent: no call leaves by what it said before."""
    settings = deployed(tmp_path, store_url, provider_url, 2000, {"requests_in_flight_max": 4})
    campaign = read_campaign("spring", settings)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    narrow = campaign.model_copy(update={"hours": campaign.hours.model_copy(update={"starts_at": tomorrow})})
    with closing(Store(store_url)) as store, closing(Store(store_url)) as persons:
        async with working(store, settings) as worker:
            campaigns.resume(persons, "spring")
            await until(persons, PLACED.format(5))
            [dialing] = next(iter(worker._dialers.values())).lane.dialings
            with persons.write() as connection:
                campaigns.register(persons, connection, narrow)
            with anyio.fail_after(60):
                while dialing.spec != narrow.model_dump_json() or dialing.busy:
                    await anyio.sleep(0.02)
            submitted = worker.progress.total("submitted")
            await anyio.sleep(0.3)
            assert worker.progress.total("submitted") == submitted < 2000
            wide = campaign.model_copy(update={"call": campaign.call.model_copy(update={"agent": "963"})})
            with persons.write() as connection:
                campaigns.register(persons, connection, wide)
            await until(
                persons, "SELECT count(*) >= 5 FROM ledger WHERE agent = '963' AND state <> 'sending'"
            )
        with persons.read() as connection:
            last_old = "SELECT max(attempt_id) FROM ledger WHERE agent <> '963'"
            first_new = "SELECT min(attempt_id) FROM ledger WHERE agent = '963'"
            assert connection.scalar(text(last_old)) < connection.scalar(text(first_new))


async def test_rules_that_change_count_at_once_for_who_dials_already(
    tmp_path: Path, store_url: str, provider_url: str, hurried: None
) -> None:
    """A country is blocked, the file then broken, at last the block is gone: calls stop, stay so, go on."""
    settings = deployed(tmp_path, store_url, provider_url, 2000, {"requests_in_flight_max": 4})
    file = tmp_path / "rules.toml"
    file.write_text("")
    with closing(Store(store_url)) as store, closing(Store(store_url)) as persons:
        worker = Worker(store, settings.accounts, rules=HeardRules(file).look)
        async with working(store, settings, worker):
            campaigns.resume(persons, "spring")
            await until(persons, PLACED.format(5))
            [dialing] = next(iter(worker._dialers.values())).lane.dialings
            file.write_text('[[block]]\nregion = "US"\nreason = "a storm"\nsince = 2020-01-01\n')
            with anyio.fail_after(60):
                while not dialing.allowed.windows.book.blocks or dialing.busy:
                    await anyio.sleep(0.02)
            submitted = worker.progress.total("submitted")
            file.write_text("[[block")
            await anyio.sleep(0.3)
            assert worker.progress.total("submitted") == submitted < 2000
            file.write_text("")
            await until(persons, PLACED.format(submitted + 5))


async def test_a_run_goes_on_by_rules_that_changed(
    tmp_path: Path, sqlite_url: str, provider_url: str, hurried: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialer.run, "RULES_S", 0.05)
    settings = deployed(tmp_path, sqlite_url, provider_url, 6000, {"requests_in_flight_max": 4})
    block = Block("US", "a storm", date(2020, 1, 1), None)
    books = {"open": RuleBook((), (), "1"), "closed": RuleBook((), (block,), "2")}
    holding = [books["open"]]
    with closing(Store(sqlite_url)) as store, closing(Store(sqlite_url)) as persons:
        campaign = read_campaign("spring", settings)
        run = Run(store, campaign, campaign.account(settings), wait=True, rules=lambda: holding[-1])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.go)
            await until(persons, PLACED.format(5))
            [dialing] = run._dialer.lane.dialings
            holding.append(books["closed"])
            with anyio.fail_after(60):
                while dialing.allowed.windows.book is not books["closed"] or dialing.busy:
                    await anyio.sleep(0.02)
            submitted = run.progress.counts.submitted
            await anyio.sleep(0.2)
            assert run.progress.counts.submitted == submitted < 6000
            holding.append(books["open"])
            await until(persons, PLACED.format(submitted + 5))
            run._interrupt()


async def test_calls_of_campaigns_that_run_no_more_are_followed_to_their_end(
    tmp_path: Path, store_url: str, provider_url: str, hurried: None
) -> None:
    settings = deployed(tmp_path, store_url, provider_url, 3, {"poll_s": 0.2})
    with closing(Store(store_url)) as store:
        desk = seeded_desk(store, "dead")
        campaigns.resume(store, "spring")
        with store.write() as connection:
            connection.execute(text("UPDATE contacts SET window_group = 0"))
            now_us = store.now_us(connection)
        openings = [opening(call, now_us) for call in claim(desk, 1)[:2]]
        assert len(exchange(desk, [1], openings=openings).opened) == 2
        campaigns.cancel(store, "spring", "by a test")
        workers.leave(store, "dead")
        assert statuses(store) == {"unknown": 2, "canceled": 1}
        async with working(store, settings) as worker:
            await until(store, "SELECT count(*) = 0 FROM ledger WHERE state IN ('sending', 'unknown')")
        assert worker.progress.total("submitted") == 0
        assert statuses(store) == {"canceled": 3}


class Wire:
    """A way to PostgreSQL that can be cut: a socket in a folder of its own, before the server's."""

    def __init__(self, url: str) -> None:
        self._there = make_url(url)
        self._folder = tempfile.mkdtemp(prefix="wire-")
        self._port = str(self._there.port or 5432)
        self.url = self._there.set(
            host=None, port=None, query={**self._there.query, "host": self._folder, "port": self._port}
        ).render_as_string(False)
        self._writers: list[asyncio.StreamWriter] = []
        self.cut = False

    async def serve(self) -> None:
        server = await asyncio.start_unix_server(self._carry, f"{self._folder}/.s.PGSQL.{self._port}")
        try:
            await server.serve_forever()
        finally:
            self.break_off()
            shutil.rmtree(self._folder)

    def break_off(self) -> None:
        self.cut = True
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut:
            writer.close()
            return
        host = self._there.query.get("host") or self._there.host or "localhost"
        assert isinstance(host, str)
        if host.startswith("/"):
            far = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{self._port}")
        else:
            far = await asyncio.open_connection(host, int(self._port))
        self._writers += [writer, far[1]]
        await asyncio.gather(self._copy(reader, far[1]), self._copy(far[0], writer))

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the wire is a unix socket")
async def test_a_worker_outlives_a_cut_network_and_nobody_is_called_twice(
    tmp_path: Path, postgres_url: str, hurried: None
) -> None:
    """Cut for longer than the lease: another worker declares it dead and calls on; then it is back."""
    config = SimulatorConfig(tokens=(TOKEN,), latency_ms=(5.0, 30.0))
    with simulator_process(config) as provider_url:
        account = {"requests_in_flight_max": 4, "calls_per_second": 100.0}
        settings = deployed(tmp_path, postgres_url, provider_url, 250, account)
        wire = Wire(postgres_url)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wire.serve)
            with closing(Store(wire.url)) as far, closing(Store(postgres_url)) as near:
                campaigns.resume(near, "spring")
                await anyio.sleep(0.05)
                async with working(far, settings) as cut_off:
                    await until(near, PLACED.format(30))
                    wire.break_off()
                    async with working(near, settings):
                        await until(near, "SELECT count(*) FROM workers WHERE state = 'dead'")
                        submitted = cut_off.progress.total("submitted")
                        wire.cut = False
                        await until(near, "SELECT count(*) = 3 FROM workers")
                        assert cut_off.progress.total("submitted") >= submitted
                        await until(near, PLACED.format(250))
                        await until(near, "SELECT count(*) = 0 FROM ledger WHERE state = 'unknown'")
                assert statuses(near).keys() <= {"calling", "done"}
                tasks.cancel_scope.cancel()
        async with httpx.AsyncClient(trust_env=False) as client:
            placed = (await client.get(f"{provider_url}/simulator/ledger")).json()
    assert set(Counter(call["number"] for call in placed).values()) == {1}
    assert len(placed) == 250


async def test_a_worker_outlives_connections_that_the_server_ends(
    tmp_path: Path, postgres_url: str, provider_url: str, hurried: None
) -> None:
    """What a restarted server does to its clients, three times."""
    account = {"requests_in_flight_max": 4, "requests_per_minute": 60_000}
    settings = deployed(tmp_path, postgres_url, provider_url, 200, account)
    with closing(Store(postgres_url)) as store, closing(Store(postgres_url)) as admin:
        campaigns.resume(admin, "spring")
        async with working(store, settings) as worker:
            for placed in (20, 60, 100):
                await until(admin, PLACED.format(placed))
                with admin.write() as connection:
                    connection.execute(
                        text(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                        )
                    )
            await until(admin, PLACED.format(200))
        assert worker.progress.total("accepted") == 200
        assert statuses(admin).keys() <= {"calling", "done"}


def test_two_workers_share_a_campaign_and_leave_when_they_are_told_to(
    tmp_path: Path, postgres_url: str, provider_url: str
) -> None:
    spring = Deployment(tmp_path, postgres_url, provider_url, {"calls_per_second": 60.0}).write(150)
    first, second = spring.start("worker", "spring"), spring.start("worker")
    with closing(Store(postgres_url)) as store:
        anyio.run(until, store, PLACED.format(150))
        for process in (first, second):
            process.send_signal(signal.SIGTERM)
        ends = [(*process.communicate(timeout=30), process.returncode) for process in (first, second)]
        assert [end[2] for end in ends] == [130, 130], ends
        assert "ended: interrupted" in ends[0][0]
        settings = read_settings(tmp_path / "dialer.toml")
        limits = {"unleashx": (settings.accounts["unleashx"].calls_per_second, None)}
        proofs = audit(store, limits=limits)
        assert [check.found for check in proofs.checks] == [0] * len(proofs.checks)


def test_a_second_worker_on_sqlite_is_told_to_come_back(
    tmp_path: Path, sqlite_url: str, provider_url: str
) -> None:
    from dialer.run import dialing_rights

    spring = Deployment(tmp_path, sqlite_url, provider_url).write(1)
    with closing(Store(sqlite_url)) as store, dialing_rights(store):
        second = spring.dialer("worker")
    assert (second.returncode, second.stdout) == (75, "")
    assert "another dialer" in second.stderr


def test_a_signal_during_start_up_ends_the_process_at_once() -> None:
    """The process is told to end in the middle of its imports, which take a few tenths of a second."""
    code = (
        "import os, signal, sys, dialer.__main__ as entry\n"
        "class Told:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'cyclopts':\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.meta_path.insert(0, Told())\n"
        "entry.main()\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (told.returncode, told.stdout, told.stderr) == (130, "", "")


def test_leases_are_longer_than_what_must_fit_into_them() -> None:
    assert workers.LEASE_S / 4 + lane.LEASE_MARGIN_S < workers.LEASE_S
