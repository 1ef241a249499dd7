"""Which submission goes wrong, and how: dealt by seeded chance, or ordered one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import accumulate
from random import Random

from starlette.responses import Response

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.simulator.answers import Cut, Half, Hang, json_answer
from dialer.simulator.config import FAULTS, SimulatorConfig

NO_FAULT = "none"


class Faults:
    """Deals out faults: first those that were ordered, then by the config's rates."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._chance = Random(f"{config.seed}:faults")  # noqa: S311
        self._ordered: deque[str | None] = deque()
        self._edges = list(zip(accumulate(config.fault_rates.values()), FAULTS, strict=True))

    def order(self, names: Iterable[str]) -> None:
        """Let the next submissions meet these faults, in this order; `none` is a good one."""
        wanted = list(names)
        for name in wanted:
            if name != NO_FAULT and name not in FAULTS:
                raise BadInput(f"simulator: no fault '{name}'{did_you_mean(name, FAULTS)}")
        self._ordered.extend(None if name == NO_FAULT else name for name in wanted)

    def deal(self) -> str | None:
        """Return the fault of the next submission, or None."""
        drawn = self._chance.random()
        if self._ordered:
            return self._ordered.popleft()
        return next((name for edge, name in self._edges if drawn < edge), None)

    def latency_s(self) -> float:
        """Return how long the next answer takes."""
        least, most = self._config.latency_ms
        return self._chance.uniform(least, most) / 1000.0

    def listing_fails(self) -> bool:
        """Return whether the next list request is answered with an error."""
        return self._config.listing_error > 0.0 and self._chance.random() < self._config.listing_error

    def error_status(self) -> int:
        """Return one of the statuses that errors are answered with."""
        return self._chance.choice(self._config.error_statuses)

    def answer(self, fault: str, good: bytes, retry_after: dict[str, str]) -> Response:
        """Return what the client gets instead of `good`, the body of a good answer."""
        kind = fault.rpartition("_")[0]
        if kind == "throttle":
            return json_answer({"error": True, "message": "Too many requests"}, 429, retry_after)
        if kind == "refuse":
            return json_answer({"error": True, "message": "Validation error message"}, 422)
        if kind == "error":
            return json_answer({"error": True, "message": "Internal server error"}, self.error_status())
        if kind == "close":
            return Cut(reset=self._chance.random() < self._config.close_by_reset)
        if kind == "half":
            return Half(good, media_type="application/json")
        if kind == "hang":
            return Hang(self._config.hang_s)
        if kind == "not_json":
            return Response(b"<html><body>Please wait</body></html>", media_type="text/html")
        if kind == "truncated":
            return Response(good[: len(good) // 2], media_type="application/json")
        if kind == "error_true":
            return json_answer({"error": True, "message": "Something went wrong"})
        assert kind == "no_execution_id", fault
        return json_answer({"success": True, "message": "Call initiated successfully", "data": {}})
