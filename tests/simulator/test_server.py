"""A simulator as others start it: in a process of its own, on a given port, with a config from outside."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import httpx
import orjson
import pytest

from dialer.base.errors import BadInput, NotReady
from dialer.cli import main
from dialer.simulator import (
    FAULTS,
    SimulatorConfig,
    build_app,
    read_config,
    run_simulator,
    server,
    simulator_process,
)
from dialer.simulator.config import READ_BY, refuse_unread
from dialer.simulator.server import BUILDERS
from tests.simulator.pretended import CALL_PATH

ORDER = {"agent_id": 962, "phone_number": "+919876543210"}


def test_a_process_serves_its_config_and_leaves_its_ledger_behind(tmp_path: Path) -> None:
    config = SimulatorConfig(tokens=("t-9",), ledger_file=tmp_path / "ledger.jsonl", outcomes={"busy": 1.0})
    with simulator_process(config) as url:
        httpx.post(url + CALL_PATH, json=ORDER, headers={"token": "t-9"}).raise_for_status()
    [call] = [orjson.loads(line) for line in (tmp_path / "ledger.jsonl").read_bytes().splitlines()]
    assert call["outcome"] == "busy"
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_the_process_ends_with_the_one_that_started_it() -> None:
    """A starter that is killed cannot say goodbye: its end of the pipe closes, and that is enough."""
    script = (
        "import sys\nfrom dialer.simulator import simulator_process\n"
        "with simulator_process() as url:\n    print(url, flush=True)\n    sys.stdin.read()\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    url = starter.stdout.readline().strip()
    host, _, port = url.removeprefix("http://").partition(":")
    # This connection ends when the simulator does: nothing to poll for.
    with socket.create_connection((host, int(port)), timeout=60) as sock:
        os.kill(starter.pid, signal.SIGKILL)
        assert sock.recv(1) == b""
    starter.communicate()


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(NotReady, match="cannot listen on"):
            run_simulator(port=taken.getsockname()[1])


def test_an_unknown_provider_is_told() -> None:
    with pytest.raises(BadInput, match="did you mean 'unleashx'"):
        build_app(provider="unleash")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"close_after": 1.5}, "close_after = 1.5, expected a share"),
        ({"close_after": 0.6, "hang_after": 0.6}, "add up to more than 1"),
        ({"latency_ms": [5, 1]}, "latency_ms"),
        ({"limit_per_second": 0}, "limit_per_second = 0"),
        ({"time_scale": 0}, "time_scale"),
        ({"auth_styles": ["basic"]}, "auth style 'basic'"),
        ({"outcomes": {"no_anser": 1}}, "did you mean 'no_answer'"),
        ({"outcomes": {"busy": 0}}, "may not be empty"),
        ({"tokens": []}, "may not be empty"),
        ({"close_afer": 0.1}, "did you mean 'close_after'"),
    ],
)
def test_a_config_that_cannot_be_meant_is_told(values: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_config(values)


def test_a_config_comes_whole_out_of_json(tmp_path: Path) -> None:
    values: dict[str, object] = {
        "seed": 7,
        "latency_ms": [20, 180],
        "tokens": ["a", "b"],
        "ledger_file": str(tmp_path / "ledger.jsonl"),
    }
    assert read_config(values) == SimulatorConfig(
        seed=7, latency_ms=(20, 180), tokens=("a", "b"), ledger_file=tmp_path / "ledger.jsonl"
    )


def test_every_fault_is_a_field() -> None:
    assert set(FAULTS) <= {field.name for field in fields(SimulatorConfig)}


def test_a_setting_that_a_simulator_does_not_read_is_refused() -> None:
    refuse_unread(SimulatorConfig(balance_calls=10, close_after=0.1), "unleashx")
    refuse_unread(SimulatorConfig(success_flag=True), "hamsa")
    with pytest.raises(BadInput, match="simulate unleashx: it knows no success-flag, which is for hamsa"):
        refuse_unread(SimulatorConfig(success_flag=True), "unleashx")
    assert main(["simulate", "http", "--agents", "962"]) == 2


def test_the_settings_that_only_some_simulators_read_are_known() -> None:
    """What stands in READ_BY is read in those simulators' own files, and in no other's."""
    house = Path(server.__file__).parent
    files = {provider: [*(house / provider).glob("*.py")] for provider in BUILDERS}
    files["http"] = [house / "gateway.py"]
    # The gate reads these for whoever names no style of its own.
    found = {"auth_styles": ("unleashx",)}
    for name in READ_BY.keys() - found.keys():
        reads = re.compile(rf"config\.{name}\b")
        found[name] = tuple(
            sorted(each for each, its in files.items() if any(reads.search(one.read_text()) for one in its))
        )
    assert found == READ_BY
