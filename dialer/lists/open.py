"""A file of any format -> an open list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dialer.lists.shape import ListFile


def open_list(path: Path, sheets: Sequence[str] | None = None) -> ListFile:
    """Return the open list: what was found in it, and its rows on demand."""
    raise NotImplementedError(path, sheets)
