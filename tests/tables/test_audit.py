"""The audit: clean after a true story, and it finds every damage done to the database by hand."""

from __future__ import annotations

import json

import polars as pl
import pytest
from sqlalchemy import text

from dialer.attempts.pace.departures import Departures
from dialer.attempts.pace.windows import Window as Limit
from dialer.base.clock import ManualClock
from dialer.base.errors import BadInput
from dialer.base.ids import new_attempt_id
from dialer.store.database import Store
from dialer.tables.audit import audit
from dialer.tables.audit_report import NAMED_MAX, AuditReport
from dialer.tables.pace_proof import Window, counts_in, windows
from tests.seed import seed_campaign
from tests.tables.story import run_sql, tell

INDEXES = (
    "ledger_one_open_per_phone",
    "ledger_one_live_per_call",
    "ledger_execution_once",
    "ledger_provider_ref_once",
    "contacts_once_per_campaign",
)
DONE = "(SELECT attempt_id FROM ledger WHERE outcome = 'completed')"
CALLING = "(SELECT attempt_id FROM ledger WHERE state = 'accepted')"


def without_indexes(store: Store) -> None:
    for index in INDEXES:
        run_sql(store, f"DROP INDEX {index}")


def copy_attempt(store: Store, of: str, **changes: object) -> str:
    """Put a copy of an attempt into the ledger, under a fresh id; return the id."""
    attempt_id = new_attempt_id(1_790_000_100_000_000)
    with store.write() as connection:
        row = dict(connection.execute(text(f"SELECT * FROM ledger WHERE attempt_id = {of}")).one()._mapping)
        row.update({"attempt_id": attempt_id, "execution_id": "fresh", "provider_ref": "fresh", **changes})
        columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO ledger ({columns}) VALUES ({values})"), row)
    return attempt_id


def broken(report: AuditReport) -> list[str]:
    """Return the names of the proofs that do not hold."""
    assert report.exit_code == (0 if report.ok else 4)
    return sorted(check.name for check in report.checks if not check.ok)


def named(report: AuditReport, name: str) -> list[tuple[str, str]]:
    return [tuple(row) for check in report.checks if check.name == name for row in check.offending]


def test_a_true_story_is_proven(store: Store, clock: ManualClock) -> None:
    tell(store, clock, "spring")
    tell(store, clock, "autumn", first_phone=100)
    report = audit(store, limits={"unleashx": (4.0, None)})
    assert (report.ok, report.exit_code, broken(report)) == (True, 0, [])
    rows = {check.name: check.rows for check in report.checks}
    assert rows == {
        "one_open_attempt_per_number": 6,
        "one_live_attempt_per_call": 10,
        "execution_ids_once": 6,
        "one_contact_per_number": 18,
        "calls_within_limit": 18,
        "statuses_agree": 18,
        "calls_counted": 18,
        "attempts_belong": 16,
        "campaigns_agree": 16,
        "attempts_complete": 16,
        "books_balance": 4,
        "times_in_order": 16,
        "calls_within_hours": 0,
        "calls_within_caps": 0,
        "pace_within_limits": 12,
    }


def test_an_empty_database_is_proven_too(store: Store) -> None:
    assert audit(store).ok


