"""The guide of Hamsa says what is true: its settings, its statuses, its example."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from dialer.providers.hamsa.options import HamsaOptions
from dialer.providers.hamsa.records import OUTCOME_OF_STATUS

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "hamsa.md").read_text("utf-8")


def test_every_setting_is_in_the_guide_with_its_default() -> None:
    for name, field in HamsaOptions.model_fields.items():
        assert f"`{name}`" in GUIDE or f"{name} =" in GUIDE, name
        line = next((line for line in GUIDE.splitlines() if line.startswith(f"| `{name}` ")), "")
        if line:
            default = {True: "true", False: "false"}.get(field.default, str(field.default).removesuffix(".0"))
            assert default in line, line


def test_every_status_is_in_the_guide_with_its_outcome() -> None:
    for status, outcome in OUTCOME_OF_STATUS.items():
        assert re.search(rf"^\| `{status}` \| `{outcome}`", GUIDE, re.MULTILINE), status


def test_the_example_is_a_dialer_toml() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    account = tomllib.loads("\n".join(blocks))["accounts"]["hamsa"]
    known = {*HamsaOptions.model_fields, "provider", "token", "calls_per_second", "calls_open_max"}
    assert set(account) <= known
