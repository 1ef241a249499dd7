"""What an audit found: for a person, for a script, as an exit code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

NAMED_MAX = 20
"""How many rows a finding names; the others are only counted."""


class Offending(NamedTuple):
    """A row that contradicts a proof: its id, never its number."""

    id: str
    what: str


@dataclass
class Check:
    """One proof: the rows looked at, and those that contradict it (`found` of them, the first named).

    `checked` is False where something that the proof needs was not given; a note says what.
    """

    name: str
    sentence: str
    about: str
    rows: int = 0
    found: int = 0
    checked: bool = True
    offending: list[Offending] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing contradicts it."""
        return self.found == 0

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "name": self.name,
            "ok": self.ok,
            "checked": self.checked,
            "proven": self.sentence,
            "about": self.about,
            "rows": self.rows,
            "found": self.found,
            "offending": [row._asdict() for row in self.offending],
            "notes": self.notes,
        }

    def lines(self) -> list[str]:
        """Return it for a person."""
        rows = self.about if self.rows == 1 else f"{self.about}s"
        mark = ("ok  " if self.checked else "--  ") if self.ok else "FAIL"
        lines = [f"{mark}  {self.sentence} ({self.rows} {rows} looked at)"]
        if not self.ok:
            lines.append(f"      {self.found} contradict it:")
            lines += [f"      {self.about} {row.id}: {row.what}" for row in self.offending]
            if self.found > len(self.offending):
                lines.append(f"      and {self.found - len(self.offending)} more")
        return lines + [f"      {note}" for note in self.notes]


@dataclass
class AuditReport:
    """What was proven, of the campaign or (None) of the whole database."""

    campaign: str | None
    checks: list[Check]
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Every proof holds."""
        return all(check.ok for check in self.checks)

    @property
    def exit_code(self) -> int:
        """0, or 4 where something needs a person."""
        return 0 if self.ok else 4

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        checks = [check.as_json() for check in self.checks]
        return {"ok": self.ok, "campaign": self.campaign, "checks": checks, "notes": self.notes}

    def lines(self) -> list[str]:
        """Return it for a person; the last line sums it up."""
        where = f"campaign '{self.campaign}'" if self.campaign else "the whole database"
        checked = [check for check in self.checks if check.checked]
        holding = sum(check.ok for check in checked)
        summary = f"audit of {where}: {holding} of {len(checked)} proofs hold"
        if len(checked) < len(self.checks):
            summary += f", {len(self.checks) - len(checked)} not checked"
        return [*(line for check in self.checks for line in check.lines()), *self.notes, summary]
