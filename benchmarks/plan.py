"""How long does a plan of a million contacts take, before the load and after it?

The list has numbers of every US state and of ten countries, in some hundred groups; redials after three
outcomes, five calls at most.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from stage.databases import fresh, machine

from dialer.base.settings import Account, Settings
from dialer.calls.load import load, open_lists
from dialer.calls.outlook import Outlook, look_ahead, people_of
from dialer.calls.unloaded import Unloaded
from dialer.campaign import Campaign, read_campaign
from dialer.rules.places import states
from dialer.rules.rulebook import RuleBook, read_rulebook
from dialer.store.database import Store
from dialer.store.migrate import prepare
from dialer.tables.slots import slot_frames

CAMPAIGN = """
[list]
files = ["*.csv"]
phone = "phone"
[call]
account = "bench"
agent = "962"
[redial]
calls_max = 5
no_answer = "4h"
busy = "20m"
voicemail = "1d"
[caps]
per_number = ["3 per 24h"]
"""
COUNTRIES = ("+9198{:08d}", "+4477{:08d}", "+614{:08d}", "+336{:08d}", "+4915{:09d}", "+97150{:07d}")
COUNTRIES += ("+658{:07d}", "+349{:08d}", "+39347{:07d}", "+5511{:09d}")
ACCOUNT = Account(name="bench", provider="unleashx", calls_per_second=20.0)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--contacts", type=int, default=1_000_000)
    words.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    asked = words.parse_args()
    print(f"{machine()}; {asked.contacts:,} contacts")
    began = time.perf_counter()
    rules = read_rulebook()
    print(f"  {time.perf_counter() - began:6.2f} s  reading the rules")
    with tempfile.TemporaryDirectory(prefix="dialer-bench-") as folder:
        campaign = campaign_in(Path(folder), asked.contacts)
        for which in asked.database or ["sqlite", "postgresql"]:
            print(which)
            with fresh(which) as url:
                store = Store(url)
                prepare(store)
                measure(store, campaign, rules)
                store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    print(f"peak memory {peak:,.0f} MB")


def measure(store: Store, campaign: Campaign, book: RuleBook) -> None:
    with timed("reading and normalizing the list"):
        unloaded = Unloaded(campaign, open_lists(campaign))
    with store.read() as connection:
        with timed("plan before the load"):
            people = unloaded.stage(connection)
            before = look_ahead(store, connection, campaign, ACCOUNT, book, people, dialed=True)
        unloaded.drop(connection)
    load(store, campaign)
    with store.read() as connection:
        people = people_of(store, connection, 1)
        with timed("plan (and why) after the load"):
            after = look_ahead(store, connection, campaign, ACCOUNT, book, people, dialed=True)
        with timed("everybody's next slot, one by one"):
            rows = sum(frame.height for frame in slot_frames(store, connection, after))
    assert rows == after.contacts == before.contacts
    told(after)


def told(plan: Outlook) -> None:
    line = plan.timeline
    assert line.first_call_us is not None
    assert line.last_call_us is not None
    days = (line.last_call_us - line.first_call_us) / 8.64e10
    print(f"    {len(plan.slots)} groups, {line.calls:,.0f} calls in {days:.1f} days; {line.bound_by} decide")


def campaign_in(folder: Path, contacts: int) -> Campaign:
    home = folder / "campaigns" / "plan"
    home.mkdir(parents=True)
    (home / "campaign.toml").write_text(CAMPAIGN)
    random = Random(7)
    areas = [f"+1{code}{{:07d}}" for one in states().values() for code in one.area_codes]
    with (home / "list.csv").open("w") as file:
        file.write("phone\n")
        for number in range(round(contacts * 1.1)):
            template = random.choice(areas) if random.random() < 0.7 else random.choice(COUNTRIES)
            file.write(template.format(2_000_000 + number * 7 % 7_999_999) + "\n")
    return read_campaign(home, Settings(campaigns=folder / "campaigns"))


@contextmanager
def timed(what: str) -> Iterator[None]:
    began, worked = time.perf_counter(), time.process_time()
    yield
    took, cpu = time.perf_counter() - began, time.process_time() - worked
    print(f"  {took:6.2f} s  {what} ({cpu:.2f} s of our processor)", flush=True)


if __name__ == "__main__":
    main()
