"""What a plan takes for granted, and where that comes from: the campaign's own calls, or figures of ours.

Nothing is assumed in silence: `Grounded.notes` says every figure with its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from sqlalchemy import Connection

from dialer.base.durations import parse_duration
from dialer.base.errors import BadInput
from dialer.base.ids import first_attempt_id
from dialer.base.settings import Account
from dialer.base.words import did_you_mean
from dialer.calls.limits import budget_of, spent
from dialer.calls.plan import Assumed
from dialer.campaign import Campaign
from dialer.campaign.values import NEVER
from dialer.store.database import Dialects, Store

SHARES: Mapping[str, float] = {"no_answer": 0.40, "busy": 0.05, "voicemail": 0.20, "failed": 0.05}
"""Of a campaign's calls, by outcome, until it has calls of its own; the others are answered."""
DURATION_S = 60.0
"""From the departure of a call until its outcome is known, until the campaign has calls of its own."""
PER_SECOND = 20.0
"""Calls that leave where nothing limits them and none were seen."""
ENOUGH_ENDED = 30
"""Calls that must have ended before a campaign's own shares count."""
LATEST = 10_000
PACE_OVER_US = 900_000_000
PACE_ENOUGH = 20
PAUSE_TIMES = 10.0
"""Gaps between departures that are so many times the usual one are pauses, and no part of the pace."""

ENDED = Dialects(
    """
    SELECT outcome, count(*), sum(CASE WHEN took_us BETWEEN 0 AND 3600000000 THEN took_us END),
        count(CASE WHEN took_us BETWEEN 0 AND 3600000000 THEN 1 END), sum(cost), count(cost)
    FROM (
        SELECT outcome, ended_at_us - coalesce(sent_at_us, opened_at_us) AS took_us, cost
        FROM ledger WHERE campaign_id = :campaign_id AND state = 'ended'
        ORDER BY attempt_id DESC LIMIT :latest
    ) AS seen GROUP BY outcome"""
)

# Attempt ids begin with their time.
DEPARTED = Dialects(
    """
    SELECT sent_at_us FROM ledger
    WHERE attempt_id >= :first AND campaign_id = :campaign_id AND sent_at_us IS NOT NULL
    ORDER BY attempt_id DESC LIMIT 2000"""
)


class Seen(NamedTuple):
    """What became of the campaign's latest calls; None and 0 where too few have ended."""

    ended: int = 0
    shares: Mapping[str, float] = {}
    duration_s: float | None = None
    cost: float | None = None
    per_second: float | None = None


@dataclass(frozen=True)
class Said:
    """What a person wants assumed in place of what was seen."""

    shares: Mapping[str, float] = field(default_factory=dict)
    duration_s: float | None = None
    cost: float | None = None
    per_second: float | None = None


@dataclass(frozen=True)
class Grounded:
    """The figures of a plan, the price of a call (None: not known), and a sentence for each of them."""

    assumed: Assumed
    cost: float | None
    cost_max: float | None
    notes: tuple[str, ...]


def read_shares(words: Mapping[str, float]) -> dict[str, float]:
    """Return shares of calls by outcome, checked.

    Raises:
        BadInput: an outcome that a campaign cannot redial, a share outside of 0 to 1, or more than all calls.
    """
    for outcome, share in words.items():
        if outcome not in SHARES:
            known = ", ".join(SHARES)
            raise BadInput(f"'{outcome}' is no outcome to redial{did_you_mean(outcome, SHARES)}: {known}")
        if not 0 <= share <= 1:
            raise BadInput(f"{outcome}={share:g}: expected a share from 0 to 1, such as 0.4")
    if sum(words.values()) > 1:
        raise BadInput(f"the shares add up to {sum(words.values()):g}, more than all calls")
    return dict(words)


def see(store: Store, connection: Connection, campaign_id: int, now_us: int) -> Seen:
    """Return what became of the campaign's latest calls, and how fast they leave now."""
    rows = store.execute(connection, ENDED, campaign_id=campaign_id, latest=LATEST)
    ended = sum(row[1] for row in rows if row[0] != "expired")
    timed, costed = sum(row[3] for row in rows), sum(row[5] for row in rows)
    return Seen(
        ended,
        {row[0]: row[1] / ended for row in rows if row[0] in SHARES} if ended >= ENOUGH_ENDED else {},
        sum(float(row[2] or 0) for row in rows) / timed / 1e6 if timed >= ENOUGH_ENDED else None,
        sum(float(row[4] or 0) for row in rows) / costed if costed else None,
        _pace(store, connection, campaign_id, now_us),
    )