def test_a_second_call_put_in_by_hand_is_found(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    without_indexes(store)
    first = dict(named_attempts(store))["completed"]
    second = copy_attempt(store, DONE)
    report = audit(store, "spring")
    assert broken(report) == ["calls_counted", "calls_within_limit", "one_live_attempt_per_call"]
    assert {row_id for row_id, _ in named(report, "one_live_attempt_per_call")} == {first, second}
    assert named(report, "calls_within_limit") == [("1", "2 calls, 1 allowed")]


def test_a_second_call_under_another_number_of_the_call_is_found(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    copy_attempt(store, DONE, call_number=2)  # no index refuses this one
    assert broken(audit(store)) == ["calls_counted", "calls_within_limit"]


def test_a_redial_within_the_campaigns_limit_is_no_damage(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    copy_attempt(store, DONE, call_number=2)
    run_sql(store, "UPDATE contacts SET calls = 2 WHERE contact_id = 1")
    run_sql(store, "UPDATE campaigns SET spec = :spec", spec='{"redial": {"calls_max": 2}}')
    assert audit(store).ok


def test_two_open_attempts_on_one_number_are_found_over_campaigns(store: Store, clock: ManualClock) -> None:
    tell(store, clock, "spring")
    tell(store, clock, "autumn", first_phone=100)
    without_indexes(store)
    # The same person in both campaigns, and both are calling.
    run_sql(store, "UPDATE contacts SET phone = '+12025550002' WHERE phone = '+12025550102'")
    run_sql(store, "UPDATE ledger SET phone = '+12025550002' WHERE phone = '+12025550102'")
    for campaign in (None, "spring", "autumn"):
        report = audit(store, campaign)
        assert broken(report) == ["one_open_attempt_per_number"]
        assert len(named(report, "one_open_attempt_per_number")) == 2


def test_two_attempts_with_one_execution_id_are_found(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    without_indexes(store)
    run_sql(store, "UPDATE ledger SET execution_id = 'x-spring-1' WHERE execution_id = 'x-spring-0'")
    report = audit(store)
    assert broken(report) == ["execution_ids_once"]
    assert [what for _, what in named(report, "execution_ids_once")] == ["execution id x-spring-1"] * 2


def test_the_same_execution_id_at_two_accounts_is_no_damage(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    run_sql(
        store,
        "UPDATE ledger SET account = 'other', execution_id = 'x-spring-1' WHERE execution_id = 'x-spring-0'",
    )
    assert audit(store).ok


def test_a_number_twice_in_a_campaign_is_found(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    without_indexes(store)
    run_sql(store, "UPDATE contacts SET phone = '+12025550008' WHERE contact_id = 7")
    run_sql(store, "UPDATE ledger SET phone = '+12025550008' WHERE contact_id = 7")
    report = audit(store)
    assert broken(report) == ["one_contact_per_number"]
    assert [row_id for row_id, _ in named(report, "one_contact_per_number")] == ["7", "9"]


@pytest.mark.parametrize(
    ("contact_id", "status", "what"),
    [
        (1, "calling", "calling with 0 accepted attempts"),
        (1, "waiting", "waiting with all its calls made"),
        (1, "unknown", "unknown with 0 unknown attempts"),
        (1, "refused", "refused with no attempt that was refused"),
        (3, "done", "done with no attempt that ended"),
        (3, "waiting", "waiting with an open attempt"),
        (3, "leased", "leased with an open attempt of before"),
        (3, "canceled", "canceled with an open attempt"),
        (4, "calling", "calling with 0 accepted attempts"),
        (4, "waiting", "waiting with an open attempt"),
        (5, "done", "done with no attempt that ended"),
        (8, "waiting", "waiting with an open attempt"),
        (8, "unknown", "unknown with 0 unknown attempts"),
        (9, "done", "done with no attempt that ended"),
    ],
)
def test_a_status_that_contradicts_the_attempts_is_found(
    store: Store, clock: ManualClock, contact_id: int, status: str, what: str
) -> None:
    tell(store, clock)
    run_sql(store, "UPDATE contacts SET status = :s WHERE contact_id = :id", s=status, id=contact_id)
    report = audit(store)
    assert broken(report) == ["statuses_agree"]
    assert named(report, "statuses_agree") == [(str(contact_id), what)]


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("not_dialled", ["attempts_complete", "calls_counted", "statuses_agree"]),
        ("accepted", ["attempts_complete", "statuses_agree"]),
        ("unknown", ["attempts_complete", "statuses_agree"]),
    ],
)
def test_a_changed_state_is_found(store: Store, clock: ManualClock, state: str, found: list[str]) -> None:
    tell(store, clock)
    run_sql(store, f"UPDATE ledger SET state = :state WHERE attempt_id = {DONE}", state=state)
    assert broken(audit(store)) == found


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (f"execution_id = NULL WHERE attempt_id = {CALLING}", "accepted without an execution id"),
        (f"outcome = 'busy' WHERE attempt_id = {CALLING}", "accepted with an outcome"),
        ("execution_id = 'x' WHERE state = 'refused'", "refused with an execution id or an outcome"),
    ],
)
def test_an_attempt_that_lacks_what_its_state_says_is_found(
    store: Store, clock: ManualClock, change: str, what: str
) -> None:
    tell(store, clock)
    run_sql(store, f"UPDATE ledger SET {change}")
    report = audit(store)
    assert broken(report) == ["attempts_complete"]
    assert [found for _, found in named(report, "attempts_complete")] == [what]


def test_a_wrong_count_of_calls_is_found(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    run_sql(store, "UPDATE contacts SET calls = 0 WHERE contact_id = 2")
    report = audit(store)
    assert broken(report) == ["calls_counted"]
    assert named(report, "calls_counted") == [("2", "counts 0 calls, its attempts show 1")]


@pytest.mark.parametrize(
    ("damage", "what", "others"),
    [
        ("DELETE FROM contacts WHERE contact_id = 1", "there is no contact 1", ["books_balance"]),
        (
            "UPDATE ledger SET campaign_id = 99 WHERE contact_id = 1",
            "there is no campaign 99",
            ["campaigns_agree"],
        ),
        (
            "UPDATE ledger SET phone = '+12025559999' WHERE contact_id = 1",
            "its contact has another number",
            [],
        ),
    ],
)
def test_an_attempt_that_belongs_to_nobody_is_found(
    store: Store, clock: ManualClock, damage: str, what: str, others: list[str]
) -> None:
    tell(store, clock)
    run_sql(store, damage)
    report = audit(store)
    assert broken(report) == sorted(["attempts_belong", *others])
    assert [found for _, found in named(report, "attempts_belong")] == [what]


def test_an_attempt_moved_to_another_campaign_is_found_from_either_side(
    store: Store, clock: ManualClock
) -> None:
    tell(store, clock)
    other = seed_campaign(store, "autumn")
    run_sql(store, "UPDATE ledger SET campaign_id = :other WHERE contact_id = 1", other=other)
    for campaign in (None, "spring", "autumn"):
        report = audit(store, campaign)
        assert broken(report) == ["campaigns_agree"]
        assert [what for _, what in named(report, "campaigns_agree")] == [
            f"in campaign {other}, its contact 1 in 1"
        ]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (
            "UPDATE loads SET rows_read = 10, rows_accepted = 10 WHERE load_id = 1",
            "accepted, rejected, duplicate should be 10, 0, 0 and are 9, 0, 0",
        ),
        (
            "DELETE FROM rejected_rows WHERE reason = 'too_short'",
            "accepted, rejected, duplicate should be 0, 2, 1 and are 0, 1, 1",
        ),
        (
            "UPDATE rejected_rows SET reason = 'duplicate'",
            "accepted, rejected, duplicate should be 0, 2, 1 and are 0, 0, 3",
        ),
        ("DELETE FROM loads WHERE load_id = 2", "there is no such load, but rows of it: 3"),
    ],
)
def test_a_row_that_is_not_accounted_for_is_found(
    store: Store, clock: ManualClock, damage: str, what: str
) -> None:
    tell(store, clock)
    run_sql(store, damage)
    report = audit(store, "spring")
    assert broken(report) == ["books_balance"]
    assert [found for _, found in named(report, "books_balance")] == [what]


def test_a_load_whose_own_numbers_do_not_add_up_is_found(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    if store.is_sqlite:
        with store.write() as connection:
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
            connection.execute(text("UPDATE loads SET rows_read = 12 WHERE load_id = 1"))
    else:
        run_sql(store, "ALTER TABLE loads DROP CONSTRAINT books_balance")
        run_sql(store, "UPDATE loads SET rows_read = 12 WHERE load_id = 1")
    assert named(audit(store), "books_balance") == [("1", "12 rows read, but 9 + 0 + 0")]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("sent_at_us = opened_at_us - 2000000", "sent before it was opened"),
        ("answered_at_us = sent_at_us - 2000000", "answered before it was sent"),
        ("ended_at_us = sent_at_us - 90000000", "ended before it was sent"),
    ],
)
def test_times_out_of_order_are_found(store: Store, clock: ManualClock, change: str, what: str) -> None:
    tell(store, clock)
    run_sql(store, f"UPDATE ledger SET {change} WHERE attempt_id = {DONE}")
    report = audit(store)
    assert broken(report) == ["times_in_order"]
    assert [found for _, found in named(report, "times_in_order")] == [what]


