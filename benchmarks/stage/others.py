"""Run the rivals in a Python that has them: this one, or the one at BENCH_PYTHON."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from stage.rivals import RIVALS
from stage.server import Served

RIVAL = Path(__file__).with_name("rivals.py")
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)


def missing(name: str) -> str | None:
    """Return what to install for the rival, None where it is there."""
    module = RIVALS[name][1]
    found = subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True)
    return (
        None if found.returncode == 0 else f"{name}: pip install {module} into {PYTHON} (or set BENCH_PYTHON)"
    )


def rate_of(name: str, server: Served, calls: int, **services: str) -> float:
    """Let the rival place so many calls; return its calls per second as the server saw them."""
    process = subprocess.Popen(
        [PYTHON, str(RIVAL), name, server.url, str(calls)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **services},
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", f"{name} did not begin"
    server.seen()
    process.stdin.write("\n")
    process.stdin.flush()
    process.wait(300)
    process.stdin.close()
    process.stdout.close()
    seen = server.seen()
    assert seen.calls == calls, f"{name} placed {seen.calls} of {calls} calls"
    return seen.per_second
