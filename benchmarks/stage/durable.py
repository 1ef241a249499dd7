"""Our side of a comparison: a lane that commits every intent before its request, every answer after it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from random import Random

import anyio
import polars as pl
from pydantic import SecretStr
from sqlalchemy import text

from dialer.attempts import workers
from dialer.attempts.breaker import Breaker
from dialer.attempts.dialing import Dialing
from dialer.attempts.lane import Lane
from dialer.attempts.ledger import Desk, ensure_account
from dialer.attempts.pace.limits import AccountPace
from dialer.base.clock import SystemClock
from dialer.base.settings import Account
from dialer.providers.provider import Provider
from dialer.providers.transport import open_client
from dialer.providers.unleashx.provider import UnleashX
from dialer.store.bulk import append
from dialer.store.database import Store

CLOCK = SystemClock()
ROUNDS = count(1)


async def dial_once(store: Store, url: str, calls: int, in_flight: int) -> tuple[float, float]:
    """Place so many fresh calls; return calls per second and CPU microseconds per call."""
    number = next(ROUNDS)
    campaign_id = fill(store, number, calls)
    return await dial(store, url, campaign_id, calls, in_flight)


async def dial(store: Store, url: str, campaign_id: int, calls: int, in_flight: int) -> tuple[float, float]:
    """Place the campaign's calls until there are so many, or a few more where its list is longer."""
    worker = f"bench-{campaign_id}"
    ensure_account(store, "bench")
    workers.enter(store, worker, 3600.0)
    async with provider_at(url, in_flight) as provider:
        lane = Lane(
            Desk(store, worker, "bench", "unleashx"),
            provider,
            AccountPace(None, None, CLOCK),
            [Dialing(campaign_id, "bench", "962", {}, Breaker(1.0, 100))],
            clock=CLOCK,
            requests_in_flight_max=in_flight,
            pace_limit=None,
            drain_s=5.0,
            lease_until=lambda: float("inf"),
            database=anyio.CapacityLimiter(1),
            random=Random(1),
        )
        started, cpu = time.perf_counter(), time.process_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lane.run)
            while lane.counts.submitted < calls or not (lane.idle or lane.counts.submitted > calls):
                await anyio.sleep(0.005)
            took, cpu_took = time.perf_counter() - started, time.process_time() - cpu
            lane.stop()
    placed = lane.counts.accepted
    assert placed == lane.counts.submitted >= calls, lane.counts
    return calls / took, cpu_took / calls * 1e6


@asynccontextmanager
async def provider_at(url: str, in_flight: int) -> AsyncIterator[Provider]:
    """Open the provider with its connections."""
    account = Account(name="bench", provider="unleashx", base_url=url, token=SecretStr("bench"))
    async with open_client(url, connections_max=in_flight, timeout_s=30.0) as client:
        await client.warm(in_flight)
        yield UnleashX(account, client, CLOCK, anyio.lowlevel.checkpoint)


def fill(store: Store, number: int, calls: int, spec: str = "{}") -> int:
    """Put a running campaign with so many waiting contacts into the database; return its id."""
    with store.write() as connection:
        campaign_id: int = connection.execute(
            text(
                "INSERT INTO campaigns (name, account, state, spec, for_workers, created_at_us,"
                " changed_at_us) VALUES (:name, 'bench', 'running', :spec, 1, 0, 0) RETURNING campaign_id"
            ),
            {"name": f"bench-{number}", "spec": spec},
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


def phone(number: int) -> str:
    """Return a number of its own."""
    return f"+1{2_000_000_000 + number}"
