"""The whole path through Hamsa and through a gateway of dialer.toml alone, with answers that get lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from dialer.cli import main
from dialer.simulator import SimulatorConfig, simulator_thread
from dialer.simulator.gateway import NOTIFY_SECRET, describe
from tests.deployment import number

TOKEN = "whole-path-token"
ROWS = 50

CONFIG = SimulatorConfig(
    tokens=(TOKEN,),
    time_scale=10_000.0,
    throttle_before=0.05,
    retry_after_share=0.0,
    error_before=0.05,
    error_after=0.08,
    close_after=0.08,
    half_after=0.05,
    no_execution_id_after=0.05,
    truncated_after=0.05,
)

HAMSA = """
[accounts.{name}]
provider = "hamsa"
base_url = "{url}"
token = "env:GATEWAY_TOKEN"
from_number = "+18449292835"
"""

PATIENCE = "poll_s = 0.2\nlisting_delay_s = 0.5\noutcome_wait_s = 5.0\ntimeout_s = 2.0\ntoken ="

CAMPAIGN = """
on_unknown = "redial"
[stop]
failure_rate = 1.0
[hours]
rules = "own"
days = "mon-sun"
holidays = false
[list]
files = ["*.csv"]
phone = "phone"
region = "US"
[call]
account = "gateway"
agent = "{agent}"
"""


@pytest.mark.parametrize(
    ("provider", "agent"), [("hamsa", "5d1c2b1e-6a54-4a9e-9f0d-0c3f7b5a9c11"), ("http", "renewals")]
)
def test_every_call_ends_with_an_outcome_and_none_is_placed_twice(
    tmp_path: Path,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    provider: str,
    agent: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_TOKEN", TOKEN)
    monkeypatch.setenv("GATEWAY_NOTIFY_SECRET", NOTIFY_SECRET)
    home = tmp_path / "campaigns" / "spring"
    home.mkdir(parents=True)
    (home / "campaign.toml").write_text(CAMPAIGN.format(agent=agent))
    (home / "list.csv").write_text("phone\n" + "".join(f"{number(n)}\n" for n in range(ROWS)))
    with simulator_thread(CONFIG, provider=provider) as url:
        account = describe(url, TOKEN) if provider == "http" else HAMSA.format(name="gateway", url=url)
        account = account.replace("token =", PATIENCE, 1)
        (tmp_path / "dialer.toml").write_text(f'database_url = "{sqlite_url}"\n{account}')
        code = main(["run", "spring", "--wait"])
        placed = httpx.get(f"{url}/simulator/ledger", trust_env=False).json()
    said = capsys.readouterr()
    assert code == 0, said.err
    assert TOKEN not in said.out + said.err
    assert ("has no calls_per_second" in said.err) == (provider == "hamsa")  # the gateway's has one
    with closing(sqlite3.connect(tmp_path / "dialer.db")) as database:
        rows = database.execute("SELECT phone, status, outcome, execution_id FROM outcomes").fetchall()
    assert len(placed) == len({call["number"] for call in placed}) == ROWS
    assert sorted(rows) == sorted(
        (call["number"], "done", call["outcome"], call["execution_id"]) for call in placed
    )
