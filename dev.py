#!/usr/bin/env python3
"""Everything a developer types: `python3 dev.py demo | test | check | bench | crash | lock`.

Needs Python 3.11+ with pip and nothing else. The first use fills `.venv` with exactly the versions
of `requirements/`; later uses start at once. Words after the command go to the tool behind it:
`python3 dev.py test -k ledger`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")


def main(words: list[str]) -> int:
    """Run one command; return its exit code."""
    command, rest = (words[0], words[1:]) if words else ("help", [])
    if command not in COMMANDS:
        print(__doc__)
        print("\n".join(f"  {name:6} {function.__doc__}" for name, function in COMMANDS.items()))
        return 0 if command in ("help", "-h", "--help") else 2
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python gets a sentence, not a traceback
        print(f"dialer needs Python 3.11 or newer, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    return COMMANDS[command](rest)


def demo(rest: list[str]) -> int:
    """a real campaign against the simulator, outcome table at the end"""
    install("run")
    return run("-m", "dialer", "demo", *rest)


def test(rest: list[str]) -> int:
    """every test, on SQLite and on PostgreSQL"""
    install("dev")
    # One process per core; `-n 0` runs everything in one, for a debugger.
    spread = () if any(word.startswith("-n") for word in rest) else ("-n", "auto")
    return run("-m", "pytest", *spread, *rest)


def lint(rest: list[str]) -> int:
    """format, lint, layers, types"""
    install("dev")
    steps: list[tuple[str, ...]] = [
        ("-m", "ruff", "format", "--check", "."),
        ("-m", "ruff", "check", "."),
        ("-c", "from importlinter.cli import lint_imports_command as run; run()"),
        ("-m", "mypy"),
    ]
    failed = [step for step in steps if run(*step) != 0]
    for step in failed:
        print("failed:", " ".join(step), file=sys.stderr)
    return 1 if failed else 0


def check(rest: list[str]) -> int:
    """lint and test: what CI runs"""
    return lint([]) or test(rest)


def bench(rest: list[str]) -> int:
    """the questions in benchmarks/, answered; `bench NAME` asks one"""
    install("dev")
    files = sorted(file for file in (ROOT / "benchmarks").glob("*.py") if not rest or file.stem in rest)
    if not files:
        print("no such benchmark:", " ".join(rest), file=sys.stderr)
        return 2
    codes = []
    for file in files:
        print(f"== {file.stem}", flush=True)
        codes.append(run(str(file)))
    return max(codes)


def crash(rest: list[str]) -> int:
    """real workers killed at random instants, doubles and losses counted; `crash --kills 200`"""
    install("dev")
    return run("-m", "tests.crashes.many", *rest)


def lock(rest: list[str]) -> int:
    """choose dependency versions anew, with hashes and without any address"""
    install("dev")
    options = (
        "--universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate"
    )
    compile_ = [
        str(BIN / "uv"),
        "pip",
        "compile",
        *options.split(),
        "--python-version",
        "3.11",
        "--quiet",
        *rest,
    ]
    everything = [*compile_, "pyproject.toml", "--group", "dev", "-o", "requirements/dev.txt"]
    running = [*compile_, "pyproject.toml", "--group", "build", "-c", "requirements/dev.txt"]
    return (
        subprocess.run(everything, cwd=ROOT).returncode
        or subprocess.run([*running, "-o", "requirements/run.txt"], cwd=ROOT).returncode
    )


def install(which: str) -> None:
    """Fill `.venv` from `requirements/<which>.txt` unless it already holds just that."""
    requirements = ROOT / "requirements" / f"{which}.txt"
    if any(_installed(one) for one in {which, "dev"}):  # dev holds all that run holds
        return
    if not PYTHON.exists():
        venv.create(VENV, with_pip=False, symlinks=os.name != "nt")
    print(f"installing requirements/{which}.txt into .venv (once)", file=sys.stderr, flush=True)
    # The running Python's own pip fills the environment: Debian ships no ensurepip to put one inside.
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(PYTHON),
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    pip_steps = [
        [*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(requirements)],
        [*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    ]
    for step in pip_steps:
        if subprocess.run(step).returncode != 0:
            sys.exit("installing failed; the lines above say why (pip 22.3 or newer is needed)")
    _stamp(which).write_text(_fingerprint(which))
    if not all(source.with_name(f"lib{source.stem}.so").exists() for source in _sources()):
        # pip keeps to itself what the build says.
        said = (
            "nothing was compiled (no working C compiler): lists are read with the same answers, but slower"
        )
        print(f"{said}; with one, delete .venv and start again", file=sys.stderr, flush=True)


def _sources() -> list[Path]:
    return sorted((ROOT / "dialer").rglob("*.c"))


def _installed(which: str) -> bool:
    return _stamp(which).exists() and _stamp(which).read_text() == _fingerprint(which)


def _stamp(which: str) -> Path:
    return VENV / f"installed-{which}"


def _fingerprint(which: str) -> str:
    files = [ROOT / name for name in (f"requirements/{which}.txt", "pyproject.toml", "hatch_build.py")]
    files += sorted((ROOT / "dialer").rglob("*.[ch]"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def run(*words: str) -> int:
    """Run the environment's Python with `words` in the project's folder; return its exit code."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        return subprocess.run([str(PYTHON), *words], cwd=ROOT, env=environment).returncode
    except KeyboardInterrupt:
        return 130


COMMANDS = {function.__name__: function for function in (demo, test, lint, check, bench, crash, lock)}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
