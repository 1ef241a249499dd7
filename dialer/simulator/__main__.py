"""A simulator as a process of its own; used by `simulator_process`.

The first line of standard input is its order as JSON; the first line of standard output its address.
It leaves when standard input ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

import orjson

from dialer.base.errors import DialerError
from dialer.simulator.config import read_config
from dialer.simulator.server import run_simulator


def leave_with_parent() -> None:
    """Wait for the end of standard input, then ask this process to leave."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    order = orjson.loads(sys.stdin.buffer.readline())
    threading.Thread(target=leave_with_parent, daemon=True).start()
    try:
        run_simulator(read_config(order["config"]), provider=order["provider"], port=order["port"])
    except DialerError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
