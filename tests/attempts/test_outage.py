"""A database that is away is tried as often as safety needs, and told a few times."""

from __future__ import annotations

from random import Random
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dialer.attempts import workers
from dialer.attempts.lease import Lease
from dialer.base.clock import ManualClock
from dialer.base.errors import NotReady
from dialer.base.settings import Account
from dialer.engine import AccountDialer
from dialer.outcomes.collect import Collected
from dialer.store.database import Store

OUTAGE_S = 26.0


class Enough(Exception):
    """Ends what would go on for ever."""


class Away:
    """A database that cannot be reached for OUTAGE_S and then can, until it has answered twice."""

    is_sqlite = False

    def __init__(self, clock: ManualClock) -> None:
        self.tries = self.answers = 0
        self._clock = clock
        self._back_at = clock.monotonic() + OUTAGE_S

    def ask(self, *_: Any) -> None:
        self.tries += 1
        if self._clock.monotonic() < self._back_at:
            raise NotReady("connection refused\n\tIs the server running?")
        self.answers += 1
        if self.answers > 2:
            raise Enough


@pytest.mark.anyio
async def test_a_lease_that_cannot_be_renewed_is_tried_often_and_told_seldom(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Away(clock)
    for name in ("enter", "renew", "recover"):
        monkeypatch.setattr(workers, name, away.ask)
    lease = Lease(cast(Store, away), clock, lease_s=15.0)
    with capture_logs() as told, pytest.raises(Enough):
        await lease.keep(lambda: [])
    assert away.tries > 30
    assert [one["event"] for one in told] == ["lease.not_renewed", "lease.not_renewed", "lease.certain"]
    assert (told[0]["error"], told[0]["tries"]) == ("connection refused", 1)
    assert told[-1]["tries"] == away.tries - 3


@pytest.mark.anyio
async def test_outcomes_that_cannot_be_written_are_told_seldom(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Away(clock)

    class Collecting:
        hinted = False

        async def apply(self) -> Collected:
            away.ask()
            return Collected()

    account = Account(name="north", provider="unleashx", poll_s=1000.0)
    lease = Lease(store, clock, lease_s=15.0)
    dialer = AccountDialer(store, account, lease, clock, Random(1))
    monkeypatch.setattr(dialer, "_collector", Collecting(), raising=False)
    with capture_logs() as told, pytest.raises(Enough):
        await dialer._collect()
    assert away.tries > 25
    assert [one["event"] for one in told] == ["outcomes.not_applied"] * 2 + ["outcomes.applied"]
