"""Do-not-call entries hold for whom they say, until they expire, whatever list comes next."""

from __future__ import annotations

import polars as pl
import pytest
from sqlalchemy import text

from dialer.base.clock import ManualClock
from dialer.base.errors import BadInput
from dialer.calls import suppressions
from dialer.calls.suppressions import Terms, suppressed
from dialer.store.database import Store

BERLIN, MUNICH = "+4930123456", "+4989123456"


def add(store: Store, value: str, kind: str = "number", **terms: object) -> None:
    with store.write() as connection:
        suppressions.add(store, connection, [(value, kind)], Terms(**terms), store.now_us(connection))  # type: ignore[arg-type]


def held(store: Store, campaign: str = "spring", account: str = "north") -> set[str]:
    """Which of the two numbers must not be called."""
    query = text(
        f"SELECT p.phone FROM (SELECT '{BERLIN}' AS phone UNION SELECT '{MUNICH}') AS p"
        f" WHERE {suppressed('p.phone', ':campaign', ':account')}"
    )
    with store.read() as connection:
        values = {"campaign": campaign, "account": account, "now_us": store.now_us(connection)}
        return {row[0] for row in connection.execute(query, values)}


def test_a_number_is_held_for_everybody_or_for_one_campaign_or_account(store: Store) -> None:
    add(store, BERLIN)
    add(store, MUNICH, campaign="spring", account="north")
    assert held(store) == {BERLIN, MUNICH}
    assert held(store, campaign="autumn") == {BERLIN}
    assert held(store, account="south") == {BERLIN}


def test_a_prefix_holds_the_numbers_that_begin_with_it(store: Store) -> None:
    add(store, "+4930", "prefix")
    assert held(store) == {BERLIN}


def test_an_entry_ends_when_it_expires(store: Store, clock: ManualClock) -> None:
    add(store, BERLIN, expires_at_us=clock.now_us() + 1_000_000)
    assert held(store) == {BERLIN}
    clock.move(1.0)
    assert held(store) == set()


def test_importing_again_changes_nothing_but_the_terms(store: Store) -> None:
    numbers = pl.Series([BERLIN, MUNICH, BERLIN, None])
    assert suppressions.add_numbers(store, numbers, Terms(source="registry May")) == (2, 0)
    assert suppressions.add_numbers(store, numbers, Terms(source="registry June")) == (2, 2)
    assert suppressions.counted(store) == [("number", "", "", 2)]
    assert [one.source for one in suppressions.found(store, BERLIN)] == ["registry June"]


def test_what_is_taken_off_may_be_called_again(store: Store) -> None:
    add(store, BERLIN)
    add(store, BERLIN, campaign="spring")
    assert suppressions.remove(store, BERLIN, campaign="spring") == [("spring", "")]
    assert held(store) == {BERLIN}
    assert suppressions.remove(store, BERLIN) == [("", "")]
    assert held(store) == set()


@pytest.mark.parametrize("text", ["4930", "+", "+49a", ""])
def test_what_is_no_prefix_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no prefix"):
        suppressions.prefix_of(text)
