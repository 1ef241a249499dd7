"""What docs/guide/schedule.md says can be used as it stands."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cronsim import CronSim

from dialer.campaign import Campaign
from dialer.cli import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "schedule.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_campaigns_lines_are_understood() -> None:
    [lines] = blocks("toml")
    hours = tomllib.loads(lines)["hours"]
    campaign = Campaign.model_validate(
        {
            "file": PAGE,
            "name": "renewals",
            "list": {"files": ("*.csv",)},
            "call": {"account": "north", "agent": "1"},
            "hours": hours,
        }
    )
    assert (campaign.hours.cron, campaign.hours.late_start) == ("0 10 * * mon-fri", "skip")


def test_the_crontab_lines_fire_and_call_commands_that_exist() -> None:
    lines = [line for block in blocks("crontab") for line in block.splitlines()]
    assert len(lines) == 2
    for line in lines:
        words = line.split(maxsplit=5)
        assert next(CronSim(" ".join(words[:5]), datetime(2026, 11, 21, tzinfo=UTC)))
        [command] = re.findall(r"bin/dialer (\w+)", words[5])
        assert command in COMMANDS


def test_the_commands_of_the_page_exist() -> None:
    said = [line for block in blocks("") for line in block.splitlines() if line.startswith("dialer ")]
    assert said
    assert {line.split()[1] for line in said} <= COMMANDS.keys()


def unit() -> str:
    [text] = blocks("systemd")
    return text


def test_the_unit_stops_a_worker_gently_and_starts_it_again() -> None:
    read = configparser.RawConfigParser(strict=True)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(unit())
    service = read["Service"]
    assert service["ExecStart"].endswith("/dialer worker")
    assert (service["Restart"], service["SuccessExitStatus"]) == ("on-failure", "130")
    assert int(service["TimeoutStopSec"]) > 30
    assert read["Install"]["WantedBy"] == "multi-user.target"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    file = tmp_path / "dialer-worker.service"
    file.write_text(unit().replace("/srv/dialer/.venv/bin/dialer worker", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Unknown" not in done.stderr
