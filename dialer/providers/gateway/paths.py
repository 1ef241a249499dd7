"""Paths into an answer: `data.calls[0].id`. They are read once, when the account is opened."""

from __future__ import annotations

import re
from typing import Any

from dialer.base.errors import BadInput

_STEP = re.compile(r"([^.\[\]\s]+)|\[(\d{1,6})\]")

Steps = tuple[str | int, ...]


def read_path(text: str, where: str) -> Steps:
    """Return the steps of a path; an empty text is the answer itself.

    Raises:
        BadInput: it cannot be read.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        if steps and text[at] == ".":
            at += 1
        elif steps and text[at] != "[":
            break
        found = _STEP.match(text, at)
        if found is None:
            break
        steps.append(found.group(1) if found.group(2) is None else int(found.group(2)))
        at = found.end()
    if at < len(text) or text.endswith("."):
        raise BadInput(
            f"{where} = {text!r}: no path; write keys from the outside in, as in data.call.id or calls[0].id"
        )
    return tuple(steps)


def follow(value: Any, steps: Steps) -> Any:
    """Return what stands at the end of a path, None where it leads nowhere."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and (isinstance(step, int) or step.isdecimal()):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def text_at(value: Any, steps: Steps) -> str:
    """Return the text or number at the end of a path as a text that a table can hold, else nothing."""
    found = follow(value, steps)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    # PostgreSQL holds no NUL in text.
    return str(found).replace("\x00", "").strip()
