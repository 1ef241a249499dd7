"""A deployment in a folder: dialer.toml, a campaign, a list; commands run as a user would run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

TOKEN = "whole-path-token"


def number(n: int) -> str:
    """Return the n-th valid US number of the tests, as people write it."""
    return f"({212 + n // 10_000:03d}) {550 + n // 1000 % 10:03d}-{n % 1000:03d}{n % 10}"


@dataclass
class Deployment:
    """A folder with everything that `dialer run spring` needs."""

    folder: Path
    database_url: str
    base_url: str
    account: dict[str, Any] = field(default_factory=dict)
    on_unknown: str = "hold"
    failure_rate: float = 1.0
    environment: dict[str, str] = field(default_factory=lambda: {"UNLEASHX_TOKEN": TOKEN})

    def write(self, rows: int) -> Deployment:
        """Write dialer.toml, the campaign and a list of so many numbers."""
        account = {
            "base_url": self.base_url,
            "token": "env:UNLEASHX_TOKEN",
            "poll_s": 0.2,
            "listing_delay_s": 1.0,
            "outcome_wait_s": 1.0,
            "timeout_s": 2.0,
            **self.account,
        }
        lines = [f'database_url = "{self.database_url}"', "[accounts.unleashx]"]
        lines += [f"{key} = {orjson.dumps(value).decode()}" for key, value in account.items()]
        (self.folder / "dialer.toml").write_text("\n".join(lines))
        home = self.folder / "campaigns" / "spring"
        home.mkdir(parents=True, exist_ok=True)
        (home / "campaign.toml").write_text(
            f'on_unknown = "{self.on_unknown}"\n[stop]\nfailure_rate = {self.failure_rate}\n'
            '[list]\nfiles = ["*.csv"]\nphone = "phone"\nregion = "US"\nid = "id"\nmetadata = ["id"]\n'
            '[call]\naccount = "unleashx"\nagent = "962"\n[hours]\nrules = []\n'
        )
        text = "id,phone\n" + "".join(f"c{n},{number(n)}\n" for n in range(rows))
        (home / "list.csv").write_text(text)
        return self

    def dialer(self, *words: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "dialer", *words],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start one command."""
        return subprocess.Popen(
            [sys.executable, "-m", "dialer", *words],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def kill(process: subprocess.Popen[str]) -> None:
    """End the process as a power cut would."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
