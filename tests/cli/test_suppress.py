"""`dialer suppress` as a user types it."""

from __future__ import annotations

from pathlib import Path

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
