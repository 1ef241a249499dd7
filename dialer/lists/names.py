"""Names of columns as messages tell them: long ones shortened, and no more than somebody reads."""

from __future__ import annotations

from collections.abc import Sequence

NAMES_MAX = 50
CHARACTERS_MAX = 60


def spoken_names(names: Sequence[str], quote: str = "'") -> str:
    """Return the names in one line, each between quotes."""
    shown = ", ".join(f"{quote}{short_name(name)}{quote}" for name in names[:NAMES_MAX])
    left = len(names) - NAMES_MAX
    return f"{shown} and {left} more" if left > 0 else shown


def short_name(name: str) -> str:
    """Return the name, or its beginning and an ellipsis."""
    return name if len(name) <= CHARACTERS_MAX else name[: CHARACTERS_MAX - 1] + "…"
