"""A campaign with a dirty list, for tests of loading; and what the database has of it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from dialer.base.settings import Settings
from dialer.campaign import Campaign, read_campaign
from dialer.store.database import Store

CAMPAIGN = """
[list]
files = ["*.csv"]
phone = ["mobile", "landline"]
region_column = "country"
region = "US"
id = "key"
metadata = ["key", "note"]
time_zone = "zone"
[call]
account = "unleashx"
agent = "962"
"""

LIST = """key,mobile,landline,country,note,zone
k1,(212) 555-0101,,US,"with, comma
and line",
k2,+1 212 555 0101,,,same number as k1,
k1,212 555 0102,,US,same key as k1,
k3,,020 7946 0018,GB,landline,Europe/London
k4,9.19877E+11,,IN,damaged,
k5,,,US,blank,
k6,call office,,US,text,Nowhere/Atlantis
k7,98765 43210,,India,a country by name,Nowhere/Atlantis
"""


def campaign_in(folder: Path, words: str = CAMPAIGN, **files: str) -> Campaign:
    home = folder / "campaigns" / "spring"
    home.mkdir(parents=True, exist_ok=True)
    (home / "campaign.toml").write_text(words)
    for name, content in files.items():
        (home / f"{name}.csv").write_text(content)
    return read_campaign(home, Settings(campaigns=folder / "campaigns"))


def rows(store: Store, query: str) -> list[tuple[object, ...]]:
    with store.read() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def end_calls(store: Store, *list_rows: int) -> None:
    """Let the contacts of these rows be done: one call each, that nobody answered."""
    with store.write() as connection:
        for list_row in list_rows:
            here = {"list_row": list_row, "attempt_id": f"01-{list_row}"}
            connection.execute(
                text(
                    "INSERT INTO ledger (attempt_id, campaign_id, contact_id, phone, call_number,"
                    " attempt_number, account, provider, agent, state, execution_id, opened_at_us,"
                    " ended_at_us, outcome, worker) SELECT :attempt_id, campaign_id, contact_id, phone, 1, 1,"
                    " 'unleashx', 'unleashx', '962', 'ended', :attempt_id, 1, 2, 'no_answer', 'w'"
                    " FROM contacts WHERE list_row = :list_row"
                ),
                here,
            )
            connection.execute(
                text(
                    "UPDATE contacts SET status = 'done', reason = 'no_answer', calls = 1, tries = 1,"
                    " last_attempt_id = :attempt_id WHERE list_row = :list_row"
                ),
                here,
            )
