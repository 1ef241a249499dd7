"""Webhooks of a pretended provider: sent when due, repeated when refused, and damaged on request.

A provider's simulator says what to send, when and to whom; how a delivery is signed is its `Seal`:

    hooks = Webhooks(config, clock, retries_s=(240, 960, 3840))
    hooks.send("agent.call_ended", key=call_id, due_at_us=ended_at_us, write=lambda: body, target=target)

Deliveries run on the loop of the requests, beginning with the first `send`. What a fault damages is the
first try of a delivery: the tries after it are as they should be.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from typing import Any, Literal
from uuid import UUID

import httpx
import orjson

from dialer.base.clock import Clock
from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.simulator.config import WEBHOOK_FAULTS, SimulatorConfig

DELIVERIES_AT_ONCE = 32
"""Requests on the way to receivers, at most."""

REORDER_S = 60.0
"""Seconds in the life of a call for which a reordered event waits for another one to pass it."""

STALE_S = 3600
"""How far back the timestamp of a stale delivery lies."""

Signature = Literal["good", "forged", "missing"]

Seal = Callable[[str, int, bytes, Signature], Mapping[str, str]]
"""Returns the headers of one try, from delivery id, timestamp in seconds, body, and how to sign."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a delivery goes, and how it is signed."""

    url: str
    seal: Seal
    timeout_s: float = 30.0


@dataclass(slots=True, eq=False)
class Delivery:
    """One event on its way to a receiver, with what became of it."""

    delivery_id: str
    event: str
    key: str
    account: int
    due_at_us: int
    write: Callable[[], Any]
    target: Callable[[], Target | None]
    fault: str | None
    created_at_us: int
    status: Literal["pending", "success", "failed"] = "pending"
    tries: int = 0
    http_status: int | None = None
    error: str | None = None
    response: str | None = None
    last_try_at_us: int | None = None
    next_try_at_us: int | None = None
    body: bytes | None = None
    entry: int = -1
    was_held: bool = False
    tried: asyncio.Event = field(default_factory=asyncio.Event)

    def as_json(self) -> dict[str, Any]:
        """Return what `GET /simulator/webhooks` shows."""
        shown = ("delivery_id", "event", "key", "account", "fault", "status", "tries", "http_status", "error")
        return {name: getattr(self, name) for name in shown}


