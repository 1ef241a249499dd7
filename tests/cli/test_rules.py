"""`dialer rules` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dialer.cli import main


def test_a_state_is_listed_by_code_and_name_with_its_countrys_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    listed = []
    for word in ("US-FL", "Florida"):
        assert main(["rules", "list", word, "--json"]) == 0
        listed.append({rule["id"] for rule in json.loads(capsys.readouterr().out)["rules"]})
    assert listed[0] == listed[1]
    assert {"US-FL", "us-fed-hours"} <= listed[0]
    assert main(["rules", "list", "Florda"]) == 2
    assert "did you mean 'Florida'" in capsys.readouterr().err


def test_a_later_moment_is_not_called_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["rules", "check", "2125550101", "--region", "US", "--at", "2036-01-01T15:00"]) == 0
    assert capsys.readouterr().out.startswith("May be called at that moment, until ")