def ground(
    campaign: Campaign,
    account: Account | None,
    seen: Seen,
    said: Said,
    *,
    calls_left: float = float("inf"),
    measured: bool = False,
) -> Grounded:
    """Return what to assume; what a person said wins, then what was seen, then figures of ours.

    `measured`: the pace at which calls leave now counts where it is below the limits.
    """
    notes: list[str] = []
    shares = _shares(campaign, seen, said, notes)
    duration_s = said.duration_s or seen.duration_s or DURATION_S
    source = "as said" if said.duration_s else "seen" if seen.duration_s else "assumed; see --duration"
    notes.append(f"a call takes {duration_s:.0f} s until its outcome is known ({source})")
    per_second, limit = _pace_limit(campaign, account, duration_s)
    if said.per_second is not None and said.per_second < per_second:
        per_second, limit = said.per_second, "as said"
    elif measured and seen.per_second is not None and seen.per_second < per_second:
        per_second, limit = seen.per_second, "measured now"
    elif per_second == float("inf"):
        per_second, limit = PER_SECOND, "assumed; nothing limits it, see --calls-per-second"
    notes.append(f"{_rate(per_second)} ({limit})")
    redial = campaign.redial
    waits = {
        outcome: parse_duration(wait)
        for outcome in SHARES
        if (wait := getattr(redial, outcome)) != NEVER and redial.calls_max > 1
    }
    cost = said.cost if said.cost is not None else campaign.caps.cost_per_call
    cost = cost if cost is not None else seen.cost
    if cost is None:
        notes.append("what a call costs is not known; see --cost-per-call")
    calls_max = redial.calls_max if waits else 1
    return Grounded(
        Assumed(per_second, duration_s, shares, waits, calls_max, calls_left),
        cost,
        campaign.caps.cost_total,
        tuple(notes),
    )


def budget_left(
    store: Store, connection: Connection, campaign: Campaign, campaign_id: int | None, cost: float | None
) -> float:
    """Return how many more calls the campaign's budget pays for; `cost` where no call's cost is known yet."""
    budget = budget_of(campaign)
    if budget is None:
        return float("inf")
    if budget.cost_per_call is None and cost is not None:
        budget = budget._replace(cost_per_call=cost)
    so_far = spent(store, connection, campaign_id or 0)
    return so_far.room(budget)


def _shares(campaign: Campaign, seen: Seen, said: Said, notes: list[str]) -> dict[str, float]:
    named = [one for one in SHARES if getattr(campaign.redial, one) != NEVER]
    shares = {one: said.shares.get(one, seen.shares.get(one, 0.0)) for one in SHARES}
    source = f"seen in {seen.ended} calls"
    if not seen.shares:
        shares = {**SHARES, **said.shares}
        source = "assumed; see --assume"
    if campaign.redial.calls_max > 1 and named:
        told = ", ".join(
            f"{shares[one]:.0%} {one} ({'as said' if one in said.shares else source})" for one in named
        )
        notes.append(f"of the calls {told}")
    return shares


def _pace_limit(campaign: Campaign, account: Account | None, duration_s: float) -> tuple[float, str]:
    """Return the calls per second that the tightest limit lets leave, and which it is."""
    limits: list[tuple[float, str]] = []
    if campaign.pace.calls_per_second:
        limits.append((campaign.pace.calls_per_second, "pace.calls_per_second of the campaign"))
    if campaign.pace.calls_open_max:
        open_max = campaign.pace.calls_open_max
        limits.append((open_max / duration_s, f"pace.calls_open_max = {open_max} of the campaign"))
    if account is not None:
        here = f"of account {account.name}"
        if account.calls_per_second:
            limits.append((account.calls_per_second, f"calls_per_second {here}"))
        if account.requests_per_minute:
            # Reading the list of calls takes its part.
            for_calls = max(1.0, account.requests_per_minute - 60.0 / account.poll_s)
            limits.append(
                (for_calls / 60, f"requests_per_minute = {account.requests_per_minute} {here}, less polling")
            )
        if account.calls_open_max:
            limits.append(
                (account.calls_open_max / duration_s, f"calls_open_max = {account.calls_open_max} {here}")
            )
    return min(limits, default=(float("inf"), ""))


def _pace(store: Store, connection: Connection, campaign_id: int, now_us: int) -> float | None:
    """Return how many calls a second left lately, pauses left out; None where too few did."""
    first = first_attempt_id(now_us - PACE_OVER_US)
    rows = store.execute(connection, DEPARTED, first=first, campaign_id=campaign_id)
    moments = sorted(row[0] for row in rows)
    if len(moments) < PACE_ENOUGH:
        return None
    gaps = [(later - before) / 1e6 for before, later in pairwise(moments)]
    longest = max(1.0, PAUSE_TIMES * median(gaps))
    busy = [gap for gap in gaps if gap <= longest]
    return len(busy) / sum(busy) if sum(busy) > 0 else None


def _rate(per_second: float) -> str:
    return (
        f"{per_second:.3g} calls a second" if per_second >= 0.1 else f"{per_second * 60:.3g} calls a minute"
    )
