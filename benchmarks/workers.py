"""What does a second worker bring: `dialer worker` twice against once, on one PostgreSQL?

Real processes, one campaign that waits in the database, a server that answers at once. Workers, database and
server share the cores: with two of them, the second worker gets what the first leaves. Timed by the server.
Beside each rate stands what a call costs every side, in CPU, and how much of all cores that is: where two
workers leave nothing idle, no second worker can bring more. `--pin` gives each worker a core of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text
from stage.databases import fresh, machine
from stage.durable import fill
from stage.server import Served, serving

from dialer.base.settings import read_settings
from dialer.campaign import read_campaign
from dialer.store.database import Store
from dialer.store.migrate import prepare

ROUNDS = 3
CALLS = 6000
NUMBERS = count(1)
CAMPAIGN = """
[list]
files = ["*.csv"]
phone = "phone"
[call]
account = "bench"
agent = "962"
[hours]
rules = []
"""


class Round(NamedTuple):
    """Calls per second, CPU microseconds a call of workers and of everybody, the share of cores used."""

    per_second: float
    worker_us: float
    all_us: float
    used: float

    def __str__(self) -> str:
        return (
            f"{self.per_second:5.0f} calls/s, CPU a call {self.worker_us:4.0f} us in workers,"
            f" {self.all_us:4.0f} in all, cores used {self.used:.0%}"
        )


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--pin", action="store_true", help="each worker on a core of its own")
    pinned = words.parse_args().pin
    os.environ["BENCH_TOKEN"] = "bench"
    print(f"{machine()}; {CALLS} calls, the server answers at once, {ROUNDS} rounds in turn")
    with tempfile.TemporaryDirectory() as name, fresh("postgresql") as url, serving() as server:
        folder = Path(name)
        (folder / "campaigns" / "bench").mkdir(parents=True)
        (folder / "campaigns" / "bench" / "campaign.toml").write_text(CAMPAIGN)
        (folder / "dialer.toml").write_text(
            f'database_url = "{url}"\n[accounts.bench]\nprovider = "unleashx"\nbase_url = "{server.url}"\n'
            'token = "env:BENCH_TOKEN"\nrequests_in_flight_max = 64\npoll_s = 600.0\n'
        )
        store = Store(url)
        prepare(store)
        rounds = [
            tuple(one_round(store, server, folder, workers, pinned) for workers in (1, 2))
            for _ in range(ROUNDS)
        ]
        store.close()
    for one, two in rounds:
        print(f"one {one}\ntwo {two}\nratio {two.per_second / one.per_second:.2f}")
    ratio = statistics.median(two.per_second / one.per_second for one, two in rounds)
    print(f"two workers / one, median: {ratio:.2f} (to reach: 1.5, better 1.8)")
    print(f"cores used by one worker, median: {statistics.median(one.used for one, _ in rounds):.0%}")


def one_round(store: Store, server: Served, folder: Path, workers: int, pinned: bool) -> Round:
    number = next(NUMBERS)
    started = [start(folder) for _ in range(workers)]
    if pinned:
        for core, process in enumerate(started):
            os.sched_setaffinity(process.pid, {core % (os.cpu_count() or 1)})
    time.sleep(3.0 + workers)  # all of them are up, and find nothing to do
    server.seen()
    campaign = read_campaign(folder / "campaigns" / "bench", read_settings(folder / "dialer.toml"))
    spec = campaign.model_copy(update={"name": f"bench-{number}"}).model_dump_json()
    campaign_id = fill(store, number, CALLS, spec)
    began, busy, in_workers = time.monotonic(), busy_s(), cpu_s(started)
    until = began + 120
    while time.monotonic() < until and waiting(store, campaign_id):
        time.sleep(0.2)
    took, busy, in_workers = time.monotonic() - began, busy_s() - busy, cpu_s(started) - in_workers
    for process in started:
        process.terminate()
    for process in started:
        process.wait(60)
    with store.write() as connection:
        connection.execute(text("UPDATE campaigns SET state = 'idle', for_workers = 0"))
    seen = server.seen()
    assert seen.calls == CALLS, f"{seen.calls} of {CALLS} calls were placed"
    used = busy / took / (os.cpu_count() or 1)
    return Round(seen.per_second, in_workers / CALLS * 1e6, busy / CALLS * 1e6, used)


def cpu_s(processes: Sequence[subprocess.Popen[bytes]]) -> float:
    """Return the CPU seconds that the processes have used."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def busy_s() -> float:
    """Return the seconds in which the cores were not idle, whoever used them."""
    user, nice, system, _, _, irq, soft = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dialer", "worker"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "worker.log").open("ab"),
    )


def waiting(store: Store, campaign_id: int) -> bool:
    with store.read() as connection:
        query = "SELECT 1 FROM contacts WHERE campaign_id = :id AND status IN ('waiting', 'leased') LIMIT 1"
        return connection.execute(text(query), {"id": campaign_id}).first() is not None


if __name__ == "__main__":
    main()
