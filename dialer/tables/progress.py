"""How far a campaign is: the row of `campaign_progress`, and its contacts by status and result."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text

from dialer.base.clock import as_datetime
from dialer.store.database import Store
from dialer.store.views import STATUS
from dialer.tables.query import campaign_id_of, view_query

# A refusal's reason is the provider's own sentence, often with the number in it: its code is what groups.
RESULTS = f"""
    SELECT status, result, count(*) AS contacts FROM (
        SELECT {STATUS} AS status,
            CASE WHEN c.status = 'refused' THEN coalesce(l.error_code, 'refused') ELSE c.reason END AS result
        FROM contacts AS c
        LEFT JOIN ledger AS l ON c.status = 'refused' AND l.attempt_id = c.last_attempt_id
        WHERE c.campaign_id = :campaign_id
    ) AS seen
    GROUP BY status, result"""

STATUSES = ("done", "refused", "unknown", "calling", "waiting", "suppressed", "canceled")
"""The statuses of a contact, in the order in which a table shows them."""


class CampaignProgress(NamedTuple):
    """One campaign's row of the view `campaign_progress`; times are UTC."""

    campaign: str
    state: str
    reason: str | None
    rows_read: int
    accepted: int
    rejected: int
    duplicate: int
    waiting: int
    calling: int
    unknown: int
    done: int
    refused: int
    suppressed: int
    canceled: int
    attempts: int
    answered: int
    pick_up_rate: float | None
    cost: float | None
    first_call_at: datetime | None
    last_call_at: datetime | None
    finish_estimate_at: datetime | None

    def lines(self) -> list[str]:
        """Return the same in a few sentences for a person."""
        why = f" ({self.reason})" if self.reason else ""
        lines = [
            f"{self.campaign}: {self.state}{why}",
            f"  rows read {self.rows_read} = accepted {self.accepted} + rejected {self.rejected}"
            f" + duplicate {self.duplicate}",
            "  contacts: " + (self._statuses() or "none"),
        ]
        if self.attempts:
            lines.append(f"  attempts {self.attempts}, answered {self.answered}{self._pick_up()}")
        if self.first_call_at and self.last_call_at:
            until = (
                f"; at this pace done {_minute(self.finish_estimate_at)}" if self.finish_estimate_at else ""
            )
            first, last = _minute(self.first_call_at), _minute(self.last_call_at)
            lines.append(f"  first call {first}, last call {last}{until}")
        return lines

    def _statuses(self) -> str:
        counts = [(status, getattr(self, status)) for status in STATUSES]
        return ", ".join(f"{status} {count}" for status, count in counts if count)

    def _pick_up(self) -> str:
        rate = f" ({self.pick_up_rate:.1%} of the calls that ended)" if self.pick_up_rate is not None else ""
        return f"{rate}, cost {self.cost:.2f}" if self.cost is not None else rate


class OutcomeRow(NamedTuple):
    """How many of a campaign's contacts have one status and result; `share` is of all its contacts."""

    status: str
    result: str | None
    contacts: int
    share: float


def progress(store: Store, campaign: str | None = None) -> list[CampaignProgress]:
    """Return the progress of the campaign, or of every campaign by name.

    Raises:
        BadInput: the database has no such campaign.
    """
    with store.read() as connection:
        campaign_id = campaign_id_of(connection, campaign)
        rows = connection.execute(text(view_query(store, "campaign_progress", campaign_id)))
        return [_from_row(row._asdict()) for row in rows]


def outcome_table(store: Store, campaign: str) -> list[OutcomeRow]:
    """Return the campaign's contacts by status and result: outcome, refusal's code, or why they wait.

    The rows add up to all accepted contacts; `share` is rounded to 4 digits.

    Raises:
        BadInput: the database has no such campaign.
    """
    with store.read() as connection:
        campaign_id = campaign_id_of(connection, campaign)
        rows = connection.execute(text(RESULTS), {"campaign_id": campaign_id}).all()
    whole = sum(row.contacts for row in rows)
    table = [OutcomeRow(row.status, row.result, row.contacts, round(row.contacts / whole, 4)) for row in rows]
    return sorted(table, key=lambda row: (STATUSES.index(row.status), -row.contacts, row.result or ""))


def _from_row(row: dict[str, Any]) -> CampaignProgress:
    times = {
        name: as_datetime(at_us) for name, at_us in row.items() if name.endswith("_at") and at_us is not None
    }
    return CampaignProgress(**{**row, **times})


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