def test_the_providers_clock_may_differ_a_little(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    run_sql(store, f"UPDATE ledger SET ended_at_us = answered_at_us - 1000000 WHERE attempt_id = {DONE}")
    assert audit(store).ok


def test_a_pace_above_the_limit_is_found_in_any_sliding_window(store: Store, clock: ManualClock) -> None:
    tell(store, clock)  # 6 calls, 0.250001 s apart
    assert audit(store, limits={"unleashx": (4.0, 6)}).ok
    report = audit(store, limits={"unleashx": (3.0, None)})
    assert broken(report) == ["pace_within_limits"]
    (check,) = [check for check in report.checks if not check.ok]
    assert check.found == 3
    assert {row.what for row in check.offending} == {"one of 4 calls in 1 s"}
    assert broken(audit(store, limits={"unleashx": (None, 5)})) == ["pace_within_limits"]


def test_what_the_pace_check_left_out_is_said(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    report = audit(store)
    assert report.lines()[-4:-2] == [
        "--    No account was ever faster than its limit (0 attempts looked at)",
        "      account 'unleashx' has no limit in these settings: its pace was not checked",
    ]
    assert report.lines()[-1] == "audit of the whole database: 14 of 14 proofs hold, 1 not checked"
    report = audit(store, limits={"unleashx": (10.0, None)})
    notes = next(check.notes for check in report.checks if check.name == "pace_within_limits")
    assert notes == [
        "account 'unleashx': at most 4 in any 1 s, limit 10",
        "account 'unleashx': left out for want of a moment of departure: 1",
    ]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((20.0, None), [(20, 1_000_000)]),
        ((1.5, 100), [(2, 1_000_000), (3, 2_000_000), (100, 60_000_000)]),
        ((0.2, None), [(1, 1_000_000), (1, 5_000_000)]),
        ((None, None), []),
    ],
)
def test_a_limit_is_a_window_with_a_whole_number_of_calls(
    limits: tuple[float | None, int | None], expected: list[tuple[int, int]]
) -> None:
    assert [tuple(window) for window in windows(limits)] == expected


