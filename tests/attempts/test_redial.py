"""Redial: an outcome puts the contact back to waiting, by its campaign's file, never beyond calls_max."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text

from dialer.attempts import settle, unsettled
from dialer.attempts.ledger import exchange
from dialer.attempts.redial import is_do_not_call
from dialer.base.clock import ManualClock
from dialer.base.settings import Settings
from dialer.calls import campaigns
from dialer.calls import claim as claims
from dialer.calls.campaigns import cancel
from dialer.calls.claim import START, Asked
from dialer.campaign import read_campaign
from dialer.providers.provider import Accepted, Execution
from dialer.store.database import Store
from dialer.tables.audit import audit
from tests.attempts.test_ledger import answered, claim, open_all
from tests.seed import desk, phone, seed_campaign

WORKERS = count()

RULES = (
    '{"redial": {"calls_max": 3, "no_answer": "4h", "busy": "20m", "voicemail": "never", "failed": "never"}}'
)


def campaign(store: Store, spec: str = RULES) -> int:
    campaign_id = seed_campaign(store, contacts=1)
    with store.write() as connection:
        connection.execute(text("UPDATE campaigns SET spec = :spec"), {"spec": spec})
    return campaign_id


def call_once(
    store: Store, campaign_id: int, outcome: str, disposition: str | None = None
) -> unsettled.Finding:
    """Place the contact's next call and let it end; return what was found of it."""
    at = desk(store, f"w{next(WORKERS)}")
    [(one, call)] = open_all(at, claim(at, campaign_id))
    with store.read() as connection:
        at_us = store.now_us(connection)
    answer = answered(one, call, Accepted(f"x-{one.attempt_id}", 200), at_us)
    exchange(at, [campaign_id], answers=[answer])
    [pending] = unsettled.open_attempts(store, at.account)
    record = Execution(f"r-{one.attempt_id}", phone(0), "962", "over", outcome, disposition=disposition)
    assert settle.bind(store, [unsettled.Finding(pending, record)]) == 1
    return unsettled.Finding(pending, record)


def contact(store: Store) -> tuple[object, ...]:
    with store.read() as connection:
        query = "SELECT status, reason, calls, tries, next_call_at_us FROM contacts"
        return tuple(connection.execute(text(query)).one())


