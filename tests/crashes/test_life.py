"""The life of an attempt: Hypothesis does in any order what workers, providers, people and time do.

The machine keeps the truth that no ledger knows: which calls the provider really placed. Whatever happens, no
call is placed twice, no number has two open attempts, every contact is in one status, the books balance; and
in the end a truthful provider and a new worker bring everything to rest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import hypothesis.strategies as some
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from dialer.attempts import by_hand, settle, unsettled, workers
from dialer.attempts.answered import Answer
from dialer.attempts.answers import answer_for, withdrawal
from dialer.attempts.ledger import Desk, Opening, Wanted, exchange
from dialer.attempts.unsettled import Finding, Pending
from dialer.attempts.workers import LeaseLost
from dialer.base.clock import ManualClock
from dialer.base.errors import AccountStopped, BadInput, MaybeDialled, NotDialled, Refused, SubmitError
from dialer.base.ids import new_attempt_id
from dialer.calls import campaigns
from dialer.calls.claim import Call, Returned
from dialer.providers.provider import Accepted, Execution
from dialer.store.database import Store
from dialer.store.tables import OPEN
from dialer.tables.audit import audit
from tests.seed import desk, seed_campaign, statuses

LEASE_S = 15.0
TABLES = ("ledger", "contacts", "loads", "campaigns", "workers", "rejected_rows")
FATES = (
    "accepted",
    "accepted",
    "answer lost",
    "request lost",
    "refused",
    "no connection",
    "throttled",
    "wrong token",
)
DESKS = some.sampled_from((0, 1))
CAMPAIGNS = some.sampled_from((0, 1))


@dataclass
class Worker:
    """What a process has in its memory, and loses when it is killed."""

    desk: Desk
    lease_until_us: int
    calls: list[Call] = field(default_factory=list)
    opened: list[tuple[Opening, Call]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


class Life(RuleBasedStateMachine):
    """Two workers, two campaigns that share numbers, one account."""

    store: Store
    clock: ManualClock

    @initialize()
    def begin(self) -> None:
        with self.store.write() as connection:
            for table in TABLES:
                connection.execute(text(f"DELETE FROM {table}"))
        self.names = ("spring", "autumn")
        self.ids = (
            seed_campaign(self.store, "spring", contacts=4),
            seed_campaign(self.store, "autumn", contacts=3, first_phone=2),
        )
        with self.store.write() as connection:
            spec = '{"redial": {"calls_max": 2, "no_answer": "1h"}}'
            connection.execute(text("UPDATE campaigns SET spec = :s WHERE name = 'autumn'"), {"s": spec})
        self.placed: dict[str, str] = {}
        self.settled: dict[str, str] = {}
        self.rang: Counter[tuple[int, int]] = Counter()
        self.born = 0
        self.workers = [self._new_worker(), self._new_worker()]

    # -- what a worker does -------------------------------------------------------------------------

    @rule(at=DESKS, campaign=CAMPAIGNS, how_many=some.integers(1, 4))
    def claim(self, at: int, campaign: int, how_many: int) -> None:
        worker, campaign_id = self.workers[at], self.ids[campaign]
        done = exchange(worker.desk, self.ids, wanted=[Wanted(campaign_id, how_many)])
        worker.calls += done.claimed[0]

    @rule(at=DESKS, how_many=some.integers(1, 3))
    def open(self, at: int, how_many: int) -> None:
        worker = self.workers[at]
        calls, worker.calls = worker.calls[:how_many], worker.calls[how_many:]
        openings = [self._opening(call) for call in calls]
        opened = exchange(worker.desk, self.ids, openings=openings).opened
        for opening, call in zip(openings, calls, strict=True):
            if opening.attempt_id in opened:
                worker.opened.append((opening, call))
            else:
                self._give_back(worker, [call])

    @rule(at=DESKS, fate=some.sampled_from(FATES))
    def send(self, at: int, fate: str) -> None:
        worker = self.workers[at]
        if not worker.opened or self.clock.now_us() >= worker.lease_until_us:
            return  # a worker sends nothing once its lease has run out
        opening, call = worker.opened.pop(0)
        if fate in ("accepted", "answer lost"):
            self.placed[opening.attempt_id] = f"x-{opening.attempt_id}"
            self.rang[call.contact_id, call.call_number] += 1
        worker.answers.append(self._answer(opening, call, fate))

    @rule(at=DESKS, campaign=CAMPAIGNS, fates=some.lists(some.sampled_from(FATES), min_size=1, max_size=3))
    def dial(self, at: int, campaign: int, fates: list[str]) -> None:
        """The whole way at once; the answers are still to be written."""
        self.claim(at, campaign, len(fates))
        self.open(at, len(fates))
        for fate in fates:
            self.send(at, fate)

    @rule(at=DESKS, twice=some.booleans())
    def write_answers(self, at: int, twice: bool) -> None:
        worker = self.workers[at]
        for _ in range(1 + twice):  # the connection broke after the commit: they are said again
            exchange(worker.desk, self.ids, answers=worker.answers)
        worker.answers = []

    @rule(at=DESKS)
    def stop(self, at: int) -> None:
        """Withdraw what has not left, write every answer, give every lease back, leave."""
        worker = self.workers[at]
        withdrawn = [withdrawal(one.attempt_id, call, self.clock.now_us()) for one, call in worker.opened]
        exchange(
            worker.desk,
            self.ids,
            answers=worker.answers + withdrawn,
            returned=[Returned(call.contact_id) for call in worker.calls],
        )
        workers.leave(self.store, worker.desk.worker)
        self.workers[at] = self._new_worker()

    @rule(at=DESKS)
    def kill(self, at: int) -> None:
        self.workers[at] = self._new_worker()

    @rule(at=DESKS)
    def renew(self, at: int) -> None:
        worker = self.workers[at]
        now_us = self.clock.now_us()
        try:
            workers.renew(self.store, worker.desk.worker, LEASE_S)
        except LeaseLost:
            self.stop(at)  # whatever it still knows are facts
        else:
            worker.lease_until_us = now_us + round(LEASE_S * 1e6)

    @rule(at=DESKS)
    def recover(self, at: int) -> None:
        workers.recover(self.store, self.workers[at].desk.worker)

    @rule(at=DESKS, ending=some.sampled_from((None, "completed", "no_answer")), wakes=some.booleans())
    def freeze(self, at: int, ending: str | None, wakes: bool) -> None:
        """A worker says nothing for longer than its lease; another one takes over and settles all; then the
        first may wake, and say what it knows.
        """
        self.clock.move(LEASE_S + 5.0)
        self.workers[1 - at] = self._new_worker()
        self.recover(1 - at)
        self.look_up(ending, 10)
        if wakes:
            self.write_answers(at, False)

    # -- what the provider tells --------------------------------------------------------------------

    @rule(ending=some.sampled_from((None, "completed", "no_answer")), most=some.integers(1, 3))
    def look_up(self, ending: str | None, most: int) -> None:
        """Bind what was placed, free what was not: this provider's list is complete."""
        for one in self._pending("unknown")[:most]:
            if one.attempt_id in self.placed:
                settle.bind(self.store, [self._finding(one, ending)])
            else:
                settle.free(self.store, [one.attempt_id], "not in the list")

    @rule(again=some.booleans())
    def find_nothing(self, again: bool) -> None:
        for one in self._pending("unknown")[:1]:
            if again:
                settle.postpone(self.store, [(one.attempt_id, self.clock.now_us() + 5_000_000)])
            else:
                settle.hold(self.store, [(one.attempt_id, "held: the list proves nothing")])

    @rule(ending=some.sampled_from(("completed", "no_answer", "busy")), twice=some.booleans())
    def tell_outcome(self, ending: str, twice: bool) -> None:
        for one in self._pending("accepted")[:2]:
            for _ in range(1 + twice):
                settle.bind(self.store, [self._finding(one, ending)])

    @rule()
    def expire(self) -> None:
        settle.expire(self.store, "unleashx", 3600.0)

    # -- what people and time do --------------------------------------------------------------------

    @rule(seconds=some.sampled_from((0.5, 5.0, 20.0, 5000.0)))
    def pass_time(self, seconds: float) -> None:
        self.clock.move(seconds)

    @rule(campaign=CAMPAIGNS, pause=some.booleans())
    def pause_or_resume(self, campaign: int, pause: bool) -> None:
        if self._state(campaign) == "canceled":
            return
        if pause:
            campaigns.pause(self.store, self.names[campaign], "by a person")
        else:
            campaigns.resume(self.store, self.names[campaign])

    @precondition(lambda self: self.born > 8)
    @rule(campaign=CAMPAIGNS)
    def cancel(self, campaign: int) -> None:
        campaigns.cancel(self.store, self.names[campaign], "by a person")

    @rule()
    def decide_by_hand(self) -> None:
        for one in self._pending("unknown")[:1]:
            if one.attempt_id in self.placed:
                by_hand.bind_by_hand(self.store, one.attempt_id, self.placed[one.attempt_id])
                with pytest.raises(BadInput):
                    by_hand.bind_by_hand(self.store, one.attempt_id, "another")
            else:
                settle.free(self.store, [one.attempt_id], "a person's word")

    # -- what must hold -----------------------------------------------------------------------------

    @invariant()
    def nobody_is_called_twice(self) -> None:
        assert max(getattr(self, "rang", Counter()).values(), default=0) <= 1

    @invariant()
    def no_number_has_two_open_attempts(self) -> None:
        query = "SELECT count(*) - count(DISTINCT phone) FROM ledger WHERE " + OPEN
        with self.store.read() as connection:
            assert connection.scalar(text(query)) == 0

    @invariant()
    def what_is_settled_stays_settled(self) -> None:
        query = "SELECT attempt_id, state FROM ledger WHERE state IN ('ended', 'refused', 'not_dialled')"
        with self.store.read() as connection:
            now = {row[0]: row[1] for row in connection.execute(text(query))}
        assert now.items() >= getattr(self, "settled", {}).items()
        self.settled = now

    @rule()
    def prove(self) -> None:
        report = audit(self.store)
        assert report.ok, report.lines()

    def teardown(self) -> None:
        if not hasattr(self, "workers"):
            return
        self.clock.move(100.0)
        self.workers = [self._new_worker()]
        self.recover(0)
        for one in self._pending("unknown"):
            if one.attempt_id in self.placed:
                settle.bind(self.store, [self._finding(one, "completed")])
            else:
                settle.free(self.store, [one.attempt_id], "not in the list")
        for one in self._pending("accepted"):
            settle.bind(self.store, [self._finding(one, "completed")])
        self.prove()
        with self.store.read() as connection:
            counts = connection.execute(text("SELECT status, count(*) FROM contacts GROUP BY status")).all()
            known = connection.scalars(text("SELECT execution_id FROM ledger WHERE execution_id IS NOT NULL"))
            assert set(known) == set(self.placed.values())
        assert {status for status, _ in counts} <= {"waiting", "done", "refused", "canceled"}
        assert sum(count for _, count in counts) == 7

    # -- how --------------------------------------------------------------------------------------

    def _new_worker(self) -> Worker:
        self.born += 1
        at = desk(self.store, f"w{self.born}")
        return Worker(at, self.clock.now_us() + round(LEASE_S * 1e6))

    def _opening(self, call: Call) -> Opening:
        now_us = self.clock.now_us()
        return Opening(
            new_attempt_id(now_us),
            call.campaign_id,
            call.contact_id,
            call.call_number,
            call.attempt_number,
            "962",
            None,
        )

    def _give_back(self, worker: Worker, calls: list[Call]) -> None:
        exchange(worker.desk, self.ids, returned=[Returned(call.contact_id) for call in calls])

    def _answer(self, opening: Opening, call: Call, fate: str) -> Answer:
        results: dict[str, Accepted | SubmitError] = {
            "accepted": Accepted(f"x-{opening.attempt_id}", 200, "queued"),
            "answer lost": MaybeDialled("cut", code="read_error"),
            "request lost": MaybeDialled("cut", code="read_error"),
            "refused": Refused("no such number", code="http_422", http_status=422),
            "no connection": NotDialled("no connection", code="connect_error"),
            "throttled": NotDialled("slow down", code="http_429", http_status=429, throttled=True),
            "wrong token": AccountStopped("wrong token", code="http_401", http_status=401),
        }
        return answer_for(
            opening.attempt_id,
            call,
            results[fate],
            sent_at_us=self.clock.now_us(),
            answered_at_us=self.clock.now_us() + 1000,
            retry_wait_s=lambda attempt_number: 1.0,
        )

    def _pending(self, state: str) -> list[Pending]:
        return [one for one in unsettled.open_attempts(self.store, "unleashx") if one.state == state]

    def _finding(self, one: Pending, outcome: str | None) -> Finding:
        return Finding(
            one,
            Execution(
                provider_ref=f"r-{one.attempt_id}",
                execution_id=self.placed[one.attempt_id],
                phone=None,
                agent="962",
                status=outcome,
                outcome=outcome,
                ended_at_us=self.clock.now_us() if outcome else None,
            ),
        )

    def _state(self, campaign: int) -> str:
        with self.store.read() as connection:
            known = campaigns.find(self.store, connection, self.names[campaign])
        assert known is not None
        return known.state


def life_on(store: Store, clock: ManualClock) -> type[Life]:
    return type("LifeOnThisStore", (Life,), {"store": store, "clock": clock})


def test_a_worker_that_wakes_after_all_was_settled_changes_nothing(store: Store, clock: ManualClock) -> None:
    life = life_on(store, clock)()
    life.begin()
    life.dial(0, 0, ["accepted", "answer lost", "request lost", "refused"])
    life.what_is_settled_stays_settled()
    life.freeze(0, "completed", wakes=True)
    life.what_is_settled_stays_settled()
    life.prove()
    assert statuses(store) == {"done": 2, "waiting": 5}
    life.teardown()


def test_whatever_happens_nobody_is_called_twice_and_nobody_is_lost(store: Store, clock: ManualClock) -> None:
    run_state_machine_as_test(
        life_on(store, clock),
        settings=settings(
            max_examples=50 if store.is_sqlite else 12,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            # The suite's time limit would end before a failure is made small; to do that, take this away.
            phases=set(Phase) - {Phase.shrink, Phase.explain},
        ),
    )
