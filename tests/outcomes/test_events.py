"""Events of providers: kept once, applied once, however they come."""

from __future__ import annotations

import threading
from itertools import count

import pytest
from sqlalchemy import text

from dialer.attempts import settle
from dialer.attempts.ledger import exchange
from dialer.base.clock import ManualClock
from dialer.base.errors import MaybeDialled
from dialer.outcomes.events import Heard, apply_events, store_events, take_hints
from dialer.providers.abilities import ProviderEvent
from dialer.providers.provider import Accepted, Execution
from dialer.store.database import Store
from tests.attempts.test_ledger import answered, claim, open_all
from tests.seed import ACCOUNT, desk, phone, seed_campaign

EXPIRES_S = 3600.0
WORKERS = count()


def event(event_id: str, said: Execution | None = None, **more: object) -> Heard:
    return Heard(ACCOUNT, "unleashx", ProviderEvent(event_id, "call", said, **more), b'{"raw": 1}')  # type: ignore[arg-type]


def said(execution_id: str | None = "x", outcome: str | None = "completed", **more: object) -> Execution:
    return Execution(f"r-{execution_id}", None, None, "over", outcome, execution_id=execution_id, **more)  # type: ignore[arg-type]


class Story:
    """One contact and its attempt, step by step."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.campaign_id = seed_campaign(store, contacts=1)
        self.at = desk(store, f"w{next(WORKERS)}")
        [(self.opening, self.call)] = open_all(self.at, claim(self.at, self.campaign_id))
        self.attempt_id = self.opening.attempt_id

    def answer(self, result: object) -> None:
        exchange(self.at, [self.campaign_id], answers=[answered(self.opening, self.call, result)])

    def tell(self, *heard: Heard) -> list[bool]:
        return store_events(self.store, heard)

    def apply(self) -> list[str]:
        """Apply what is due; return the results of all events so far."""
        apply_events(self.store, ACCOUNT, EXPIRES_S)
        with self.store.read() as connection:
            rows = connection.execute(text("SELECT result FROM call_events ORDER BY event_id"))
            return [row[0] for row in rows]

    def attempt(self) -> tuple[object, ...]:
        with self.store.read() as connection:
            query = "SELECT l.state, l.outcome, c.status FROM ledger l JOIN contacts c USING (contact_id)"
            return tuple(connection.execute(text(query)).one())


@pytest.fixture
def story(store: Store) -> Story:
    return Story(store)


def test_an_event_is_kept_once_under_each_of_its_keys(story: Story) -> None:
    first, again = event("d1", said(), duplicate_keys=("x:over",)), event("d1", said())
    assert story.tell(first, again) == [True, False]
    assert story.tell(again) == [False]
    assert story.tell(event("d2", said(), duplicate_keys=("x:over",))) == [False]
    assert story.tell(event("d3", said())) == [True]
    other = event("d1", said())._replace(account="another")
    assert story.tell(other) == [True]
    with story.store.read() as connection:
        bodies = connection.execute(text("SELECT body FROM call_events")).all()
    assert [row[0] for row in bodies] == ['{"raw": 1}'] * 3


def test_an_event_ends_its_call_with_all_it_says_and_once(story: Story) -> None:
    story.answer(Accepted("x", 200))
    told = said(disposition="Interested", duration_s=61.0, sentiment="positive", transcript="a\0b")
    story.tell(event("d1", told), event("d2", told))
    assert story.apply() == ["settled", "added"]
    assert story.attempt() == ("ended", "completed", "done")
    with story.store.read() as connection:
        row = connection.execute(
            text("SELECT disposition, duration_s, sentiment, transcript, outcome FROM attempts")
        ).one()
        assert tuple(row) == ("Interested", 61.0, "positive", "ab", "completed")
        campaign = text("SELECT attempt_id IS NOT NULL FROM call_events")
        assert all(connection.execute(campaign).scalars())
    assert apply_events(story.store, ACCOUNT, EXPIRES_S).settled == 0


def test_an_event_before_the_answer_waits_for_it(story: Story, clock: ManualClock) -> None:
    story.tell(event("d1", said()))
    assert story.apply() == [None]
    assert story.attempt() == ("sending", None, "leased")
    story.answer(Accepted("x", 200))
    clock.move(1)
    assert story.apply() == ["settled"]
    assert story.attempt() == ("ended", "completed", "done")


def test_an_event_with_our_attempt_id_settles_an_attempt_whose_answer_was_lost(
    story: Story, clock: ManualClock
) -> None:
    story.tell(event("d1", said("x", attempt_id=story.attempt_id)))
    assert story.apply() == [None]
    story.answer(MaybeDialled("lost", code="read_timeout"))
    clock.move(1)
    assert story.apply() == ["settled"]
    assert story.attempt() == ("ended", "completed", "done")
    with story.store.read() as connection:
        assert connection.scalar(text("SELECT execution_id FROM ledger")) == "x"


def test_events_out_of_order_never_turn_a_call_back(story: Story) -> None:
    story.answer(Accepted("x", 200))
    story.tell(event("d2", said(outcome="no_answer")), event("d1", said(outcome=None)))
    story.tell(event("d3", said(outcome="completed")))
    assert story.apply() == ["settled", "added", "added"]
    assert story.attempt() == ("ended", "no_answer", "done")


def test_events_that_mean_none_of_our_calls_are_kept_and_ignored(story: Story, clock: ManualClock) -> None:
    story.answer(Accepted("x", 200))
    story.tell(event("d1", None), event("d2", said("somebody-else")))
    assert story.apply() == ["ignored", "unmatched"]
    assert story.attempt() == ("accepted", None, "calling")


def test_an_event_that_may_still_be_meant_is_given_up_when_calls_expire(
    story: Story, clock: ManualClock
) -> None:
    story.answer(MaybeDialled("lost", code="read_timeout"))  # nobody knows its execution id
    story.tell(event("d1", said("somebody-else")))
    assert story.apply() == [None]
    clock.move(EXPIRES_S + 1)
    assert story.apply() == ["unmatched"]


def test_an_event_of_another_account_settles_nothing(story: Story) -> None:
    story.answer(Accepted("x", 200))
    story.tell(event("d1", said("x", attempt_id=story.attempt_id))._replace(account="another"))
    apply_events(story.store, "another", EXPIRES_S)
    assert story.attempt() == ("accepted", None, "calling")


def test_word_of_a_call_that_was_taken_for_not_placed_stops_the_second_call(story: Story) -> None:
    story.answer(MaybeDialled("lost", code="read_timeout"))
    settle.free(story.store, [story.attempt_id], "not listed")
    assert story.attempt() == ("not_dialled", None, "waiting")
    story.tell(event("d1", said("x", None, attempt_id=story.attempt_id)))
    assert story.apply() == ["revived"]
    assert story.attempt() == ("accepted", None, "calling")
    assert claim(desk(story.store, "w-late"), story.campaign_id) == []


def test_word_of_a_call_that_was_made_again_meanwhile_changes_nothing(story: Story) -> None:
    story.answer(MaybeDialled("lost", code="read_timeout"))
    settle.free(story.store, [story.attempt_id], "not listed")
    open_all(story.at, claim(story.at, story.campaign_id))
    story.tell(event("d1", said("x", None, attempt_id=story.attempt_id)))
    assert story.apply() == ["contradicts"]
    with story.store.read() as connection:
        states = connection.execute(text("SELECT state FROM ledger ORDER BY state")).scalars().all()
    assert states == ["not_dialled", "sending"]


def test_an_execution_id_of_another_attempt_is_not_taken(store: Store) -> None:
    first = Story(store)
    first.answer(Accepted("x", 200))
    campaign_id = seed_campaign(store, "autumn", contacts=1, first_phone=7)
    at = desk(store, "w-autumn")
    [(opening, call)] = open_all(at, claim(at, campaign_id))
    exchange(at, [campaign_id], answers=[answered(opening, call, MaybeDialled("x", code="cut"))])
    first.tell(event("d1", said("x", attempt_id=opening.attempt_id)), event("d2", said("x")))
    assert first.apply() == ["contradicts", "settled"]
    with store.read() as connection:
        rows = connection.execute(text("SELECT phone, state FROM ledger ORDER BY phone")).all()
    assert [tuple(row) for row in rows] == [(phone(0), "ended"), (phone(7), "unknown")]


def test_events_without_proof_only_say_when_to_ask(story: Story) -> None:
    story.answer(Accepted("x", 200))
    assert take_hints(story.store, ACCOUNT) is None
    story.tell(event("d1", said("x"), proof=False))
    assert story.apply() == [None]
    assert story.attempt() == ("accepted", None, "calling")
    assert take_hints(story.store, ACCOUNT) == (frozenset({"x"}), frozenset(), False)
    assert take_hints(story.store, ACCOUNT) is None
    story.tell(event("d2", None, proof=False))
    hints = take_hints(story.store, ACCOUNT)
    assert hints is not None
    assert hints.everything


def test_a_receiver_writes_while_a_dialer_is_writing(store_url: str) -> None:
    """Dialing from a SQLite file is exclusive; writing down what was heard is not."""
    dialing, receiving = Store(store_url), Store(store_url)
    done: list[bool] = []
    writer = threading.Thread(target=lambda: done.extend(store_events(receiving, [event("d1", said())])))
    with dialing.write() as connection:
        connection.execute(text("INSERT INTO accounts (account) VALUES ('a')"))
        writer.start()
        connection.execute(text("INSERT INTO accounts (account) VALUES ('b')"))
    writer.join(30)
    with dialing.read() as connection:
        counts = connection.execute(
            text("SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM call_events)")
        ).one()
    assert (done, tuple(counts)) == ([True], (2, 1))
    dialing.close()
    receiving.close()