def test_outcomes_of_all_kinds_count_together_and_the_last_call_ends_the_contact(
    store: Store, clock: ManualClock
) -> None:
    campaign_id = campaign(store)
    call_once(store, campaign_id, "no_answer")
    assert contact(store) == ("waiting", "no_answer", 1, 0, clock.now_us() + 4 * 3600 * 1_000_000)
    assert claim(desk(store, "early"), campaign_id) == []
    clock.move(4 * 3600)
    call_once(store, campaign_id, "busy")
    assert contact(store) == ("waiting", "busy", 2, 0, clock.now_us() + 1200 * 1_000_000)
    assert [one.name for one in audit(store).checks if one.offending] == []
    clock.move(1200)
    call_once(store, campaign_id, "no_answer")
    assert contact(store)[:3] == ("done", "no_answer", 3)
    clock.move(1e6)
    assert claim(desk(store, "late"), campaign_id) == []
    assert [one.name for one in audit(store).checks if one.offending] == []
    with store.read() as connection:
        numbers = connection.execute(text("SELECT call_number, attempt_number FROM ledger ORDER BY 1")).all()
    assert [tuple(one) for one in numbers] == [(1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize(
    ("outcome", "disposition"),
    [("completed", None), ("voicemail", None), ("expired", None), ("no_answer", "Do NOT call again")],
)
def test_other_outcomes_and_a_wish_not_to_be_called_end_the_contact(
    store: Store, outcome: str, disposition: str | None
) -> None:
    call_once(store, campaign(store), outcome, disposition)
    assert contact(store)[:2] == ("done", outcome)


def test_an_outcome_told_again_after_the_redial_changes_nothing(store: Store, clock: ManualClock) -> None:
    campaign_id = campaign(store)
    first = call_once(store, campaign_id, "busy")
    assert settle.bind(store, [first]) == 0
    clock.move(1200)
    at = desk(store, "second")
    [(one, call)] = open_all(at, claim(at, campaign_id))
    exchange(at, [campaign_id], answers=[answered(one, call, Accepted("second", 200))])
    assert settle.bind(store, [first]) == 0
    settle.enrich(store, [first])
    assert contact(store)[:3] == ("calling", None, 2)


def test_a_canceled_campaign_calls_nobody_again(store: Store, clock: ManualClock) -> None:
    campaign_id = campaign(store)
    at = desk(store, "w")
    [(one, call)] = open_all(at, claim(at, campaign_id))
    exchange(at, [campaign_id], answers=[answered(one, call, Accepted("x", 200))])
    cancel(store, "spring", "by a person")
    [pending] = unsettled.open_attempts(store, at.account)
    record = Execution("r", phone(0), "962", "over", "busy")
    settle.bind(store, [unsettled.Finding(pending, record)])
    assert contact(store)[:2] == ("done", "busy")


def test_an_expired_call_still_learns_late_what_became_of_it(store: Store, clock: ManualClock) -> None:
    campaign_id = campaign(store)
    at = desk(store, "w")
    [(one, call)] = open_all(at, claim(at, campaign_id))
    exchange(at, [campaign_id], answers=[answered(one, call, Accepted("x", 200))])
    [pending] = unsettled.open_attempts(store, at.account)
    clock.move(10_000)
    assert settle.expire(store, at.account, 3600) == 1
    late = Execution("r", phone(0), "962", "over", "completed", transcript="Hello", sentiment="positive")
    assert settle.enrich(store, [unsettled.Finding(pending, late)]) == 1
    with store.read() as connection:
        row = connection.execute(text("SELECT state, outcome, transcript, sentiment FROM attempts")).one()
    assert tuple(row) == ("ended", "completed", "Hello", "positive")
    assert contact(store)[:2] == ("done", "completed")


@pytest.mark.parametrize(
    ("disposition", "meant"),
    [
        ("Do not call", True),
        ("DNC", True),
        ("do-not-contact", True),
        ("Don't call me", True),
        ("opted out", True),
        ("Call back later", False),
        ("Not interested", False),
        (None, False),
    ],
)
def test_a_wish_not_to_be_called_is_understood(disposition: str | None, meant: bool) -> None:
    assert is_do_not_call(disposition) is meant


def test_a_redial_that_is_due_goes_before_contacts_that_nobody_has_called(
    store: Store, clock: ManualClock
) -> None:
    campaign_id = seed_campaign(store, contacts=5)
    with store.write() as connection:
        query = "UPDATE contacts SET next_call_at_us = :at WHERE phone = :phone"
        for number, at_us in ((3, 2), (4, 1)):
            connection.execute(text(query), {"at": at_us, "phone": phone(number)})
        first = claims.claim(store, connection, "w", campaign_id, count=3, groups=[Asked(0)], now_us=10)
        assert [call.phone for call in first] == [phone(4), phone(3), phone(0)]
        # What becomes due meanwhile is found although fresh contacts are being claimed.
        connection.execute(
            text("UPDATE contacts SET status = 'waiting', next_call_at_us = 12 WHERE phone = :phone"),
            {"phone": phone(4)},
        )
        then = START.after(first)
        rest = claims.claim(store, connection, "w", campaign_id, count=9, groups=[Asked(0, then)], now_us=20)
        assert [call.phone for call in rest] == [phone(4), phone(1), phone(2)]


def test_a_lower_calls_max_ends_those_who_had_as_many_calls(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    text_of = (
        '[list]\nfiles = ["*.csv"]\n[call]\naccount = "unleashx"\nagent = "962"\n[redial]\ncalls_max = {}\n'
    )
    folder = tmp_path / "campaigns" / "spring"
    folder.mkdir(parents=True)
    settings = Settings.model_validate(
        {"campaigns": tmp_path / "campaigns", "accounts": {"unleashx": {"name": "unleashx", "provider": "x"}}}
    )

    def register(calls_max: int) -> None:
        (folder / "campaign.toml").write_text(text_of.format(calls_max), "utf-8")
        with store.write() as connection:
            campaigns.register(store, connection, read_campaign("spring", settings))

    campaign_id = campaign(store)
    call_once(store, campaign_id, "no_answer")
    register(3)
    assert contact(store)[0] == "waiting"
    register(1)
    assert contact(store)[:2] == ("done", "no_answer")
    register(3)
    assert contact(store)[0] == "done"
    assert [one.name for one in audit(store).checks if one.offending] == []
