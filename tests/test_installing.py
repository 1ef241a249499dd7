"""What a person is told who installs dialer where there is no C compiler."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_of_the_project", ROOT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_a_compiler_the_wheel_is_built_for_any_platform_and_one_line_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    warnings: list[str] = []
    data: dict[str, Any] = {"artifacts": []}
    app: Any = SimpleNamespace(display_warning=warnings.append)
    build = _module("hatch_build")
    build.KernelHook(str(tmp_path), {}, None, None, str(tmp_path), "wheel", app).initialize("standard", data)
    assert data == {"artifacts": []}
    (warning,) = warnings
    assert warning.startswith(
        f"{', '.join(build._SOURCES)}: not compiled, Python does its work instead: no C"
    )


def test_the_first_use_says_in_one_line_that_nothing_was_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dev = _module("dev")
    (tmp_path / "requirements").mkdir()
    (tmp_path / ".venv").mkdir()
    (tmp_path / "dialer" / "lists").mkdir(parents=True)
    for name in ("requirements/run.txt", "pyproject.toml", "hatch_build.py", "dialer/lists/split.c"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(dev, "PYTHON", tmp_path / "requirements")
    monkeypatch.setattr("subprocess.run", lambda command, **_: SimpleNamespace(returncode=0))
    dev.install("run")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[1].startswith("nothing was compiled (no working C compiler)")
    dev.install("run")
    assert capsys.readouterr().err == ""
