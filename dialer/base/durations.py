"""Lengths of time as people write them: `90s`, `20m`, `4h`, `1d`, `1h30m`."""

from __future__ import annotations

import re

from dialer.base.errors import BadInput

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_duration(words: str) -> float:
    """Return the seconds in `90s`, `20m`, `4h`, `1d`, `2w` or a sum such as `1h30m`.

    Raises:
        BadInput: it is none of these, or zero.
    """
    text = words.strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or seconds <= 0:
        raise BadInput(f"'{words}' is not a length of time, expected for example 90s, 20m, 4h, 1d or 1h30m")
    return seconds


def show_duration(seconds: float) -> str:
    """Return the length as a person reads it: `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, smaller, smaller_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {smaller_name}" if rest else "")
    raise AssertionError(seconds)
