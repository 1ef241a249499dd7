"""`dialer plan` and `dialer why` as a user types them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from dialer.cli import main

CAMPAIGN = """
[list]
files = ["*.csv"]
phone = "phone"
[call]
account = "north"
agent = "962"
"""
LIST = "phone,name\n+12125550101,Ann\n+442079460018,Bob\n+16025550109,Cal\nnobody,Dan\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "campaigns" / "spring"
    home.mkdir(parents=True)
    (home / "campaign.toml").write_text(CAMPAIGN)
    (home / "list.csv").write_text(LIST)
    (tmp_path / "dialer.toml").write_text(
        '[accounts.north]\nprovider = "unleashx"\ntoken = "env:NO_TOKEN_IS_NEEDED"\ncalls_per_second = 2\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_plan_before_the_load_writes_nothing_but_what_was_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(folder.rglob("*"))
    start = ("--start", "2036-07-01T15:00", "--contacts", "when.csv")  # a Tuesday
    plan = said(capsys, "plan", "spring", *start, "--cost-per-call", "0.5")
    assert {path.name for path in set(folder.rglob("*")) - before} == {"when.csv"}
    assert (plan["contacts"], plan["never"], plan["loaded"]) == (3, 1, False)
    assert (plan["calls"], plan["cost"]) == (2, {"least": 1.0, "likely": 1.0, "most": 1.0})
    assert plan["start_at"] == "2036-07-01T15:00:00+00:00"
    assert plan["calendar"] == [{"day": "2036-07-01", "hour": 15, "calls": 2.0}]
    assert sum(one["contacts"] for one in plan["buckets"]) == 3
    rows = pl.read_csv("when.csv", schema_overrides={"phone": pl.String, "next_call_at": pl.String})
    assert rows["next_call_at"].to_list()[:2] == ["2036-07-01T15:00:00.000000Z"] * 2
    assert rows["phone"].to_list() == ["+12125550101", "+442079460018", "+16025550109"]
    assert rows.filter(pl.col("bucket") == "rule")["decided_by"].to_list() == ["US-AZ"]


def test_a_plan_is_the_same_after_the_load(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = said(capsys, "plan", "spring", "--start", "2036-07-01T15:00")
    assert main(["load", "spring"]) == 0
    after = said(capsys, "plan", "spring", "--start", "2036-07-01T15:00")
    assert (before.pop("loaded"), after.pop("loaded")) == (False, True)
    for name in ("contacts", "never", "calls", "start_at", "finish_at", "calendar", "assumed"):
        assert before[name] == after[name]


def test_why_counts_everybody_and_tells_all_of_one_number(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", "spring"]) == 0
    assert main(["suppress", "add", "+442079460018", "--reason", "asked us not to"]) == 0
    why = said(capsys, "why", "spring")
    assert why["contacts"] == sum(one["contacts"] for one in why["buckets"]) == 3
    assert (why["state"], why["workers"], why["never"]) == ("idle", 0, 2)
    one = said(capsys, "why", "spring", "+44 20 7946 0018")
    assert (one["bucket"], one["next_call_at"], one["attempts"]) == ("do_not_call", None, [])
    assert one["do_not_call"][0]["reason"] == "asked us not to"
    assert one["jurisdictions"] == ["GB"]
    assert one["windows"]
    assert main(["why", "spring", "+12125550101"]) == 0
    assert "US, US-NY" in capsys.readouterr().out


def test_why_reads_a_number_as_the_list_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", "spring"]) == 0
    for words in (["020 7946 0018", "--region", "gb"], ["'+44 20 7946 0018"], ["tel:+44-20-7946-0018"]):
        assert said(capsys, "why", "spring", *words)["phone"] == "+442079460018"
    refused = {
        ("020 7946 0018",): "has no country code, and [list] region of spring names none",
        ("+12125550101; +442079460018",): "holds several numbers: +12125550101, +442079460018",
        ("212 555", "--region", "US"): "cannot be dialled as a number of US: 6 digits: ",
        ("020 7946 0018", "--region", "XX"): "'XX'",
        ("020 7946 0019", "--region", "GB"): "+442079460019 is no contact of campaign 'spring'",
    }
    for typed, message in refused.items():
        assert main(["why", "spring", *typed]) == 2
        assert message in capsys.readouterr().err
    (folder / "campaigns" / "spring" / "campaign.toml").write_text(
        CAMPAIGN.replace('phone = "phone"', 'phone = "phone"\nregion = "GB"')
    )
    assert said(capsys, "why", "spring", "020 7946 0018")["phone"] == "+442079460018"


def test_why_says_for_whom_entries_hold_and_when_windows_really_close(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = '[hours]\nrules = "own"\nstart = "10:00"\nend = "16:00"\n'
    for name in ("spring", "autumn"):
        home = folder / "campaigns" / name
        home.mkdir(exist_ok=True)
        (home / "campaign.toml").write_text(CAMPAIGN + own)
        (home / "list.csv").write_text(LIST)
        assert main(["load", name]) == 0
    number = "+442079460018"
    assert main(["suppress", "add", number, "--campaign", "autumn", "--reason", "no autumn"]) == 0
    assert main(["suppress", "add", "+4420*", "--account", "north"]) == 0
    one = said(capsys, "why", "spring", number)
    assert [entry["applies_here"] for entry in one["do_not_call"]] == [False, True]
    lengths = {
        (datetime.fromisoformat(span["until"]) - datetime.fromisoformat(span["from"])).total_seconds()
        for span in one["windows"]
    }
    assert lengths == {6 * 3600 - 300}
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["why", "spring", number]) == 0
    told = capsys.readouterr().out
    assert f"{number}, holds for campaign autumn, does not apply here, reason: no autumn" in told
    assert "+4420*, holds for account north, applies here" in told


def test_the_plan_reads_well_on_paper(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "spring", "--start", "2036-07-01T15:00", "--zone", "America/New_York"]) == 0
    told = capsys.readouterr().out
    assert "planned from its list, not loaded yet, to start at 2036-07-01 15:00 UTC; 3 contacts" in told
    assert "start 2036-07-01 15:00 UTC" in told
    assert "Tue 2036-07-01" in told
    assert "calls by hour, America/New_York; · any, ▒ from 1, █ from 2" in told
    assert "not legal advice" in told


def test_nobody_is_due_now_where_dialing_begins_later(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "campaigns" / "spring" / "campaign.toml").write_text(CAMPAIGN + "[hours]\nrules = []\n")
    assert main(["plan", "spring", "--start", "2036-07-01T15:00"]) == 0
    told = capsys.readouterr().out
    assert "not loaded yet, to start at 2036-07-01 15:00 UTC; 3 contacts: later 3" in told
    assert "not_started" in told
    hours = '[hours]\nrules = []\ncron = "0 9 * * *"\ncron_time_zone = "Europe/London"\n'
    (folder / "campaigns" / "spring" / "campaign.toml").write_text(CAMPAIGN + hours)
    plan = said(capsys, "plan", "spring")
    assert (plan["now"], plan["later"]) == (0, 3)
    [bucket] = plan["buckets"]
    assert (bucket["bucket"], bucket["when"]) == ("not_started", "later")
    run_at = datetime.fromisoformat(plan["run_at"]).astimezone(ZoneInfo("Europe/London"))
    assert (run_at.hour, run_at.minute) == (9, 0)
    assert bucket["next_at"] == plan["run_at"] == plan["start_at"]


def test_a_start_may_be_said_as_how_long_from_now(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = said(capsys, "plan", "spring", "--start", "14h")
    planned_at, run_at = (datetime.fromisoformat(plan[name]) for name in ("planned_at", "run_at"))
    assert abs((run_at - planned_at).total_seconds() - 14 * 3600) < 600


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan", "spring", "--zone", "Europe/Berln"], "Europe/Berlin"),
        (["plan", "spring", "--assume", "busy"], "no_answer=0.4"),
        (["plan", "spring", "--start", "tomorrow"], "no moment"),
        (["plan", "spring", "--start", "2020-01-01T00:00"], "is over already"),
        (["plan", "spring", "--png", "calendar.jpg"], ".html or .png"),
        (["why", "spring"], "dialer load spring"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    if words[0] == "why":
        (folder / "campaigns" / "autumn").mkdir()
        (folder / "campaigns" / "autumn" / "campaign.toml").write_text(CAMPAIGN)
        (folder / "campaigns" / "autumn" / "list.csv").write_text(LIST)
        assert main(["load", "autumn"]) == 0
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_groups_of_one_zone_are_told_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Landlines and mobiles of Berlin, and one whose zone the list names."""
    home = folder / "campaigns" / "spring"
    (home / "campaign.toml").write_text(CAMPAIGN.replace('"phone"\n', '"phone"\ntime_zone = "tz"\n'))
    (home / "list.csv").write_text("phone,tz\n+493012345678,\n+4915112345678,\n+493012345679,Europe/Berlin\n")
    slots = said(capsys, "plan", "spring", "--start", "2036-07-01T09:00")["slots"]
    assert sorted((one["line"], one["time_zones_from"]) for one in slots) == [
        ("fixed", "list"),
        ("fixed", "number"),
        ("mobile", "number"),
    ]
    assert main(["plan", "spring", "--start", "2036-07-01T09:00"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "Europe/Berlin" in line]
    assert len({tuple(row.split("│")[1:5]) for row in rows}) == len(rows) == 3
