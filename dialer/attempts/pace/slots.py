"""An account's line of time, which several workers share: who may have which slots. Arithmetic, no waiting.

The line stands in the account's row, by the database's clock. A worker takes a block of slots at a time, all
as far apart as the limit wants; a slot that it cannot use in time is lost, because slots that are kept over
a stall bunch. A worker that nobody shared the line with lately has it for itself for a second at a time and
paces as a process alone does, by an exact log: that loses nothing to stalls. As soon as another one asks, it
gives the line back together with the moment from which on even slots keep every window.

Requests of any kind have a line of their own, in which a few may be early: a window of a minute can be
kept to within a percent without their being evenly spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from dialer.attempts.pace.windows import Window, all_rules, full_rate

LINE_GUARD_S = 0.013
"""Each second of a shared line is longer by this: a slot may be used `LATE_S_MAX` late, and arrive late."""
LATE_S_MAX = 0.005
"""A slot of the line that is missed by more is given up: used later it would crowd another's."""
LEAVES_LATE_S_MAX = 0.008
"""A call that leaves later than this after its slot (it had to connect) does not leave by that slot."""
BLOCK_S = 0.15
"""Seconds of slots that a worker takes at a time."""
SOLE_US = 1_000_000
"""For how long a worker has the line for itself when it says so."""
SHARED_US = 5_000_000
"""A line is shared for this long after two workers took turns."""
ASK_AGAIN_US = 100_000
"""How long to wait for whoever has the line for itself; it hears of us within a quarter of a second."""
QUEUE_MAX = 512
"""So many requests of all workers may wait for their slots at once."""
SANE_US = 60_000_000
"""A line that ends further in the future than this and its slots: the database's clock was set back."""


class LineRow(NamedTuple):
    """What the account's row says of its line of calls."""

    call_slot_at_us: int
    sole_worker: str | None
    sole_until_us: int
    line_worker: str | None
    shared_until_us: int
    wanted_at_us: int


class Ask(NamedTuple):
    """What a worker asks of the line: how many slots, how far apart, over which longest window.

    `free_from_us` is the moment from which on even slots keep every window of what the worker sent itself,
    where it had the line alone; `sole` says that it could pace alone.
    """

    worker: str
    slots: int
    step_us: int
    window_us: int
    free_from_us: int = 0
    sole: bool = True


class Grant(NamedTuple):
    """What a worker got: the line for itself (`sole_us` from now), slots, or neither yet (`again_us`)."""

    now_us: int
    sole_us: int = 0
    slots_us: tuple[int, ...] = ()
    step_us: int = 0
    again_us: int = 0


def reserve_calls(row: LineRow, ask: Ask, now_us: int) -> tuple[LineRow, Grant]:
    """Return the row and what the worker gets; under the row's lock."""
    sane_until_us = now_us + SANE_US + 64 * ask.step_us * max(1, ask.slots)
    if max(row.call_slot_at_us, row.sole_until_us, row.shared_until_us) > sane_until_us:
        after_us = now_us + ask.window_us
        row = LineRow(after_us, None, 0, None, after_us, 0)
    if row.sole_worker not in (None, ask.worker):
        over_us = row.sole_until_us + ask.window_us
        if row.sole_until_us > now_us:
            again_us = min(ASK_AGAIN_US, row.sole_until_us - now_us + 1000)
            return row._replace(wanted_at_us=now_us), Grant(now_us, again_us=again_us)
        # It fell silent. What it sent to the end of its time is over a window later.
        row = row._replace(
            sole_worker=None, wanted_at_us=0, call_slot_at_us=max(row.call_slot_at_us, over_us)
        )
    if row.sole_worker == ask.worker and not row.wanted_at_us and ask.sole:
        until_us = now_us + SOLE_US
        return row._replace(sole_until_us=until_us, call_slot_at_us=until_us), Grant(now_us, sole_us=SOLE_US)
    if row.sole_worker == ask.worker:
        # Back to even slots, from where they keep every window of what we sent.
        after_us = ask.free_from_us or now_us + ask.window_us
        after_us = min(after_us, now_us + ask.window_us)
        row = row._replace(sole_worker=None, wanted_at_us=0, call_slot_at_us=after_us)
        row = row._replace(shared_until_us=now_us + SHARED_US)
    elif row.line_worker == ask.worker and now_us >= row.shared_until_us and ask.sole:
        until_us = now_us + SOLE_US
        row = row._replace(sole_worker=ask.worker, sole_until_us=until_us, wanted_at_us=0)
        return row._replace(call_slot_at_us=max(row.call_slot_at_us, until_us)), Grant(
            now_us, sole_us=SOLE_US
        )
    first_us = max(row.call_slot_at_us, now_us)
    slots = tuple(first_us + n * ask.step_us for n in range(ask.slots))
    end_us = first_us + ask.slots * ask.step_us
    shared_until_us = row.shared_until_us
    if row.line_worker != ask.worker:
        # The other's slots must be over, and their windows, before anybody can be alone.
        taking_turns_us = SHARED_US if row.line_worker is not None else 0
        shared_until_us = max(now_us, first_us) + ask.window_us + taking_turns_us
    row = row._replace(call_slot_at_us=end_us, line_worker=ask.worker, shared_until_us=shared_until_us)
    return row, Grant(now_us, slots_us=slots, step_us=ask.step_us)


