"""An outcome that means "do not call" puts the number onto the list, once, for every campaign."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dialer.attempts import settle
from dialer.attempts.redial import read_redial
from dialer.calls import suppressions
from dialer.calls.suppressions import Terms
from dialer.store.database import Store
from tests.attempts.test_redial import call_once, campaign
from tests.calls.spring import rows
from tests.seed import phone

SPEC = '{"redial": {"calls_max": 3, "no_answer": "4h", "do_not_call": ["Hung up angrily"]}}'


def entries(store: Store) -> list[tuple[object, ...]]:
    return rows(store, "SELECT value, campaign, account, reason, source, expires_at_us FROM suppressions")


@pytest.mark.parametrize("disposition", ["Do not call", "hung-up  ANGRILY"])
def test_who_asks_not_to_be_called_is_suppressed_with_the_attempt_as_source(
    store: Store, disposition: str
) -> None:
    found = call_once(store, campaign(store, SPEC), "no_answer", disposition)
    attempt_id = found.pending.attempt_id
    assert entries(store) == [(phone(0), "", "", disposition, attempt_id, None)]
    assert rows(store, "SELECT status FROM contacts") == [("done",)]


@pytest.mark.parametrize("disposition", [None, "Interested", "Hung up"])
def test_other_dispositions_suppress_nobody(store: Store, disposition: str | None) -> None:
    call_once(store, campaign(store, SPEC), "no_answer", disposition)
    assert entries(store) == []
    assert rows(store, "SELECT status FROM contacts") == [("waiting",)]


def test_a_disposition_that_is_told_late_suppresses_once(store: Store) -> None:
    found = call_once(store, campaign(store, SPEC), "no_answer", None)
    late = found._replace(execution=replace(found.execution, disposition="Opt out"))
    settle.enrich(store, [late])
    assert [entry[0] for entry in entries(store)] == [phone(0)]
    suppressions.remove(store, phone(0))
    settle.enrich(store, [late])  # a person took the number off; the same news does not put it back
    assert entries(store) == []


def test_an_entry_that_has_expired_holds_again_for_ever(store: Store) -> None:
    with store.write() as connection:
        terms = Terms(source="a letter", expires_at_us=1)
        suppressions.add(store, connection, [(phone(0), "number")], terms, 1)
    found = call_once(store, campaign(store, SPEC), "no_answer", "DNC")
    assert [entry[4:] for entry in entries(store)] == [(found.pending.attempt_id, None)]


def test_words_of_the_file_are_compared_in_one_spelling() -> None:
    rule = read_redial('{"redial": {"do_not_call": ["Not Interested"]}}')
    assert rule.forbids("not-interested")
    assert not rule.forbids("not interested today")
    assert rule.forbids("unsubscribe")
