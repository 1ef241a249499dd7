"""Lengths of time as people write them."""

from __future__ import annotations

import pytest

from dialer.base.durations import parse_duration, show_duration
from dialer.base.errors import BadInput


@pytest.mark.parametrize(
    ("words", "seconds"),
    [("90s", 90), ("20m", 1200), ("4h", 14400), ("1d", 86400), ("1h30m", 5400), ("1.5h", 5400)],
)
def test_a_duration_is_read_as_written(words: str, seconds: float) -> None:
    assert parse_duration(words) == seconds


@pytest.mark.parametrize("words", ["", "5", "m", "0s", "-5m", "5 m x", "1h30", "fast"])
def test_what_is_no_duration_is_refused_with_examples(words: str) -> None:
    with pytest.raises(BadInput, match="for example 90s"):
        parse_duration(words)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.23, "4.2 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (273600, "3 d 4 h"), (60, "1 min")],
)
def test_a_duration_is_shown_as_people_say_it(seconds: float, words: str) -> None:
    assert show_duration(seconds) == words
