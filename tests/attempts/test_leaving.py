"""A request between its token and its first byte: whatever happened to the process in between is seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dialer.attempts.leaving import Door, Leaving
from dialer.attempts.pace.own import OwnPace
from dialer.base.clock import ManualClock
from dialer.base.errors import NotDialled

GRANTED_AT = 100.0


class Pace:
    """A pace that notes when calls left."""

    def __init__(self) -> None:
        self.left: list[float] = []

    def departed(self, granted_at: float, left_at: float) -> float:
        self.left.append(left_at)
        return left_at


def leaving(
    now: float, granted_at: float | None, began: float, own: OwnPace | None = None, lease_until: float = 1e9
) -> tuple[Leaving, Pace]:
    clock, pace = ManualClock(), Pace()
    clock.monotonic = lambda: now  # type: ignore[method-assign]
    time = SimpleNamespace(now_us=lambda: 0)
    books: Any = SimpleNamespace(time=time, alive=True, stopping=False, held_until=0.0)
    opened: Any = SimpleNamespace(
        dialing=SimpleNamespace(own_pace=own, dials=True), opening=SimpleNamespace(until_us=1)
    )
    door: Any = Door(clock, pace, books, lambda: lease_until)  # type: ignore[arg-type]
    return Leaving(door, opened, granted_at, began), pace


def test_a_call_whose_process_stood_still_right_after_its_token_is_counted_when_it_leaves() -> None:
    one, pace = leaving(now=GRANTED_AT + 5, granted_at=GRANTED_AT, began=GRANTED_AT + 5)
    assert one() is None
    assert pace.left == [GRANTED_AT + 5]


def test_a_call_whose_process_stood_still_until_its_lease_was_over_does_not_leave() -> None:
    one, _ = leaving(now=120.0, granted_at=GRANTED_AT, began=120.0, lease_until=115.0)
    with pytest.raises(NotDialled, match="lease"):
        one()


def test_a_campaigns_own_pace_counts_a_call_that_connected_when_it_leaves() -> None:
    own = OwnPace(1.0)
    own.count(GRANTED_AT)
    one, _ = leaving(now=GRANTED_AT + 0.7, granted_at=GRANTED_AT, began=GRANTED_AT, own=own)
    assert one() is None
    assert own.free_at() == pytest.approx(GRANTED_AT + 1.7, abs=0.05)
