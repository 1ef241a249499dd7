"""What `dialer check` and `dialer load` say of hours: who can be called when, and who never."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from dialer.cli import main

CAMPAIGN = """
[list]
files = ["*.csv"]
phone = "phone"
[call]
account = "north"
agent = "962"
[caps]
per_number = ["3 per 24h"]
calls_total = 5000
[hours]
"""
LIST = "phone\n+442079460018\n+442079460019\n+16025550109\n+919876543210\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "campaigns" / "spring"
    home.mkdir(parents=True)
    (home / "list.csv").write_text(LIST)
    (tmp_path / "dialer.toml").write_text(
        '[accounts.north]\nprovider = "unleashx"\ntoken = "env:NO_TOKEN_IS_NEEDED"\ncalls_per_second = 2\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_TOKEN_IS_NEEDED", "x")
    monkeypatch.setenv("COLUMNS", "400")
    return home


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main([*words]) == 0
    both = capsys.readouterr()
    return both.out + both.err


def test_a_check_tells_rules_hours_caps_cron_openings_refusals_and_do_not_call(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "campaign.toml").write_text(
        CAMPAIGN + 'days = "mon-fri"\nstart = "11:00"\nend = "12:00"\nends_at = 2099-07-01T00:00:00Z\n'
        'cron = "0 9 * * *"\ncron_time_zone = "Europe/London"\n'
    )
    before = printed(capsys, "check", "spring")
    assert "rules: auto" in before
    assert "Mon-Fri 11:00-12:00" in before
    assert "until 2099-07-01" in before
    assert "caps: 3 per 24h; budget: 5,000 calls" in before
    assert "cron: 0 9 * * *" in before
    for clock in ("Europe/London: 2 contacts", "Asia/Calcutta: 1 contact"):
        assert re.search(clock + r", (open now|next \d{4}-\d\d-\d\d 11:00 local)", before), before
    assert "refused by a rule: 1 contact: US-AZ" in before
    assert "consent = true" in before
    assert "do-not-call" not in before
    assert "never be called" not in before
    assert main(["suppress", "add", "+44207946*"]) == 0
    assert "2 contacts are on the do-not-call list" in printed(capsys, "check", "spring")


@pytest.mark.parametrize(
    ("hours", "warning"),
    [
        ('start = "22:00"\nend = "23:00"\n', "no window opens any more (campaign hours and GB)"),
        ("ends_at = 2020-01-01T00:00:00Z\n", "[hours] ends_at is over"),
    ],
)
def test_hours_that_never_open_are_warned_of_by_check_and_load(
    folder: Path, capsys: pytest.CaptureFixture[str], hours: str, warning: str
) -> None:
    (folder / "campaign.toml").write_text(CAMPAIGN + hours)
    for command in ("check", "load"):
        told = printed(capsys, command, "spring")
        assert "warning: 3 contacts can never be called: " in told
        assert warning in told
    told = printed(capsys, "status", "spring")
    assert f"contacts can never be called: {warning}" in told


@pytest.mark.parametrize(
    ("limit", "pace", "warned"),
    [
        ("", "", True),
        ("calls_per_second = 2", "", False),
        ("requests_per_minute = 100", "", False),
        ("", "[pace]\ncalls_per_second = 1\n", False),
    ],
)
def test_calls_that_nothing_paces_are_warned_of(
    folder: Path, capsys: pytest.CaptureFixture[str], limit: str, pace: str, warned: bool
) -> None:
    settings = folder.parent.parent / "dialer.toml"
    settings.write_text(settings.read_text().replace("calls_per_second = 2", limit))
    (folder / "campaign.toml").write_text(CAMPAIGN + pace)
    told = printed(capsys, "check", "spring")
    line = (
        "warning: account 'north' has no calls_per_second: its calls leave as fast as they can be sent; "
        "write calls_per_second = ... under [accounts.north] in dialer.toml"
    )
    assert (line in told) == warned
    # A worker dials whatever is there: it looks at accounts alone.
    assert (line in printed(capsys, "worker", "--for", "0.01s")) == (not limit)


def test_a_check_suggests_how_to_mend_a_row_of_too_many_fields(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "campaign.toml").write_text(CAMPAIGN)
    (folder / "list.csv").write_text("phone,name\n+442079460018,Bob\n+442079460019,Dee, Ann\n")
    told = printed(capsys, "check", "spring")
    assert "3 fields where the header has 2 -> put a cell that holds the delimiter between quotes" in told


def test_a_check_names_the_files_that_a_load_would_pass_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "campaign.toml").write_text(CAMPAIGN)
    assert "was loaded before" not in printed(capsys, "check", "spring")
    assert "4 accepted" in printed(capsys, "load", "spring")
    (folder / "more.csv").write_text(LIST.replace("19\n", "17\n"))
    before = printed(capsys, "check", "spring")
    assert before.count("was loaded before, as it is: load and run pass over it") == 1
    assert before.count("4 accepted") == 1  # counted as if nothing were loaded: as it was the first time
    lists = orjson.loads(printed(capsys, "check", "spring", "--json"))["lists"]
    assert [(one["file"], one["loaded_before"]) for one in lists] == [("list.csv", True), ("more.csv", False)]
    printed(capsys, "load", "spring")
    # Read in another way it is another list.
    (folder / "campaign.toml").write_text(CAMPAIGN.replace("files", 'region = "GB"\nfiles'))
    assert "was loaded before" not in printed(capsys, "check", "spring")
