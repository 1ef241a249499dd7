"""This worker's lease: kept alive by a heartbeat, and entered anew under another name where it was lost.

Nothing is sent while the lease is not certain. On SQLite the lock on the file is the lease: it ends with the
process, so there is no heartbeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog

from dialer.attempts import workers
from dialer.attempts.lane import Lane
from dialer.attempts.workers import LeaseLost, Recovered
from dialer.base.clock import Clock
from dialer.base.errors import NotReady
from dialer.base.ids import new_worker_id
from dialer.base.trouble import Trouble
from dialer.store.database import Store

log = structlog.get_logger()

T = TypeVar("T")

ALONE_LEASE_S = 1e9
LOOK_S = 0.25
"""How often a worker looks whether its lease is due, or was lost."""


class Lease:
    """The lease of one process; `worker` is the name it has now, `until` its end on the monotonic clock."""

    def __init__(self, store: Store, clock: Clock, lease_s: float, campaign_id: int | None = None) -> None:
        self.worker = new_worker_id()
        self.until = 0.0
        self.lease_s = ALONE_LEASE_S if store.is_sqlite else lease_s
        self._store = store
        self._clock = clock
        self._campaign_id = campaign_id
        self._run_id: int | None = None
        self._trouble = Trouble("lease.not_renewed", "lease.certain", clock)
        self._heart = anyio.CapacityLimiter(1)
        """A thread of its own: a long transaction of a lane must not keep the heart from beating."""

    def enter(self, campaign_id: int | None = None, run_id: int | None = None) -> Recovered:
        """Register, and take over what dead workers left; `campaign_id` and `run_id` are a run's."""
        self._campaign_id, self._run_id = campaign_id, run_id
        began = self._clock.monotonic()
        workers.enter(self._store, self.worker, self.lease_s, campaign_id, run_id)
        self.until = began + self.lease_s
        return workers.recover(self._store, self.worker, alone=self._store.is_sqlite)

    def leave(self) -> Recovered:
        """Leave in good order."""
        return workers.leave(self._store, self.worker)

    async def keep(self, lanes: Callable[[], Iterable[Lane]]) -> None:
        """Beat until canceled; a lane that is told of a lost lease is told the new name."""
        if self._store.is_sqlite:
            return
        while True:
            await self._clock.sleep(LOOK_S)
            lost = any(not lane.alive for lane in lanes())
            if not lost and self.until - self._clock.monotonic() > 0.75 * self.lease_s:
                continue
            try:
                if lost:
                    await self._enter_anew(lanes)
                else:
                    await self._beat()
            except LeaseLost:
                await self._enter_anew(lanes)
            except NotReady as error:
                self._trouble.failed(error, worker=self.worker)
                await self._clock.sleep(self.lease_s / 30)

    async def _beat(self) -> None:
        began = self._clock.monotonic()
        await self._in_thread(lambda: workers.renew(self._store, self.worker, self.lease_s))
        self.until = began + self.lease_s
        self._trouble.over(worker=self.worker)
        await self._in_thread(lambda: workers.recover(self._store, self.worker))

    async def _enter_anew(self, lanes: Callable[[], Iterable[Lane]]) -> None:
        """Come back after a silence: whatever was leased is somebody else's by now."""
        before, self.until = self.worker, 0.0
        self.worker = new_worker_id()
        try:
            await self._in_thread(lambda: self.enter(self._campaign_id, self._run_id))
        except NotReady as error:
            self.until = 0.0  # it may be registered or not: the next try takes another name
            self._trouble.failed(error, worker=self.worker)
            await self._clock.sleep(self.lease_s / 30)
            return
        self._trouble.over(worker=self.worker)
        log.warning("lease.entered_anew", worker=self.worker, before=before)
        for lane in lanes():
            lane.rejoin(self.worker)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._heart)
