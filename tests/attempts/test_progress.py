"""The closing line of a run: what a person reads last."""

from __future__ import annotations

import pytest

from dialer.attempts.dialing import LaneCounts
from dialer.attempts.progress import RunProgress


def closing_line(*, problem: str | None = None, never: str | None = None) -> str:
    return RunProgress(
        "spring",
        "north",
        5.0,
        waiting_left=7,
        next_due_at_us=1_800_000_000_000_000,
        problem=problem,
        ended=problem or "nothing is left to do now",
        never=never,
    ).closing_line()


@pytest.mark.parametrize(
    ("problem", "to_do"),
    [
        ("the account is out of credit", "; to go on when the cause is mended: dialer run spring"),
        ("paused by a person", "; to go on: dialer resume spring, then dialer run spring"),
        ("canceled by a person", "ended: canceled by a person"),
    ],
)
def test_a_stopped_run_says_how_to_go_on_and_promises_no_next_call(problem: str, to_do: str) -> None:
    line = closing_line(problem=problem)
    assert line.endswith(to_do)
    assert "next call may be placed" not in line


def test_a_run_that_ended_well_names_the_next_call_and_who_can_never_be_called() -> None:
    line = closing_line(never="2 contacts can never be called: [hours] ends_at is over")
    assert "; the next call may be placed at 2027-01-15 08:00 UTC" in line
    assert line.endswith("; 2 contacts can never be called: [hours] ends_at is over")


@pytest.mark.parametrize(("calls", "took_s", "pace"), [(3, 0.016, None), (3, 4.0, 0.5), (11, 1.0, 10.0)])
def test_a_pace_of_a_few_calls_within_a_moment_is_not_told(
    calls: int, took_s: float, pace: float | None
) -> None:
    counts = LaneCounts(submitted=calls, first_sent_at=100.0, last_sent_at=100.0 + took_s)
    assert RunProgress("spring", "north", 5.0, counts=counts).pace == pace
