"""A person's word about an attempt: the provider is asked, and wins; nobody is called twice by a mistake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from dialer.attempts import decide
from dialer.base.clock import ManualClock
from dialer.base.errors import BadInput, NotReady
from dialer.base.settings import Account
from dialer.calls import campaigns
from dialer.providers.provider import Execution
from dialer.store.database import Store
from tests.attempts.test_ledger import unknown_attempt
from tests.attempts.test_reconcile import Listing
from tests.seed import phone, seed_campaign, states, statuses

pytestmark = pytest.mark.anyio

ACCOUNT = Account(name="unleashx", provider="unleashx", listing_delay_s=100.0)


class Case:
    """One unknown attempt that left long ago, and a provider that knows `records`, or is down."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.attempt = unknown_attempt(store)
        self.records: list[Execution] = []
        self.down = False

    def provider(self) -> Listing:
        if self.down:
            raise NotReady("account 'unleashx' cannot be reached")
        return Listing(lambda: self.records)

    def knows(self, execution_id: str, number: str | None = None, **more: Any) -> None:
        at_us = self.attempt.opened_at_us
        told = Execution(
            "77", number or self.attempt.phone, "962", "x", None, at_us, execution_id=execution_id, **more
        )
        self.records = [told]

    async def bind(self, execution_id: str, *, insist: bool = False) -> str:
        one = decide.doubtful(self.store, self.attempt.attempt_id)
        return await decide.bind(self.store, ACCOUNT, one, execution_id, insist=insist)

    async def free(self, *, insist: bool = False) -> str:
        one = decide.doubtful(self.store, self.attempt.attempt_id)
        return await decide.free(self.store, ACCOUNT, one, insist=insist)


@pytest.fixture
def case(store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Case:
    case = Case(store)

    @asynccontextmanager
    async def asking(*_: object) -> AsyncIterator[Listing]:
        yield case.provider()

    monkeypatch.setattr(decide, "asking", asking)
    clock.move(1000)
    return case


async def refused(
    case: Case, word: Callable[[], Coroutine[Any, Any, str]], why: str, error: type[Exception] = BadInput
) -> None:
    """Make sure that the word is refused, and that nothing is written."""
    before = states(case.store), statuses(case.store)
    with pytest.raises(error, match=why):
        await word()
    assert (states(case.store), statuses(case.store)) == before


async def test_an_attempt_is_bound_to_no_call_that_the_provider_denies(case: Case) -> None:
    await refused(case, lambda: case.bind("x"), "knows no call x")
    case.knows("another")
    await refused(case, lambda: case.bind("x"), "knows no call x")
    case.knows("x", phone(9))
    await refused(case, lambda: case.bind("x"), "went to another number")
    case.knows("x", attempt_id="another")
    await refused(case, lambda: case.bind("x"), "another attempt's")
    case.down = True
    await refused(case, lambda: case.bind("x"), "cannot be reached.*--force", NotReady)
    assert "was not asked" in await case.bind("x", insist=True)
    assert states(case.store) == {"accepted": 1}


async def test_an_attempt_is_bound_with_all_that_the_provider_tells_and_stays_so(case: Case) -> None:
    case.knows("x")
    assert "which the provider confirms" in await case.bind("x")
    case.records = []
    await refused(case, case.free, "it is accepted")


async def test_a_call_that_is_over_ends_as_it_is_bound(case: Case) -> None:
    case.knows("x", duration_s=7.0)
    case.records = [Execution("77", case.attempt.phone, "962", "x", "busy", execution_id="x")]
    assert "it ended: busy" in await case.bind("x")
    with case.store.read() as connection:
        row = connection.execute(text("SELECT status, outcome, execution_id FROM outcomes")).one()
    assert tuple(row) == ("done", "busy", "x")


async def test_a_call_that_the_provider_lists_is_not_taken_for_not_placed(case: Case) -> None:
    case.knows("x")
    await refused(case, case.free, f"lists a call that may be .*--bind {case.attempt.attempt_id} x")
    case.records, case.down = [], True
    await refused(case, case.free, "cannot be reached.*--force", NotReady)
    assert "was not asked" in await case.free(insist=True)
    assert statuses(case.store) == {"waiting": 1}


async def test_a_call_is_not_taken_for_not_placed_before_the_provider_would_list_it(
    case: Case, clock: ManualClock
) -> None:
    clock.move(-950)
    await refused(case, case.free, "may list it as late as 1 min 40 s after")
    clock.move(950)
    assert "the provider knows no such call" in await case.free()
    assert statuses(case.store) == {"waiting": 1}


async def test_a_wrong_bind_is_taken_back_only_by_the_providers_own_word(case: Case) -> None:
    await case.bind("mistyped", insist=True)
    await refused(case, lambda: case.bind("x", insist=True), "is bound to call mistyped")
    case.knows("mistyped")
    await refused(case, lambda: case.free(insist=True), "lists a call that may be")
    case.knows("the-real-one")
    await refused(case, lambda: case.free(insist=True), "lists a call that may be .*the-real-one")
    case.records, case.down = [], True
    await refused(case, lambda: case.free(insist=True), "only the provider can deny", NotReady)
    case.down = False
    assert "the provider knows no such call" in await case.free()
    assert (states(case.store), statuses(case.store)) == ({"not_dialled": 1}, {"waiting": 1})


async def test_a_wrong_bind_is_mended_by_the_call_that_the_provider_knows(case: Case) -> None:
    await case.bind("mistyped", insist=True)
    await refused(case, lambda: case.bind("mistyped-too"), "knows no call mistyped-too")
    case.knows("x")
    await case.bind("x")
    with case.store.read() as connection:
        assert connection.execute(text("SELECT execution_id, state FROM ledger")).one() == ("x", "accepted")


async def test_nobody_is_said_to_wait_whose_campaign_was_canceled(case: Case) -> None:
    campaigns.cancel(case.store, "spring", "by a person")
    assert "its contact is not called, for its campaign was canceled" in await case.free()
    assert statuses(case.store) == {"canceled": 1}


async def test_a_word_about_another_campaigns_attempt_is_refused(case: Case) -> None:
    seed_campaign(case.store, "other", first_phone=50)
    attempt_id = case.attempt.attempt_id
    with pytest.raises(BadInput, match="is of campaign 'spring', not of 'other'"):
        decide.doubtful(case.store, attempt_id, "other")
    assert decide.doubtful(case.store, attempt_id, "spring").account == "unleashx"
    with pytest.raises(BadInput, match="there is no attempt nothing"):
        decide.doubtful(case.store, "nothing")