class Webhooks:
    """The deliveries of one pretended provider, all its accounts together.

    `retries_s` are the pauses before each further try, in seconds in the life of a call, so that
    `time_scale` shortens them as it shortens calls.
    """

    def __init__(self, config: SimulatorConfig, clock: Clock, *, retries_s: Sequence[float]) -> None:
        self._config = config
        self._clock = clock
        self._retries_s = tuple(retries_s)
        self._ordered: deque[str | None] = deque()
        self._due: list[tuple[int, int, Delivery]] = []
        self._serial = count()
        self._held: list[Delivery] = []
        self._awake = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._at_once = asyncio.Semaphore(DELIVERIES_AT_ONCE)
        self.deliveries: list[Delivery] = []

    def order(self, names: Iterable[str]) -> None:
        """Let the next events meet these faults, in this order; `none` is a good one. Raises BadInput."""
        wanted = list(names)
        for name in wanted:
            if name != "none" and name not in WEBHOOK_FAULTS:
                raise BadInput(f"simulator: no webhook fault '{name}'{did_you_mean(name, WEBHOOK_FAULTS)}")
        self._ordered.extend(None if name == "none" else name for name in wanted)

    def send(
        self,
        event: str,
        *,
        key: str,
        due_at_us: int,
        write: Callable[[], Any],
        target: Callable[[], Target | None],
        account: int = 0,
        faultless: bool = False,
    ) -> Delivery:
        """Send an event at `due_at_us`; return its delivery at once.

        `key` tells events apart and decides their chance of a fault, whatever order they come in.
        `write` (the JSON to send) and `target` (None: nobody listens) are asked when it is due.
        Await `delivery.tried` to let the event overtake an answer that has not left yet.
        """
        now_us = self._clock.now_us()
        chance = Random(f"{self._config.seed}:webhook:{event}:{key}")  # noqa: S311
        delivery = Delivery(
            delivery_id=str(UUID(int=chance.getrandbits(128), version=4)),
            event=event,
            key=key,
            account=account,
            due_at_us=due_at_us,
            write=write,
            target=target,
            fault=None if faultless else self._deal(chance),
            created_at_us=now_us,
        )
        self.deliveries.append(delivery)
        if delivery.fault == "webhook_lost":
            delivery.status, delivery.error = "failed", "lost"
            delivery.tried.set()
            return delivery
        if delivery.fault == "webhook_late":
            delivery.due_at_us += self._scaled_us(self._config.webhook_late_s)
        self._push(delivery, delivery.due_at_us)
        if delivery.fault == "webhook_duplicate":
            # A delivery of its own under the same id, which no list of deliveries shows.
            self._push(replace(delivery, fault=None, tried=asyncio.Event()), delivery.due_at_us)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._deliver_for_ever())
        return delivery

    def move(self, delivery: Delivery, due_at_us: int) -> None:
        """Bring a delivery forward that was not tried yet: its call has ended early."""
        if delivery.status == "pending" and delivery.tries == 0 and due_at_us < delivery.due_at_us:
            delivery.due_at_us = due_at_us
            self._push(delivery, due_at_us)

    async def try_now(self, url: str, seal: Seal, event: str, body: Any, timeout_s: float = 30.0) -> Delivery:
        """Send one event at once, a single time, past all faults; return what came of it."""
        now_us = self._clock.now_us()
        delivery = Delivery(
            delivery_id=str(UUID(int=Random(f"{event}:{now_us}").getrandbits(128), version=4)),  # noqa: S311
            event=event,
            key="",
            account=0,
            due_at_us=now_us,
            write=lambda: body,
            target=lambda: Target(url, seal, timeout_s),
            fault=None,
            created_at_us=now_us,
        )
        async with httpx.AsyncClient(trust_env=False) as client:
            await self._try(client, delivery, Target(url, seal, timeout_s))
        return delivery

    def _deal(self, chance: Random) -> str | None:
        drawn = chance.random()
        if self._ordered:
            return self._ordered.popleft()
        for name in WEBHOOK_FAULTS:
            rate = getattr(self._config, name)
            if drawn < rate:
                return name
            drawn -= rate
        return None

    def _scaled_us(self, seconds: float) -> int:
        return round(seconds / self._config.time_scale * 1e6)

    def _push(self, delivery: Delivery, at_us: int) -> None:
        # An entry that is not the delivery's latest counts for nothing.
        delivery.entry = next(self._serial)
        heapq.heappush(self._due, (at_us, delivery.entry, delivery))
        self._awake.set()

    # The pump: one task that sends what is due

    async def _deliver_for_ever(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as tasks:
            while True:
                for delivery in self._take_due():
                    await self._at_once.acquire()
                    tasks.create_task(self._deliver(client, delivery))
                self._awake.clear()
                wait_s = None if not self._due else (self._due[0][0] - self._clock.now_us()) / 1e6
                try:
                    async with asyncio.timeout(wait_s):
                        await self._awake.wait()
                except TimeoutError:
                    pass

    def _take_due(self) -> list[Delivery]:
        now_us = self._clock.now_us()
        taken: list[Delivery] = []
        while self._due and self._due[0][0] <= now_us:
            _, entry, delivery = heapq.heappop(self._due)
            if entry != delivery.entry:
                continue
            if delivery.fault == "webhook_reorder" and not delivery.was_held:
                delivery.was_held = True
                self._held.append(delivery)
                self._push(delivery, now_us + self._scaled_us(REORDER_S))
                continue
            if delivery in self._held:
                self._held.remove(delivery)  # nothing came that could pass it
            taken += [delivery, *self._held]
            for passed in self._held:
                passed.entry = -1
            self._held.clear()
        return taken

    async def _deliver(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        try:
            target = delivery.target()
            if target is None:
                delivery.status, delivery.error = "failed", "nobody listens"
                return
            await self._try(client, delivery, target)
            if delivery.status == "pending":
                self._plan_retry(delivery)
        finally:
            delivery.tried.set()
            self._at_once.release()

    def _plan_retry(self, delivery: Delivery) -> None:
        if delivery.tries > len(self._retries_s):
            delivery.status, delivery.next_try_at_us = "failed", None
            return
        pause_us = self._scaled_us(self._retries_s[delivery.tries - 1])
        delivery.next_try_at_us = self._clock.now_us() + pause_us
        self._push(delivery, delivery.next_try_at_us)

    async def _try(self, client: httpx.AsyncClient, delivery: Delivery, target: Target) -> None:
        """Send the delivery once and write down the answer; its first try bears its fault."""
        fault = delivery.fault if delivery.tries == 0 else None
        delivery.tries += 1
        delivery.last_try_at_us = now_us = self._clock.now_us()
        if delivery.body is None:
            delivery.body = orjson.dumps(delivery.write())
        body = delivery.body[: len(delivery.body) // 2] if fault == "webhook_not_json" else delivery.body
        timestamp_s = now_us // 1_000_000 - (STALE_S if fault == "webhook_stale" else 0)
        signature: Signature = {"webhook_bad_signature": "forged", "webhook_no_signature": "missing"}.get(
            fault or "",
            "good",  # type: ignore[assignment]
        )
        headers = target.seal(delivery.delivery_id, timestamp_s, body, signature)
        if fault == "webhook_changed_body":
            body = _changed(body)
        try:
            response = await client.post(
                target.url,
                content=body,
                headers={"content-type": "application/json", **headers},
                timeout=target.timeout_s,
                follow_redirects=False,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            delivery.http_status, delivery.error = None, type(error).__name__
            return
        delivery.http_status, delivery.response = response.status_code, response.text[:1000]
        if response.is_success:
            delivery.status, delivery.error, delivery.next_try_at_us = "success", None, None
        else:
            delivery.error = f"HTTP {response.status_code}"


def _changed(body: bytes) -> bytes:
    """Return the body with other content, still JSON."""
    changed = body.replace(b'"completed"', b'"failed"')
    return changed if changed != body else body + b" "