def step_us(windows: Sequence[Window], factor: float = 1.0, guard_s: float = LINE_GUARD_S) -> int:
    """Return the microseconds between two slots of a shared line."""
    return math.ceil(1e6 * (1 + guard_s) / (full_rate(windows) * factor))


def window_us(windows: Sequence[Window], guard_s: float = LINE_GUARD_S) -> int:
    """Return the longest window of the limits, with its guard."""
    return math.ceil(1e6 * (1 + guard_s) * max(seconds for _, seconds in all_rules(windows)))


def leaves_late_s(step_us: int) -> float:
    """Return how long after its slot a call may leave; where slots are seconds apart, so is their guard."""
    return max(LEAVES_LATE_S_MAX, LINE_GUARD_S / (1 + LINE_GUARD_S) * step_us / 1e6 - LATE_S_MAX)


def block_size(rate: float) -> int:
    """Return how many slots to take at a time."""
    return max(1, round(BLOCK_S * rate))


# Requests of any kind


class RequestRule(NamedTuple):
    """How requests are let through: `step_us` apart in the long run, some up to `early_us` before that.

    A request may leave `late_us` after its moment. No window holds more than the limit: between the first
    and the n-th request lie at least (n - 1) steps less what one is early and the other late.
    """

    step_us: int
    early_us: int
    late_us: int


def request_rule(requests_per_minute: int, calls_per_second: float | None) -> RequestRule:
    """Return the rule of an account's requests per minute.

    Where calls per second are the narrower limit, requests must wait for the slots of calls, and there is
    room; where they are not, hardly any of the limit may be lost.
    """
    narrower = calls_per_second is None or requests_per_minute / 60 <= calls_per_second
    early_s, late_s = (0.2, 0.1) if narrower else (0.6, 1.05 / (calls_per_second or 1.0) + 0.1)
    step_s = (60.0 + 0.02 + early_s + late_s) / requests_per_minute
    return RequestRule(math.ceil(step_s * 1e6), round(early_s * 1e6), round(late_s * 1e6))


def reserve_requests(line_us: int, count: int, rule: RequestRule, now_us: int) -> tuple[int, list[int]]:
    """Return the line's new end and the moments of the next `count` requests.

    Source: GCRA, ITU-T I.371, the virtual scheduling form.
    """
    if line_us > now_us + SANE_US + QUEUE_MAX * rule.step_us:  # the clock was set back
        line_us = now_us + SANE_US
    moments = []
    for _ in range(count):
        at_us = max(now_us, line_us - rule.early_us)
        moments.append(at_us)
        line_us = max(line_us, at_us) + rule.step_us
    return line_us, moments
