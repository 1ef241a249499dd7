"""What does a second worker bring: `dialer worker` twice against once, on one PostgreSQL?

Real processes, one campaign that waits in the database, a server that answers at once. Workers, database and
server share the cores: with two of them, the second worker gets what the first leaves. Timed by the server.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

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


def main() -> None:
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
            (one_round(store, server, folder, workers=1), one_round(store, server, folder, workers=2))
            for _ in range(ROUNDS)
        ]
        store.close()
    for one, two in rounds:
        print(f"one {one:6.0f} calls/s, two {two:6.0f} calls/s, ratio {two / one:.2f}")
    ratio = statistics.median(two / one for one, two in rounds)
    print(f"two workers / one, median: {ratio:.2f} (to reach: 1.5, better 1.8)")


def one_round(store: Store, server: Served, folder: Path, workers: int) -> float:
    number = next(NUMBERS)
    started = [start(folder) for _ in range(workers)]
    time.sleep(3.0 + workers)  # all of them are up, and find nothing to do
    server.seen()
    campaign = read_campaign(folder / "campaigns" / "bench", read_settings(folder / "dialer.toml"))
    spec = campaign.model_copy(update={"name": f"bench-{number}"}).model_dump_json()
    campaign_id = fill(store, number, CALLS, spec)
    until = time.monotonic() + 120
    while time.monotonic() < until and waiting(store, campaign_id):
        time.sleep(0.2)
    for process in started:
        process.terminate()
    for process in started:
        process.wait(60)
    with store.write() as connection:
        connection.execute(text("UPDATE campaigns SET state = 'idle', for_workers = 0"))
    seen = server.seen()
    assert seen.calls == CALLS, f"{seen.calls} of {CALLS} calls were placed"
    return seen.per_second


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
