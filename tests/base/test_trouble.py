"""Trouble that lasts is told at once, then ever more seldom, and once more when it is over."""

from __future__ import annotations

from structlog.testing import capture_logs

from dialer.base.clock import ManualClock
from dialer.base.errors import NotReady
from dialer.base.trouble import Trouble


def test_a_long_outage_is_told_at_growing_distances_with_the_number_of_tries() -> None:
    clock = ManualClock()
    trouble = Trouble("list.not_read", "list.read", clock, account="north")
    with capture_logs() as told:
        trouble.over()
        for _ in range(200):
            trouble.failed(NotReady("connection refused\n\tIs the server running?"))
            clock.move(1.0)
        trouble.over()
        trouble.over()
    assert [(one["event"], one["tries"], one["seconds"]) for one in told] == [
        ("list.not_read", 1, 0.0),
        ("list.not_read", 11, 10.0),
        ("list.not_read", 31, 30.0),
        ("list.not_read", 71, 70.0),
        ("list.not_read", 151, 150.0),
        ("list.read", 200, 200.0),
    ]
    assert {one.get("error") for one in told[:-1]} == {"connection refused"}
    assert {one["account"] for one in told} == {"north"}


def test_the_next_outage_is_told_at_once_again() -> None:
    clock = ManualClock()
    trouble = Trouble("list.not_read", "list.read", clock)
    with capture_logs() as told:
        for _ in range(2):
            trouble.failed(NotReady("away"))
            trouble.failed(NotReady("away"))
            trouble.over()
    assert [one["event"] for one in told] == ["list.not_read", "list.read"] * 2
