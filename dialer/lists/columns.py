"""Which column is which: names mended, a wanted column found, likely phone columns guessed."""

from __future__ import annotations

from collections.abc import Sequence

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.lists.shape import Batch, ListInfo


def find_column(wanted: str, columns: Sequence[str]) -> str:
    """Return `wanted` where it is a column, exactly as written.

    Raises:
        BadInput: it is not; the message names the columns there are and the nearest one.
    """
    if wanted in columns:
        return wanted
    named = ", ".join(f"'{name}'" for name in columns)
    raise BadInput(f"there is no column '{wanted}'{did_you_mean(wanted, columns)}; the list has {named}")


def likely_phone_columns(seen: ListInfo | Batch) -> list[str]:
    """Return the columns that may hold phone numbers, likeliest first."""
    raise NotImplementedError(seen)
