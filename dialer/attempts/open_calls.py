"""What of an account is open, and what left lately: counted along small indexes, whatever is over."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from dialer.base.ids import first_attempt_id
from dialer.store.database import Dialects, Store

# What may be a live call: on its way, accepted without an outcome, or sent and still being looked up.
OPEN_CALLS = Dialects(
    """
    SELECT 0, count(*) FROM ledger
    WHERE account = :account AND state IN ('sending', 'unknown', 'accepted')
        AND NOT (state = 'unknown' AND next_lookup_at_us IS NULL)"""
)

OPEN_BY_CAMPAIGN = Dialects(
    """
    SELECT campaign_id, count(*) FROM ledger
    WHERE account = :account AND state IN ('sending', 'unknown', 'accepted')
        AND NOT (state = 'unknown' AND next_lookup_at_us IS NULL)
    GROUP BY campaign_id"""
)

OPEN_OF_CAMPAIGN = Dialects(
    """
    SELECT coalesce(sum(CASE WHEN state = 'accepted' THEN 1 ELSE 0 END), 0),
        coalesce(sum(CASE WHEN state = 'unknown' THEN 1 ELSE 0 END), 0),
        coalesce(sum(CASE WHEN state = 'unknown' AND next_lookup_at_us IS NULL THEN 1 ELSE 0 END), 0),
        coalesce(sum(CASE WHEN state = 'sending' AND worker <> :worker THEN 1 ELSE 0 END), 0),
        min(next_lookup_at_us)
    FROM ledger
    WHERE account = :account AND state IN ('sending', 'unknown', 'accepted') AND campaign_id = :campaign_id"""
)

# Attempt ids begin with their time: the last minute's are one range of the primary key.
RECENT = Dialects(
    """
    SELECT coalesce(sent_at_us, CASE WHEN error_code = 'worker_died' THEN :now_us ELSE opened_at_us END)
    FROM ledger
    WHERE attempt_id >= :first AND account = :account AND coalesce(error_code, '') <> 'withdrawn'
        AND (campaign_id = :campaign_id OR :campaign_id = 0)"""
)

# Two workers that count open calls do so one after the other.
LOCK_ACCOUNT = Dialects(
    sqlite="SELECT 1",
    postgresql="SELECT 1 FROM accounts WHERE account = :account FOR UPDATE",
)


class OpenOfCampaign(NamedTuple):
    """What of a campaign is still open: accepted calls, unknown attempts and which of these are held for a
    person, what other workers are sending, and the next look-up's moment.
    """

    accepted: int
    unknown: int
    held: int
    sent_by_others: int
    next_lookup_at_us: int | None


def open_of_campaign(
    store: Store, connection: Connection, campaign_id: int, account: str, worker: str
) -> OpenOfCampaign:
    """Return what of the campaign is still open; costs what is open, not what is over."""
    rows = store.execute(
        connection, OPEN_OF_CAMPAIGN, account=account, campaign_id=campaign_id, worker=worker
    )
    return OpenOfCampaign(*rows[0])


def recent_departures(store: Store, account: str, within_s: float, campaign_id: int = 0) -> list[float]:
    """Return how many seconds ago each call of the account, or of one campaign, left.

    Where a worker died before it wrote that down, the request may have left as late as now.
    """
    with store.read() as connection:
        now_us = store.now_us(connection)
        first = first_attempt_id(now_us - round(within_s * 1e6))
        rows = store.execute(
            connection, RECENT, now_us=now_us, first=first, account=account, campaign_id=campaign_id
        )
        return sorted((max(0.0, (now_us - row[0]) / 1e6) for row in rows), reverse=True)
