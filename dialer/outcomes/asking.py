"""When to ask about which open call, and how: by the provider's list, or one by one.

A call is asked about first when it is `poll_s` old, then in pauses that grow with its age: most calls end
within minutes, and a day-old one costs a request every few minutes only. One reading of the list answers
for all calls since some moment and costs a request per page; asking about one call costs a request each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from dialer.attempts.unsettled import Pending
from dialer.base.settings import Account

AGE_SHARE = 0.25
"""A call is asked about again when it is older by this share of its age."""
PAUSE_MAX_S = 300.0
ROWS_A_PAGE = 100
"""Calls that a page of a provider's list holds; the largest that two of the three allow."""
BUDGET_SHARE = 0.5
"""How much of an account's requests per minute asking may take, while calls are being placed."""


class Plan(NamedTuple):
    """Which calls of an agent to ask about one by one, and which by reading the list since the oldest."""

    singly: list[Pending]
    listed: list[Pending]


class Schedule:
    """When each open call is asked about next; `now_us` is the database's time throughout."""

    def __init__(self, account: Account) -> None:
        self._first_s = account.poll_s
        # A run leaves after outcome_wait_s without news: it must have asked before.
        self._most_s = max(account.poll_s, min(PAUSE_MAX_S, account.outcome_wait_s / 3))
        self._per_minute = account.requests_per_minute
        self._due_us: dict[str, int] = {}
        self._round_at_us = 0

    def know(self, pending: Iterable[Pending]) -> None:
        """Take in which calls are open now; those that are not any more are forgotten."""
        first_us = round(self._first_s * 1e6)
        self._due_us = {
            one.attempt_id: self._due_us.get(one.attempt_id, one.opened_at_us + first_us) for one in pending
        }

    def due(self, pending: Sequence[Pending], now_us: int) -> list[Pending]:
        """Return the known calls to ask about now, oldest first; none while the budget rests."""
        if now_us < self._round_at_us:
            return []
        # Those that are nearly due share the round.
        soon_us = now_us + round(self._first_s * 0.5e6)
        due = [one for one in pending if self._due_us[one.attempt_id] <= soon_us]
        return due if any(self._due_us[one.attempt_id] <= now_us for one in due) else []

    def asked(self, pending: Iterable[Pending], now_us: int, requests: int) -> None:
        """Note that these calls were asked about, and what that cost."""
        for one in pending:
            age_s = (now_us - one.opened_at_us) / 1e6
            pause_s = min(max(self._first_s, AGE_SHARE * age_s), self._most_s)
            self._due_us[one.attempt_id] = now_us + round(pause_s * 1e6)
        rest_s = requests * 60 / self._per_minute / BUDGET_SHARE if self._per_minute else 0.0
        self._round_at_us = now_us + round(rest_s * 1e6)

    def hurry(self, attempt_ids: Collection[str] | None, now_us: int) -> None:
        """Ask about these calls (None: about all) as soon as the budget allows."""
        for attempt_id in self._due_us if attempt_ids is None else attempt_ids:
            if attempt_id in self._due_us:
                self._due_us[attempt_id] = now_us


def cheapest(due: Sequence[Pending], calls_since: Callable[[int], int], single_cost: float) -> Plan:
    """Return the way to ask that costs the fewest requests; `due` has the oldest first.

    A few stragglers are asked about singly, so that the list need not be read back to them.
    `calls_since` tells how many calls the list holds since a moment.
    """
    best, best_cost = Plan(list(due), []), single_cost * len(due)
    singly = 0
    while singly < len(due) and single_cost * singly < best_cost:
        listed = due[singly:]
        cost = single_cost * singly + 1 + calls_since(listed[0].opened_at_us) // ROWS_A_PAGE
        if cost < best_cost or (cost == best_cost and singly == 0):
            best, best_cost = Plan(list(due[:singly]), list(listed)), cost
        singly = max(1, 2 * singly)
    return best
