"""`dialer due` as a crontab calls it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from dialer.attempts import workers
from dialer.cli import main
from dialer.store.database import Store
from dialer.store.lock import only_dialer
from dialer.store.migrate import prepare

CAMPAIGN = """
[list]
files = ["*.csv"]
phone = "phone"
[call]
account = "north"
agent = "962"
"""
CRON = '[hours]\ncron = "* * * * *"\ncron_time_zone = "Asia/Kolkata"\n'


def campaign(folder: Path, name: str, words: str) -> None:
    home = folder / "campaigns" / name
    home.mkdir(parents=True)
    (home / "campaign.toml").write_text(words)


def test_a_wrong_folder_is_refused_and_one_without_cron_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["due"]) == 2
    assert "neither a dialer.toml nor a folder campaigns" in capsys.readouterr().err
    campaign(tmp_path, "spring", CAMPAIGN)
    assert main(["due"]) == 0
    assert capsys.readouterr().out == "no campaign in campaigns has [hours] cron\n"


def test_a_broken_file_beside_good_ones_is_1_and_alone_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    campaign(tmp_path, "broken", "x = 1\n")
    assert main(["due"]) == 2
    campaign(tmp_path, "spring", CAMPAIGN + CRON.replace("* * * * *", "0 0 1 1 *"))
    assert main(["due"]) == 1
    capsys.readouterr()
    assert main(["due", "--list", "--json"]) == 1
    [line] = json.loads(capsys.readouterr().out)["campaigns"]
    assert line["next_local"].endswith("01-01 00:00 Asia/Kolkata")
    assert line["next_at"].endswith("12-31T18:30Z")
    assert line["last_started_at"] is None


def test_a_due_run_waits_for_another_dialer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    campaign(tmp_path, "spring", CAMPAIGN + CRON)
    with only_dialer(tmp_path / "dialer.db"):
        assert main(["due"]) == 75
    assert "spring: due " in capsys.readouterr().err
    assert main(["due"]) == 2  # taken now: there is no such account
    assert main(["runs", "--json"]) == 0
    ended = [run["ended"] for run in json.loads(capsys.readouterr().out)]
    assert ended[1].startswith("waits: another dialer")


def test_it_is_said_that_what_workers_dial_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(Store(f"sqlite:///{tmp_path}/dialer.db")) as store:
        prepare(store)
        workers.enter(store, "run", campaign_id=1, run_id=1)
        assert main(["runs"]) == 0
        assert capsys.readouterr().err == ""
        workers.enter(store, "w")
    assert main(["runs"]) == 0
    assert "is no run" in capsys.readouterr().err
