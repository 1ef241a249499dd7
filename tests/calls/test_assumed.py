"""What a plan takes for granted: what was said, else what was seen, else a figure that is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from dialer.base.clock import ManualClock
from dialer.base.errors import BadInput
from dialer.base.ids import new_attempt_id
from dialer.base.settings import Account
from dialer.calls.assumed import DURATION_S, SHARES, Said, Seen, ground, read_shares, see
from dialer.campaign import Campaign
from dialer.store.database import Store
from tests.calls.spring import campaign_in

CAMPAIGN = """
[list]
files = ["*.csv"]
phone = "phone"
[call]
account = "north"
agent = "962"
[pace]
calls_per_second = 3.0
[redial]
calls_max = 2
no_answer = "4h"
"""


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return campaign_in(tmp_path, CAMPAIGN)


def test_figures_of_ours_are_told(campaign: Campaign) -> None:
    grounded = ground(campaign, None, Seen(), Said())
    assert grounded.assumed.shares == SHARES
    assert (grounded.assumed.duration_s, grounded.assumed.per_second) == (DURATION_S, 3.0)
    assert (grounded.assumed.waits_s, grounded.assumed.calls_max) == ({"no_answer": 14_400.0}, 2)
    told = " / ".join(grounded.notes)
    assert "40% no_answer (assumed" in told
    assert "60 s until its outcome is known (assumed" in told
    assert "3 calls a second (pace.calls_per_second of the campaign)" in told
    assert "not known; see --cost-per-call" in told


def test_the_tightest_limit_is_the_pace(campaign: Campaign) -> None:
    account = Account(name="north", provider="unleashx", calls_open_max=30, requests_per_minute=66)
    assert ground(campaign, account, Seen(), Said(duration_s=10.0)).assumed.per_second == 1.0  # less polling
    assert ground(campaign, account, Seen(), Said(duration_s=60.0)).assumed.per_second == 0.5  # open calls


def test_a_pace_that_was_measured_counts_where_it_is_asked_for_and_lower(campaign: Campaign) -> None:
    slow, fast = Seen(per_second=0.7), Seen(per_second=70.0)
    assert ground(campaign, None, slow, Said(), measured=True).assumed.per_second == 0.7
    assert ground(campaign, None, slow, Said()).assumed.per_second == 3.0
    assert ground(campaign, None, fast, Said(), measured=True).assumed.per_second == 3.0
    assert ground(campaign, None, slow, Said(per_second=0.1), measured=True).assumed.per_second == 0.1


def test_a_campaigns_own_calls_are_seen(store: Store, clock: ManualClock, campaign: Campaign) -> None:
    """Forty calls, two a second with a pause in the middle; half of them answered, each 30 s and 0.2 dear."""
    with store.write() as connection:
        for number in range(40):
            sent_at_us = clock.now_us() - 600_000_000 + number * 500_000 + (number >= 20) * 120_000_000
            connection.execute(
                text(
                    "INSERT INTO ledger (attempt_id, campaign_id, contact_id, phone, call_number,"
                    " attempt_number, account, provider, agent, state, opened_at_us, sent_at_us,"
                    " ended_at_us, outcome, cost, worker) VALUES (:id, 1, :number, :phone, 1, 1, 'north',"
                    " 'unleashx', '962', 'ended', :at, :at, :at + 30000000, :outcome, 0.2, 'w')"
                ),
                {
                    "id": new_attempt_id(sent_at_us),
                    "number": number,
                    "phone": f"+1{number}",
                    "at": sent_at_us,
                    "outcome": "no_answer" if number % 2 else "completed",
                },
            )
    with store.read() as connection:
        seen = see(store, connection, 1, clock.now_us())
        nothing = see(store, connection, 2, clock.now_us())
    assert (seen.ended, seen.shares, seen.duration_s) == (40, {"no_answer": 0.5}, 30.0)
    assert (seen.cost, seen.per_second) == (pytest.approx(0.2), pytest.approx(2.0))
    assert nothing == Seen()
    said = ground(campaign, None, seen, Said(shares={"no_answer": 0.9}))
    assert said.assumed.shares["no_answer"] == 0.9
    assert said.cost == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"no_anwser": 0.1}, "did you mean 'no_answer'"),
        ({"busy": 1.5}, "from 0 to 1"),
        ({"busy": 0.6, "no_answer": 0.6}, "more than all calls"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares: dict[str, float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_shares(shares)
