"""`python -m dialer`, and the command `dialer`."""

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run one command; a SIGTERM that comes before anything was begun ends it with 130 as well."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    # Loaded late: it takes a few tenths of a second, in which somebody may change their mind.
    from dialer.cli import main as run_command

    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return run_command()


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(130)  # an exception would come up in the middle of somebody's import


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
