"""Values as providers write them: moments, lengths of time, numbers, digits; what is none is None."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Any


def digits_of(number: str) -> str:
    """Return the digits of an international number, without its plus or 00; they decide equality."""
    digits = re.sub(r"[^0-9]", "", number)
    return digits[2:] if digits.startswith("00") else digits


def read_moment(value: Any, zone: tzinfo | None) -> tuple[int | None, bool]:
    """Return a date as UTC microseconds and whether its zone is known; a bare day is no moment."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if abs(value) > 1e11 else value
        return (round(seconds * 1e6), True) if 0 < seconds < 1e11 else (None, True)
    if not isinstance(value, str) or len(value.strip()) < 12:
        return None, True
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None, True
    known = moment.tzinfo is not None or zone is not None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone or UTC)
    try:
        return round(moment.timestamp() * 1e6), known
    except (OverflowError, ValueError):
        return None, True


def read_duration_s(*values: Any) -> float | None:
    """Return the first of the values that is a length of time: seconds, or `1h 2m 3s`, or `1:02:03`."""
    for value in values:
        number = read_number(value)
        if number is not None:
            return number
        text = value.strip().lower() if isinstance(value, str) else ""
        if re.fullmatch(r"(\d{1,6}\s*[hms]\s*)+", text):
            parts = re.findall(r"(\d+)\s*([hms])", text)
            return float(sum(int(count) * {"h": 3600, "m": 60, "s": 1}[unit] for count, unit in parts))
        if re.fullmatch(r"\d{1,4}(:\d{2}){1,2}", text):
            seconds = 0
            for part in text.split(":"):
                seconds = seconds * 60 + int(part)
            return float(seconds)
    return None


def read_number(*values: Any) -> float | None:
    """Return the first value that is a number of at least 0."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        try:
            number = float(value)
        except (ValueError, OverflowError):
            continue
        if 0.0 <= number < 1e12:
            return number
    return None
