"""What people would take instead, each as `python rivals.py NAME URL CALLS`, in whatever Python has it.

The scripts gather over all numbers with a semaphore of 64. The queues enqueue everything first and say
`ready`; then one worker with 64 jobs at a time works it off. Redis is at REDIS_URL, PostgreSQL at
DATABASE_URL. This file imports nothing of dialer.
"""

from __future__ import annotations

import asyncio
import csv
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

IN_FLIGHT = 64
URL, CALLS = (sys.argv[2], int(sys.argv[3])) if len(sys.argv) > 3 else ("", 0)
REDIS_URL = os.environ.get("REDIS_URL", "")
DATABASE_URL = os.environ.get("DATABASE_URL", "")


def numbers() -> list[str]:
    return [f"+1{2_000_000_000 + number}" for number in range(CALLS)]


def body(number: str) -> dict[str, object]:
    return {"agent_id": 962, "to_number": number, "metadata": {"customer_id": "C1"}}


def begin() -> None:
    """Everything is enqueued: say so, and wait for the word."""
    print("ready", flush=True)
    sys.stdin.readline()


def httpx_script() -> None:
    import httpx

    async def run() -> None:
        slots = asyncio.Semaphore(IN_FLIGHT)
        limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
        async with httpx.AsyncClient(limits=limits, timeout=120) as client:

            async def call(number: str) -> None:
                async with slots:
                    answer = await client.post(f"{URL}/calls", json=body(number))
                    results.writerow([number, answer.json()["data"]["execution_id"]])

            await asyncio.gather(*map(call, numbers()))

    with tempfile.TemporaryDirectory() as folder, Path(folder, "results.csv").open("w") as file:
        results = csv.writer(file)
        begin()
        asyncio.run(run())


def aiohttp_script() -> None:
    import aiohttp

    async def run() -> None:
        slots = asyncio.Semaphore(IN_FLIGHT)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:

            async def call(number: str) -> None:
                async with slots, session.post(f"{URL}/calls", json=body(number)) as answer:
                    assert (await answer.json())["data"]["execution_id"]

            await asyncio.gather(*map(call, numbers()))

    begin()
    asyncio.run(run())


def arq_queue() -> None:
    import httpx
    from arq import create_pool
    from arq.connections import RedisSettings
    from arq.worker import Worker, func

    async def start(ctx: dict) -> None:
        ctx["client"] = httpx.AsyncClient(limits=httpx.Limits(max_connections=IN_FLIGHT), timeout=120)

    async def place(ctx: dict, number: str) -> str:
        answer = await ctx["client"].post(f"{URL}/calls", json=body(number))
        return answer.json()["data"]["execution_id"]

    async def fill() -> None:
        pool = await create_pool(RedisSettings.from_dsn(REDIS_URL))
        await pool.flushdb()
        for number in numbers():
            await pool.enqueue_job("place", number)
        await pool.close()

    asyncio.run(fill())
    begin()
    asyncio.set_event_loop(asyncio.new_event_loop())
    Worker(
        functions=[func(place, name="place")],
        on_startup=start,
        redis_settings=RedisSettings.from_dsn(REDIS_URL),
        max_jobs=IN_FLIGHT,
        burst=True,
        poll_delay=0.05,
    ).run()


def celery_queue() -> None:
    import celery
    import requests

    app = celery.Celery("bench", broker=REDIS_URL, backend=REDIS_URL)
    mine = threading.local()
    left = [CALLS]

    @app.task(name="place")
    def place(number: str) -> str:
        session = mine.__dict__.setdefault("session", requests.Session())
        answer = session.post(f"{URL}/calls", json=body(number), timeout=120).json()
        left[0] -= 1
        return answer["data"]["execution_id"]

    app.connection().default_channel.client.flushdb()
    for number in numbers():
        place.delay(number)
    begin()
    words = ["worker", "--pool", "threads", "--concurrency", str(IN_FLIGHT), "--loglevel", "ERROR"]
    threading.Thread(
        target=app.worker_main, args=([*words, "--without-gossip", "--without-mingle"],), daemon=True
    ).start()
    while left[0] > 0:
        time.sleep(0.05)


def procrastinate_queue() -> None:
    import httpx
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=DATABASE_URL))
    clients: list[httpx.AsyncClient] = []

    @app.task(name="place")
    async def place(number: str) -> None:
        answer = await clients[0].post(f"{URL}/calls", json=body(number))
        assert answer.json()["data"]["execution_id"]

    async def fill() -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            await place.batch_defer_async(*({"number": number} for number in numbers()))

    async def run() -> None:
        async with app.open_async():
            clients.append(httpx.AsyncClient(limits=httpx.Limits(max_connections=IN_FLIGHT), timeout=120))
            await app.run_worker_async(concurrency=IN_FLIGHT, wait=False, install_signal_handlers=False)

    asyncio.run(fill())
    begin()
    asyncio.run(run())


RIVALS = {
    "httpx": (httpx_script, "httpx"),
    "aiohttp": (aiohttp_script, "aiohttp"),
    "arq": (arq_queue, "arq"),
    "celery": (celery_queue, "celery"),
    "procrastinate": (procrastinate_queue, "procrastinate"),
}

if __name__ == "__main__":
    RIVALS[sys.argv[1]][0]()
    os._exit(0)
