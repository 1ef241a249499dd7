"""The ledger of placed calls: what the called people would tell.

In memory, over HTTP, and as JSON lines on request. A call is in the file before its answer leaves.
"""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson

from dialer.base.clock import Clock, as_datetime
from dialer.simulator.config import SimulatorConfig

SPELLINGS = {
    "completed": ("COMPLETED", "USER_ENDED", "AGENT_ENDED", "ANSWER"),
    "no_answer": ("NO_ANSWER", "NO-ANSWER"),
    "busy": ("BUSY",),
    "voicemail": ("VOICEMAIL",),
    "failed": ("FAILED",),
    "canceled": ("CANCELED", "REJECTED"),
}
"""How the provider may spell an outcome. Only those of `completed` and `failed` are documented."""

DISPOSITIONS = ("Interested", "Not interested", "Call back later", "Wrong person")


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """One call that rang at somebody's phone."""

    id: int
    execution_id: str
    agent_id: int | str
    number: str
    metadata: Mapping[str, Any]
    placed_at_us: int
    ended_at_us: int
    outcome: str
    call_status: str
    duration_s: int
    disposition: str | None
    account: int
    fault: str | None
    from_number: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the call with its moments as text besides."""
        return asdict(self) | {"placed_at": as_datetime(self.placed_at_us).isoformat()}


def uuid_of(chance: Random) -> str:
    """Return a random UUID."""
    return str(UUID(int=chance.getrandbits(128), version=4))


class Ledger:
    """Every call that was placed, in order.

    `name_call` gives each its execution id, `spellings` are the provider's words for an outcome.
    """

    def __init__(
        self,
        config: SimulatorConfig,
        clock: Clock,
        name_call: Callable[[Random], str] = uuid_of,
        spellings: Mapping[str, tuple[str, ...]] = SPELLINGS,
    ) -> None:
        self._config = config
        self._clock = clock
        self._words = list(config.outcomes)
        self._weights = list(config.outcomes.values())
        self._alive: list[int] = []
        self._name_call = name_call
        self._spellings = spellings
        self.calls: list[PlacedCall] = []
        self.by_agent: dict[int | str, list[PlacedCall]] = {}
        self.times_called: Counter[str] = Counter()
        self._file: int | None = None
        if config.ledger_file is not None:
            self._file = self._reopen(config.ledger_file)

    def place(
        self,
        agent_id: int | str,
        number: str,
        metadata: Mapping[str, Any],
        account: int,
        fault: str | None,
        from_number: str | None = None,
    ) -> PlacedCall:
        """Place a call and return it; two identical requests place two."""
        config = self._config
        # Chance hangs on the number and its count, not on the order of arrival: the same list gives
        # the same outcomes however the submissions overtake each other.
        chance = Random(f"{config.seed}:{number}:{self.times_called[number]}")  # noqa: S311
        outcome = chance.choices(self._words, self._weights)[0]
        talked = outcome in ("completed", "voicemail")
        duration_s = round(chance.uniform(*config.call_duration_s)) if talked else 0
        life_s = (chance.uniform(*config.ring_s) + duration_s) / config.time_scale
        now_us = self._clock.now_us()
        call = PlacedCall(
            id=48_213 + len(self.calls),
            execution_id=self._name_call(chance),
            agent_id=agent_id,
            number=number,
            metadata=metadata,
            placed_at_us=now_us,
            ended_at_us=now_us + round(life_s * 1e6),
            outcome=outcome,
            call_status=chance.choice(self._spellings[outcome]),
            duration_s=duration_s,
            disposition=chance.choice(DISPOSITIONS) if outcome == "completed" else None,
            account=account,
            fault=fault,
            from_number=from_number,
        )
        self._remember(call)
        if self._file is not None:
            os.write(self._file, orjson.dumps(call.as_json()) + b"\n")
        return call

    def calls_alive(self) -> int:
        """Return how many calls are ringing or talking now."""
        now_us = self._clock.now_us()
        while self._alive and self._alive[0] <= now_us:
            heapq.heappop(self._alive)
        return len(self._alive)

    def is_spent(self, account: int) -> bool:
        """Return whether the account's balance paid for its last call already."""
        paid = self._config.balance_calls
        return paid is not None and sum(call.account == account for call in self.calls) >= paid

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _remember(self, call: PlacedCall) -> None:
        self.calls.append(call)
        self.by_agent.setdefault(call.agent_id, []).append(call)
        self.times_called[call.number] += 1
        heapq.heappush(self._alive, call.ended_at_us)

    def _reopen(self, file: Path) -> int:
        """Take up the calls of an earlier life, and return the file opened for appending."""
        if file.exists():
            for line in file.read_bytes().splitlines():
                values = orjson.loads(line)
                del values["placed_at"]
                self._remember(PlacedCall(**values))
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
