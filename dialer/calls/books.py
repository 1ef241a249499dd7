"""What became of a list's rows, counted: rows read = accepted + rejected + duplicate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from dialer.contacts.accept import Sorted
from dialer.contacts.doubled import doubled_codes


class Example(NamedTuple):
    """A rejected row, to show a person."""

    list_row: int
    list_line: int | None
    raw: str | None
    detail: str | None
    suggestion: str | None


@dataclass
class Books:
    """What became of a file's rows.

    `updated`, `called_again`, `in_flight` and `not_again` count contacts that the campaign had already: given
    what the file says of them, to be called once more, left as they were because a call of theirs is open,
    and not to be called once more because `redial.calls_max` is reached.
    """

    file: str
    notes: tuple[str, ...] = ()
    found: str = ""
    """How the file was read, in a few words."""
    skipped: bool = False
    rows_read: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    regions: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    zones: Counter[str] = field(default_factory=Counter)
    doubled: int = 0
    """Numbers that may have been written without their +, see `doubled_codes`."""
    doubled_example: tuple[str, str] = ("", "")
    repaired: int = 0
    repairs: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    updated: int = 0
    called_again: int = 0
    in_flight: int = 0
    not_again: int = 0

    def line(self) -> str:
        """Return the books in one line."""
        again = {
            "updated": self.updated,
            "to be called again": self.called_again,
            "in flight and left as they are": self.in_flight,
            "not called again (redial.calls_max)": self.not_again,
        }
        said = ", ".join(f"{count} {what}" for what, count in again.items() if count)
        return (
            f"{self.file}: {self.rows_read} rows read = {self.accepted} accepted"
            f" + {self.rejected} rejected + {self.duplicate} duplicate" + (f" ({said})" if said else "")
        )

    def count(self, sorted_rows: Sorted, examples: int = 3) -> None:
        """Add one batch."""
        contacts, rejects = sorted_rows.contacts, sorted_rows.rejects
        # In the same order each time, whatever order polars counts in.
        by_reason = dict(rejects["reason"].value_counts().sort("reason").iter_rows())
        self.reasons.update(by_reason)
        for counts, column in (
            (self.regions, "phone_region"),
            (self.types, "phone_type"),
            (self.zones, "time_zones"),
            (self.repairs, "repaired"),
        ):
            counts.update(dict(contacts[column].drop_nulls().value_counts().sort(column).iter_rows()))
        self._count_doubled(contacts)
        self.repaired += contacts.height - contacts["repaired"].null_count()
        self.accepted += contacts.height
        self.duplicate += by_reason.get("duplicate", 0)
        self.rejected += rejects.height - by_reason.get("duplicate", 0)
        self.rows_read += contacts.height + rejects.height
        for reason in by_reason:
            shown = self.examples.setdefault(reason, [])
            if len(shown) < examples:
                some = rejects.filter(pl.col("reason") == reason).head(examples - len(shown))
                columns = ("list_row", "list_line", "raw", "detail", "suggestion")
                shown.extend(Example(*row) for row in some.select(columns).iter_rows())

    def _count_doubled(self, contacts: pl.DataFrame) -> None:
        doubled = doubled_codes(contacts)
        if doubled.height and not self.doubled:
            self.doubled_example = doubled.row(0)
        self.doubled += doubled.height

    def doubts(self) -> list[str]:
        """Return what a person should look at before anyone is called."""
        if not self.doubled:
            return []
        read, meant = self.doubled_example
        return [
            f"{self.doubled} numbers begin with their country code twice, such as {read}, which is how"
            f" libphonenumber reads them; if {meant} is meant, write it with its + in the list"
        ]
