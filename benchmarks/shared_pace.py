"""How much of an account's limit do several workers reach together, and what is the worst second?

Real `dialer worker` processes on one PostgreSQL, one account, one campaign; a provider in a process of its
own notes when each call arrives. The first seconds, in which workers divide the limit, do not count for what
is reached; they do for the worst second.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pace import reached, worst
from stage.databases import fresh, machine
from stage.durable import fill
from stage.noting import Noted, Stall, noting
from workers import CAMPAIGN, start

from dialer.base.settings import read_settings
from dialer.campaign import read_campaign
from dialer.store.database import Store
from dialer.store.migrate import prepare

JOINED_S = 6.0
"""So long after the first call every worker has its part."""


class Round(NamedTuple):
    """What the provider and the workers go through."""

    name: str
    stall: Stall | None = None
    hangs_up: bool = False
    restart: bool = False
    latency_s: float = 0.0


ROUNDS = [
    Round("steady"),
    Round("answers take 0.3 s", latency_s=0.3),
    Round("provider stalls 3 s", stall=Stall(8.0, 3.0)),
    Round("all killed and restarted", restart=True),
    Round("a new connection for each call", hangs_up=True),
]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument(
        "--rate", type=int, action="append", help="calls per second of the account: 20 and 200"
    )
    words.add_argument("--workers", type=int, default=3)
    words.add_argument("--seconds", type=float, default=20.0)
    words.add_argument("--only", help="rounds whose name holds this")
    asked = words.parse_args()
    os.environ["BENCH_TOKEN"] = "bench"
    print(f"{machine()}; {asked.workers} workers on one PostgreSQL")
    print(f"{'limit/s':>8} {'':32}{'reached':>9}{'worst second / limit':>22}")
    for one in ROUNDS:
        if asked.only and asked.only not in one.name:
            continue
        for rate in asked.rate or [20, 200]:
            arrivals = dial(one, rate, asked.workers, asked.seconds)
            settled = [at for at in arrivals if at > arrivals[0] + JOINED_S]
            share = "" if one.stall or one.restart else f"{reached(settled, rate):.3f}"
            print(f"{rate:8} {one.name:32}{share:>9}{worst(arrivals) / rate:22.3f}", flush=True)


def dial(one: Round, rate: int, workers: int, seconds: float) -> list[float]:
    """Let workers dial for so long; return when calls arrived."""
    provider = noting(hangs_up=one.hangs_up, stall=one.stall, latency_s=one.latency_s)
    with tempfile.TemporaryDirectory() as name, fresh("postgresql") as url, provider as noted:
        folder = deployed(Path(name), url, noted, rate)
        store = Store(url)
        prepare(store)
        settings = read_settings(folder / "dialer.toml")
        campaign = read_campaign(folder / "campaigns" / "bench", settings)
        fill(store, 1, int(rate * (seconds + 15)), campaign.model_dump_json())
        started = [start(folder) for _ in range(workers)]
        time.sleep(3.0 + seconds / (2 if one.restart else 1))
        if one.restart:
            end(started)
            started = [start(folder) for _ in range(workers)]
            time.sleep(4.0 + seconds / 2)
        arrivals = noted.arrivals()
        end(started)
        store.close()
    return sorted(arrivals)


def deployed(folder: Path, url: str, noted: Noted, rate: int) -> Path:
    (folder / "campaigns" / "bench").mkdir(parents=True)
    (folder / "campaigns" / "bench" / "campaign.toml").write_text(CAMPAIGN)
    (folder / "dialer.toml").write_text(
        f'database_url = "{url}"\n[accounts.bench]\nprovider = "unleashx"\nbase_url = "{noted.url}"\n'
        f'token = "env:BENCH_TOKEN"\ncalls_per_second = {rate}\nrequests_in_flight_max = 256\n'
        "poll_s = 600.0\n"
    )
    return folder


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.wait(60)


if __name__ == "__main__":
    sys.exit(main())
