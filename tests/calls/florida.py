"""A campaign of people in Florida, whose cap is three calls in any 24 hours, and their calls."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from sqlalchemy import text

from dialer.attempts import workers
from dialer.attempts.ledger import Desk, Exchanged, Opening, Wanted, ensure_account, exchange
from dialer.base.clock import ManualClock
from dialer.base.ids import new_attempt_id
from dialer.calls import groups
from dialer.calls.allowed import Allowed
from dialer.calls.claim import Asked, Call
from dialer.calls.limits import Budget
from dialer.providers.provider import Accepted
from dialer.rules.rulebook import read_rulebook
from dialer.rules.windows import HoursPolicy, Windows
from dialer.store.database import Store
from tests.attempts.test_ledger import answered
from tests.rules.conftest import moment
from tests.seed import ACCOUNT, seed_campaign

NOON = "2026-07-01T16:00:00"
"""In Miami, a Wednesday."""
WORKERS = count()
MONTH_S = 30 * 86_400.0


class Place(NamedTuple):
    """A campaign, who dials it, and when its people may be called."""

    store: Store
    clock: ManualClock
    campaign_id: int
    desk: Desk
    allowed: Allowed


def go_to(clock: ManualClock, at: str) -> None:
    clock.move((moment(at) - clock.now_us()) / 1e6)


def people(
    store: Store,
    clock: ManualClock,
    name: str = "spring",
    contacts: int = 1,
    policy: HoursPolicy | None = None,
    first_phone: int = 0,
) -> Place:
    """Make a campaign of numbers in Miami; equal `first_phone` means the same people."""
    campaign_id = seed_campaign(store, name, contacts, first_phone)
    with store.write() as connection:
        connection.execute(
            text(
                "UPDATE contacts SET phone = replace(phone, '+1202', '+1305'), phone_region = 'US',"
                " phone_type = 'fixed_line_or_mobile', time_zones = 'America/New_York'"
                " WHERE campaign_id = :campaign_id"
            ),
            {"campaign_id": campaign_id},
        )
    groups.regroup(store, campaign_id)
    with store.read() as connection:
        known = groups.groups_of(store, connection, campaign_id)
    allowed = Allowed(Windows(read_rulebook(), policy or HoursPolicy()), known)
    worker = f"w{next(WORKERS)}"
    ensure_account(store, ACCOUNT)
    workers.enter(store, worker, MONTH_S)
    return Place(store, clock, campaign_id, Desk(store, worker, ACCOUNT, "unleashx"), allowed)


def claim(at: Place, how_many: int = 100) -> list[Call]:
    """Claim as a lane does: only from groups that may be called now."""
    asked = [Asked(one.group_id) for one in at.allowed.open_groups(at.clock.now_us())]
    return exchange(at.desk, [at.campaign_id], wanted=[Wanted(at.campaign_id, how_many, asked)]).claimed[0]


def opening(at: Place, call: Call) -> Opening:
    now_us = at.clock.now_us()
    return Opening(
        new_attempt_id(now_us),
        call.campaign_id,
        call.contact_id,
        call.call_number,
        call.attempt_number,
        "962",
        None,
        at.allowed.grounds(call.window_group, now_us),
        at.allowed.until_us(call.window_group, now_us),
    )


def open_calls(at: Place, openings: list[Opening], budget: Budget | None = None) -> Exchanged:
    return exchange(
        at.desk,
        [at.campaign_id],
        openings=openings,
        budgets={at.campaign_id: budget} if budget else None,
    )


def end(at: Place, one: Opening, call: Call, cost: float | None = None) -> None:
    """Let the opened call be accepted, and end without an answer."""
    answer = answered(one, call, Accepted(f"x-{one.attempt_id}", 200), at.clock.now_us())
    exchange(at.desk, [at.campaign_id], answers=[answer])
    with at.store.write() as connection:
        connection.execute(
            text(
                "UPDATE ledger SET state = 'ended', outcome = 'no_answer', cost = :cost"
                " WHERE attempt_id = :id"
            ),
            {"id": one.attempt_id, "cost": cost},
        )
        connection.execute(
            text("UPDATE contacts SET status = 'waiting', next_call_at_us = 1 WHERE contact_id = :id"),
            {"id": call.contact_id},
        )


def call_all(at: Place, budget: Budget | None = None) -> Exchanged:
    """Claim everybody who may be called, open what the database lets through, end it; give the rest back."""
    calls = claim(at)
    openings = [opening(at, call) for call in calls]
    found = open_calls(at, openings, budget)
    for one, call in zip(openings, calls, strict=True):
        if one.attempt_id in found.opened:
            end(at, one, call)
    with at.store.write() as connection:
        connection.execute(
            text("UPDATE contacts SET status = 'waiting' WHERE status = 'leased' AND worker = :worker"),
            {"worker": at.desk.worker},
        )
    return found
