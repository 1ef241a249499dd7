"""Names for attempts and workers: time-ordered, unique without asking anybody."""

from __future__ import annotations

import os
import secrets
import socket
from uuid import UUID


def new_attempt_id(now_us: int, random_bits: int | None = None) -> str:
    """Return a UUIDv7 as text: sorts by time, so that indexes grow at their end.

    Source: RFC 9562, section 5.7, with the sub-millisecond fraction in rand_a (method 3 of 6.2).
    """
    bits = secrets.randbits(62) if random_bits is None else random_bits
    fraction = (now_us % 1000) * 4096 // 1000
    digits = f"{(now_us // 1000) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def first_attempt_id(at_us: int) -> str:
    """Return a text that no attempt id made at `at_us` or later sorts before."""
    return str(UUID(int=(at_us // 1000) << 80))


def new_worker_id() -> str:
    """Return a name that tells a person where the worker runs: host, process, chance."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def is_running_here(worker: str) -> bool:
    """Return whether the worker's process may run; False only where this machine surely has none like it."""
    host, number = (*worker.split(":"), "")[:2]
    # On Windows signal 0 is no question but Ctrl-C.
    if host != socket.gethostname() or not number.isdigit() or os.name == "nt":
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
