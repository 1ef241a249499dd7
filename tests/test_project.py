"""The project's own promises: locks without addresses, documents that name what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from dialer.cli import COMMANDS
from dialer.store.views import VIEWS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
def test_a_lock_has_hashes_and_no_address(lock: str) -> None:
    lines = (ROOT / "requirements" / lock).read_text().splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    pinned = [number for number, line in enumerate(lines) if re.match(r"[a-z0-9-]+==", line)]
    assert len(pinned) > 30
    assert all("--hash=sha256:" in lines[number + 1] for number in pinned)


def test_every_dependency_of_the_project_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements" / "run.txt").read_text()
    for dependency in project["dependencies"]:
        name = re.match(r"[A-Za-z0-9-]+", dependency)
        assert name is not None
        assert re.search(rf"^{name.group().lower()}==", locked, re.MULTILINE), dependency


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"\b{command}\b", README)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_in_the_readme(view: str) -> None:
    assert f"`{view}`" in README


def test_ci_runs_the_commands_of_the_readme() -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    for command in ("python3 dev.py demo", "python3 dev.py test"):
        assert command in README
        assert command in ci
