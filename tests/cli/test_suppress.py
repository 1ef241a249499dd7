"""`dialer suppress` as a user types it."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from dialer.cli import main

CAMPAIGN = '[list]\nfiles = ["*.csv"]\nphone = "phone"\n[call]\naccount = "north"\nagent = "962"\n'
NUMBER = "+442079460018"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "campaigns" / "example"
    home.mkdir(parents=True)
    (home / "campaign.toml").write_text(CAMPAIGN)
    (home / "list.csv").write_text(f"phone\n{NUMBER}\n")
    (tmp_path / "dialer.toml").write_text('[accounts.north]\nprovider = "unleashx"\ntoken = "env:NONE"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--campaign", "exmaple"], "did you mean 'example'?"),
        (["--account", "nroth"], "did you mean 'north'?"),
        (["--account", "other"], "known: north"),
    ],
)
def test_an_entry_for_a_campaign_or_account_that_is_not_there_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    stop = ["suppress", "import", str(folder / "campaigns/example/list.csv")]
    for command in (["suppress", "add", NUMBER], stop):
        assert main([*command, *words]) == 2
        assert told in capsys.readouterr().err
    assert main(["suppress", "add", NUMBER, "--account", "north", "--campaign", "example"]) == 0
    assert main(["suppress", "list"]) == 0
    assert capsys.readouterr().out.count(NUMBER) == 2  # said when added, and its one entry


def test_a_campaign_that_only_the_database_has_is_known(folder: Path) -> None:
    assert main(["load", "example"]) == 0
    (folder / "campaigns" / "example").rename(folder / "elsewhere")
    assert main(["suppress", "add", NUMBER, "--campaign", "example"]) == 0


def test_what_was_taken_off_is_said_for_whom_it_held(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*words: str) -> list[str]:
        assert main(["suppress", *words]) == 0
        return capsys.readouterr().out.splitlines()

    for words in ([], ["--campaign", "example"], ["--campaign", "example", "--account", "north"]):
        told("add", NUMBER, *words)
    told("add", "+4420*", "--account", "north")
    held = f"{NUMBER}: still held by +4420* for account north"
    assert told("remove", NUMBER, "--campaign", "example") == [
        f"{NUMBER}: 2 entries taken off: 1 for campaign example, 1 for campaign example with account north",
        f"{NUMBER}: still held by {NUMBER} for all campaigns, +4420* for account north",
    ]
    told("add", NUMBER, "--campaign", "example")
    assert told("remove", NUMBER) == [
        f"{NUMBER}: 2 entries taken off: 1 for all campaigns, 1 for campaign example",
        held,
    ]
    assert told("remove", "+4420*") == ["+4420*: 1 entry taken off: 1 for account north"]


def test_prefixes_of_a_list_are_imported_as_prefixes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = folder / "refused.csv"
    refused.write_text(f"number\n{NUMBER}\n+49 30*\n+4930*\n+442079460019*\n+49*30\n030*\n")
    assert main(["suppress", "import", str(refused)]) == 0
    said = capsys.readouterr()
    assert "6 rows, 1 numbers and 2 prefixes are not called any more" in said.out
    assert "(3 new, 0 there already, 1 duplicate rows)" in said.out
    assert "2 rows hold no number that can be called" in said.err
    for number, entries in ((NUMBER, 1), ("+493012345678", 1), ("+4989123456", 0), ("+442079460019", 1)):
        assert main(["suppress", "check", number, "--json"]) == 0
        assert len(orjson.loads(capsys.readouterr().out)) == entries
    assert main(["suppress", "import", str(refused), "--json"]) == 0
    counts = orjson.loads(capsys.readouterr().out)
    assert counts == {
        "rows": 6,
        "numbers": 1,
        "prefixes": 2,
        "duplicate": 1,
        "there_already": 3,
        "not_understood": 2,
    }
