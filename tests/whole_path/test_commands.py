"""The whole path by command, as a user types it, against a pretend provider in a process of its own."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import polars as pl
import pytest

from dialer.simulator.config import SimulatorConfig
from dialer.simulator.server import simulator_process
from dialer.store.database import Store
from tests.deployment import TOKEN, Deployment, kill
from tests.seed import statuses


@pytest.fixture(scope="module")
def quiet_provider() -> Iterator[str]:
    with simulator_process(SimulatorConfig(tokens=(TOKEN,), time_scale=10_000.0)) as url:
        yield url


@pytest.fixture
def spring(tmp_path: Path, store_url: str, quiet_provider: str) -> Deployment:
    return Deployment(tmp_path, store_url, quiet_provider).write(25)


@pytest.fixture
def sqlite_spring(tmp_path: Path, sqlite_url: str, quiet_provider: str) -> Deployment:
    return Deployment(tmp_path, sqlite_url, quiet_provider, {"calls_per_second": 200}).write(25)


def placed(spring: Deployment) -> int:
    summary = httpx.get(f"{spring.base_url}/simulator/summary", trust_env=False).json()
    count = summary["calls_placed"]
    assert isinstance(count, int)
    return count


def test_a_list_becomes_outcomes_with_execution_ids(spring: Deployment) -> None:
    run = spring.dialer("run", "spring", "--wait", "--json")
    books, warning = run.stderr.splitlines()
    assert (run.returncode, books) == (0, "list.csv: 25 rows read = 25 accepted + 0 rejected + 0 duplicate")
    assert warning.startswith("warning: account 'unleashx' has no calls_per_second")
    assert "[accounts.unleashx] in " in warning
    assert warning.endswith("dialer.toml")
    figures = orjson.loads(run.stdout)
    assert (figures["accepted"], figures["ended_calls"], figures["waiting_left"]) == (25, 25, 0)
    target = spring.folder / "outcomes.parquet"
    assert spring.dialer("export", "outcomes", "--to", str(target)).returncode == 0
    outcomes = pl.read_parquet(target)
    assert outcomes["execution_id"].n_unique() == 25
    assert outcomes["status"].unique().to_list() == ["done"]
    status = orjson.loads(spring.dialer("status", "spring", "--json").stdout)
    assert (status[0]["rows_read"], status[0]["done"], status[0]["attempts"]) == (25, 25, 25)
    assert spring.dialer("audit", "spring").returncode == 0
    before = placed(spring)
    assert spring.dialer("run", "spring").returncode == 0
    assert placed(spring) == before


def test_check_calls_nobody_and_writes_nothing(sqlite_spring: Deployment) -> None:
    before = placed(sqlite_spring)
    checked = sqlite_spring.dialer("check", "spring")
    assert checked.returncode == 0
    assert "25 rows read = 25 accepted" in checked.stdout
    assert placed(sqlite_spring) == before
    assert sqlite_spring.dialer("status").stdout.startswith("no campaign was loaded yet")


def test_a_paused_campaign_does_not_run_until_it_is_resumed(sqlite_spring: Deployment) -> None:
    assert sqlite_spring.dialer("load", "spring").returncode == 0
    assert sqlite_spring.dialer("pause", "spring").stdout == "spring: paused\n"
    run = sqlite_spring.dialer("run", "spring")
    assert (run.returncode, run.stdout) == (3, "")
    assert run.stderr == "dialer: campaign 'spring' is paused; to go on: dialer resume spring\n"
    told = sqlite_spring.dialer("run", "spring", "--json")
    document = orjson.loads(told.stdout)
    assert (told.returncode, told.stderr) == (3, run.stderr)
    assert (document["state"], document["submitted"], document["exit_code"]) == ("paused", 0, 3)
    assert sqlite_spring.dialer("resume", "spring").returncode == 0
    assert sqlite_spring.dialer("run", "spring").returncode == 0


def test_a_canceled_campaign_is_over_for_good(sqlite_spring: Deployment) -> None:
    assert sqlite_spring.dialer("load", "spring").returncode == 0
    assert sqlite_spring.dialer("cancel", "spring").stdout == "spring: canceled\n"
    run = sqlite_spring.dialer("run", "spring")
    assert run.returncode == 2
    assert "canceled, for good" in run.stderr
    store = Store(sqlite_spring.database_url)
    assert statuses(store) == {"canceled": 25}
    store.close()


def test_an_unknown_attempt_waits_for_a_persons_word(tmp_path: Path, sqlite_url: str) -> None:
    lost = SimulatorConfig(tokens=(TOKEN,), close_before=1.0)
    with simulator_process(lost) as url:
        spring = Deployment(tmp_path, sqlite_url, url).write(2)
        run = spring.dialer("run", "spring")
        assert run.returncode == 4
        left = orjson.loads(spring.dialer("reconcile", "spring", "--json").stdout)
        assert len(left) == 2
        assert all(one["reason"].startswith("held: ") for one in left)
        first, second = (one["attempt_id"] for one in left)
        refused = spring.dialer("reconcile", "--bind", first, "their-id")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "the provider knows no call their-id" in refused.stderr
        bound = spring.dialer("reconcile", "--bind", first, "their-id", "--force")
        assert bound.returncode == 4  # the other is held
        assert bound.stdout.startswith(f"{first} is call their-id of account 'unleashx' now; ")
        freed = spring.dialer("reconcile", "spring", "--not-placed", second)
        assert (freed.returncode, len(freed.stdout.splitlines())) == (0, 2)
        assert freed.stdout.startswith(f"{second} was not placed: its contact waits for its call again; ")
        assert spring.dialer("reconcile", "--not-placed", second).returncode == 2
    store = Store(sqlite_url)
    assert statuses(store) == {"calling": 1, "waiting": 1}
    store.close()


def test_sigterm_drains_and_leaves_nothing_unknown(tmp_path: Path, sqlite_url: str) -> None:
    slow = SimulatorConfig(tokens=(TOKEN,), latency_ms=(150.0, 300.0))
    with simulator_process(slow) as url:
        spring = Deployment(tmp_path, sqlite_url, url, {"calls_per_second": 50.0}).write(400)
        process = spring.start("run", "spring")
        while httpx.get(f"{url}/simulator/summary", trust_env=False).json()["calls_placed"] < 20:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 130, err
        calls = httpx.get(f"{url}/simulator/summary", trust_env=False).json()["calls_placed"]
    assert "interrupted" in out
    store = Store(sqlite_url)
    assert statuses(store) == {"calling": calls, "waiting": 400 - calls}
    store.close()


def test_a_second_run_on_sqlite_is_told_to_come_back(tmp_path: Path, sqlite_url: str) -> None:
    slow = SimulatorConfig(tokens=(TOKEN,), latency_ms=(100.0, 200.0))
    with simulator_process(slow) as url:
        spring = Deployment(tmp_path, sqlite_url, url, {"calls_per_second": 5.0}).write(200)
        first = spring.start("run", "spring")
        while httpx.get(f"{url}/simulator/summary", trust_env=False).json()["calls_placed"] < 1:
            time.sleep(0.02)
        second = spring.dialer("run", "spring")
        kill(first)
        third = spring.start("run", "spring")  # a killed dialer leaves no lock behind
        while httpx.get(f"{url}/simulator/summary", trust_env=False).json()["calls_placed"] < 8:
            time.sleep(0.02)
        kill(third)
    assert (second.returncode, second.stdout) == (75, "")
    assert "another dialer" in second.stderr


def test_a_wrong_token_stops_the_campaign_and_everything_stays_as_it_was(sqlite_spring: Deployment) -> None:
    sqlite_spring.environment["UNLEASHX_TOKEN"] = "wrong-secret-token"
    run = sqlite_spring.dialer("run", "spring")
    assert run.returncode == 3
    assert "token" in run.stdout
    assert "wrong-secret-token" not in run.stdout + run.stderr
    store = Store(sqlite_spring.database_url)
    assert statuses(store) == {"waiting": 25}
    store.close()
    sqlite_spring.environment["UNLEASHX_TOKEN"] = TOKEN
    assert sqlite_spring.dialer("run", "spring").returncode == 0


def edit(spring: Deployment, name: str, before: str, after: str) -> None:
    file = spring.folder / name
    words = file.read_text()
    assert before in words
    file.write_text(words.replace(before, after))


CAMPAIGN = "campaigns/spring/campaign.toml"
BAD = {
    "a list that is not there": (CAMPAIGN, '"*.csv"', '"*.parquet"', 2, r"*.parquet"),
    "a column that is not there": (
        CAMPAIGN,
        'phone = "phone"',
        'phone = "phones"',
        2,
        "did you mean 'phone'",
    ),
    "an empty list": ("campaigns/spring/list.csv", "", None, 2, "list.csv"),
    "a list of bytes": ("campaigns/spring/list.csv", "", "\0\0\0", 2, "list.csv"),
    "a malformed campaign": (CAMPAIGN, "[call]", "[call", 2, "campaign.toml:"),
    "an unknown key": (CAMPAIGN, "region =", "regoin =", 2, "did you mean 'region'"),
    "hours that are never open": (
        CAMPAIGN,
        "rules = []",
        'rules = []\nstart = "19:00"\nend = "9:00"',
        2,
        "never open",
    ),
    "a rule that does not exist": (
        CAMPAIGN,
        "rules = []",
        'rules = ["US-FLO"]',
        2,
        "there is no rule 'US-FLO'",
    ),
    "an unknown account": (
        CAMPAIGN,
        'account = "unleashx"',
        'account = "unleashy"',
        2,
        "did you mean 'unleashx'",
    ),
    "an agent that cannot be": (CAMPAIGN, 'agent = "962"', 'agent = "me"', 2, "agent"),
    "a malformed dialer.toml": (
        "dialer.toml",
        "[accounts.unleashx]",
        "[accounts.unleashx",
        2,
        "dialer.toml:",
    ),
    "an unknown setting": ("dialer.toml", "poll_s", "pol_s", 2, "did you mean 'poll_s'"),
    "a secret in the file": ("dialer.toml", "env:UNLEASHX_TOKEN", "s3cr3t", 2, "env:"),
    "a missing token": ("dialer.toml", "env:UNLEASHX_TOKEN", "env:NOWHERE_TOKEN", 2, "NOWHERE_TOKEN"),
    "an unreachable provider": (
        "dialer.toml",
        "http://127.0.0.1:",
        "http://127.0.0.2:",
        1,
        "cannot be reached",
    ),
    "a database that cannot be": ("dialer.toml", "sqlite:///", "mysql://", 2, "database_url"),
    "a database that is not there": ("dialer.toml", "sqlite:///", "sqlite:////nowhere/", 1, "nowhere"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message_and_nothing_is_written(sqlite_spring: Deployment, case: str) -> None:
    name, before, after, code, words = BAD[case]
    if before:
        edit(sqlite_spring, name, before, after or "")
    else:
        (sqlite_spring.folder / name).write_text(after or "")
    run = sqlite_spring.dialer("run", "spring")
    assert run.returncode == code, run.stderr
    assert run.stdout == ""
    assert words in run.stderr
    assert "Traceback" not in run.stderr
    assert "s3cr3t" not in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1, run.stderr
    with sqlite3.connect(sqlite_spring.folder / "dialer.db") as database:
        for table in ("contacts", "rejected_rows", "loads", "ledger", "campaigns"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    database.close()


def test_wrong_words_are_exit_code_2_with_a_hint() -> None:
    wrong = subprocess.run([sys.executable, "-m", "dialer", "rnu"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "run" in wrong.stderr
    assert "Traceback" not in wrong.stderr
