"""How far a campaign is: the row of `campaign_progress`, and its contacts by status and result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Connection, text

from dialer.base.clock import as_datetime
from dialer.base.ids import is_running_here
from dialer.base.settings import Account
from dialer.calls.outlook import look_ahead, people_of
from dialer.calls.reach import never_called
from dialer.campaign import Campaign
from dialer.rules.rulebook import RuleBook
from dialer.store.database import Dialects, Store
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

SPEC = text("SELECT campaign_id, spec FROM campaigns WHERE name = :name")

# A run has its campaign; a worker that has none serves all of them.
WORKERS = Dialects(
    """
    SELECT workers.worker FROM workers
    JOIN campaigns ON campaigns.campaign_id = coalesce(workers.campaign_id, campaigns.campaign_id)
    WHERE campaigns.name = :name AND workers.state = 'alive' AND workers.lease_until_us > :now_us"""
)

STATUSES = ("done", "refused", "unknown", "calling", "waiting", "suppressed", "canceled")
"""The statuses of a contact, in the order in which a table shows them."""


BOUND_BY = {
    "pace": "the pace decides",
    "windows": "the calling hours decide, not the pace",
    "redials": "redials, caps and retries decide, not the pace",
}
"""What is said of what decides when a campaign ends."""


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
    finish_bound_by: str | None = None
    """What decides when it ends, where that was planned: pace, windows or redials."""
    next_call_at: datetime | None = None
    """When the next call may be placed, where that was planned."""
    never_called: str | None = None
    """How many of those who wait can never be called, and why, in a sentence, where that was planned."""
    dialed_now: bool = False
    """Whether it runs and a living process dials it."""

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
            first, last = _minute(self.first_call_at), _minute(self.last_call_at)
            lines.append(f"  first call {first}, last call {last}")
        if self.finish_estimate_at:
            lines.append(f"  {self._finish()}")
        if self.never_called:
            lines.append(f"  {self.never_called}")
        return lines

    def _finish(self) -> str:
        assert self.finish_estimate_at is not None
        if self.finish_bound_by is None:
            begun = "" if self.dialed_now else " if it is dialed from now on"
            return f"at this pace done {_minute(self.finish_estimate_at)}{begun}"
        following = f"next call {_minute(self.next_call_at)}, " if self.next_call_at else ""
        # Not everybody may be dialing it this moment.
        begun = "" if self.dialed_now else " if it is dialed from now on"
        decided = BOUND_BY[self.finish_bound_by]
        return f"{following}done about {_minute(self.finish_estimate_at)}{begun}: {decided}"

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


def progress(
    store: Store,
    campaign: str | None = None,
    *,
    accounts: Mapping[str, Account] | None = None,
    rules: RuleBook | None = None,
) -> list[CampaignProgress]:
    """Return the progress of the campaign, or of every campaign by name.

    With `rules` the finish is planned: windows, caps, redials, limits and the pace measured lately.
    Without, it is what waits at the average pace so far.

    Raises:
        BadInput: the database has no such campaign.
    """
    with store.read() as connection:
        campaign_id = campaign_id_of(connection, campaign)
        found = connection.execute(text(view_query(store, "campaign_progress", campaign_id)))
        now_us = store.now_us(connection)
        rows = [_from_row(row._asdict()) for row in found]
        rows = [row._replace(dialed_now=_is_dialed(store, connection, row, now_us)) for row in rows]
        if rules is None:
            return rows
        return [_planned(store, connection, row, accounts or {}, rules) for row in rows]


def _is_dialed(store: Store, connection: Connection, row: CampaignProgress, now_us: int) -> bool:
    if row.state != "running":
        return False
    found = store.execute(connection, WORKERS, name=row.campaign, now_us=now_us)
    # On SQLite no heart beats: a process of this machine that was killed is still written down as alive.
    return any(not store.is_sqlite or is_running_here(worker) for (worker,) in found)


def _planned(
    store: Store,
    connection: Connection,
    row: CampaignProgress,
    accounts: Mapping[str, Account],
    rules: RuleBook,
) -> CampaignProgress:
    """Return the row with its finish planned; a campaign that a person holds back has none."""
    if row.state in ("paused", "stopped", "canceled"):
        return row._replace(finish_estimate_at=None)
    if not row.waiting:
        return row
    campaign_id, spec = connection.execute(SPEC, {"name": row.campaign}).one()
    try:
        campaign = Campaign.model_validate_json(spec)
    except ValidationError:  # written by another version of dialer
        return row
    people = people_of(store, connection, campaign_id)
    account = accounts.get(campaign.call.account)
    ahead = look_ahead(store, connection, campaign, account, rules, people, measured=True)
    never = never_called(store, connection, ahead.placing.allowed, campaign_id, ahead.now_us)
    finish_us, next_us = ahead.timeline.finish_us, ahead.timeline.first_call_us
    return row._replace(
        finish_estimate_at=as_datetime(finish_us) if finish_us is not None else None,
        finish_bound_by=ahead.timeline.bound_by,
        next_call_at=as_datetime(next_us) if next_us is not None else None,
        never_called=never.warning(),
    )


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