@pytest.mark.parametrize("per_second", [1.5, 0.7, 3.0])
def test_what_the_pacer_lets_leave_passes_the_proof_and_a_call_more_does_not(per_second: float) -> None:
    pacer, now, sent = Departures([Limit(per_second, 1.0)], guard_s=0.0), 0.0, []
    for _ in range(30):
        now = max(now, pacer.free_at(now))
        pacer.add(now)
        sent.append(round(now * 1e6))
    spans = list(windows((per_second, None)))
    assert all(max(counts_in(pl.Series(sent), span)) == span.most for span in spans[-1:])
    assert all(max(counts_in(pl.Series(sent), span)) <= span.most for span in spans)
    more = pl.Series(sorted([*sent, sent[15] + 1]))
    assert any(max(counts_in(more, span)) > span.most for span in spans)


def test_windows_slide_and_are_half_open() -> None:
    sent = pl.Series([0, 500_000, 999_999, 1_000_000, 1_000_000, 5_000_000])
    assert counts_in(sent, Window(2, 1_000_000)).to_list() == [1, 2, 3, 3, 4, 1]


def test_a_campaign_is_proven_without_the_damage_of_others(store: Store, clock: ManualClock) -> None:
    tell(store, clock, "spring")
    tell(store, clock, "autumn", first_phone=100)
    run_sql(store, "UPDATE contacts SET status = 'done' WHERE phone = '+12025550108'")
    assert audit(store, "spring").ok
    assert broken(audit(store, "autumn")) == broken(audit(store)) == ["statuses_agree"]


def test_twenty_rows_are_named_and_all_are_counted(store: Store) -> None:
    seed_campaign(store, "spring", 50)
    run_sql(store, "UPDATE contacts SET status = 'done'")
    report = audit(store)
    (check,) = [check for check in report.checks if not check.ok]
    assert (check.found, len(check.offending)) == (50, NAMED_MAX)
    assert "      and 30 more" in check.lines()


def test_no_number_is_in_a_report(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    without_indexes(store)
    copy_attempt(store, CALLING)
    run_sql(store, "UPDATE ledger SET phone = '+12025550999' WHERE contact_id = 2")
    run_sql(store, "UPDATE contacts SET phone = '+12025550008' WHERE contact_id = 7")
    report = audit(store, limits={"unleashx": (1.0, 2)})
    assert len(broken(report)) > 5
    assert "+1202" not in json.dumps(report.as_json())
    assert "+1202" not in "\n".join(report.lines())


def test_a_report_reads_well(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    run_sql(store, "UPDATE contacts SET calls = 0 WHERE contact_id = 2")
    report = audit(store, "spring", limits={"unleashx": (4.0, None)})
    lines = report.lines()
    assert lines[0] == "ok    No number has two open attempts, over all campaigns (3 attempts looked at)"
    start = lines.index(
        "FAIL  Every contact counts just the calls that its attempts show (9 contacts looked at)"
    )
    assert lines[start + 1 : start + 3] == [
        "      1 contradict it:",
        "      contact 2: counts 0 calls, its attempts show 1",
    ]
    assert lines[-2:] == [
        "unknown attempts, which may have been dialled and are not redialled: 1",
        "audit of campaign 'spring': 14 of 15 proofs hold",
    ]
    assert report.as_json()["ok"] is False


def test_a_campaign_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="not in the database"):
        audit(store, "spring")


def named_attempts(store: Store) -> list[tuple[str, str]]:
    with store.read() as connection:
        rows = connection.execute(text("SELECT outcome, attempt_id FROM ledger WHERE outcome IS NOT NULL"))
        return [(row[0], row[1]) for row in rows]
