from __future__ import annotations

import pytest

from dialer.base.words import did_you_mean


@pytest.mark.parametrize(
    ("word", "hint"),
    [("mobil", " (did you mean 'Mobile'?)"), ("MOBILE", " (did you mean 'Mobile'?)"), ("xyz", "")],
)
def test_the_nearest_known_name_is_suggested_and_nothing_far_away(word: str, hint: str) -> None:
    assert did_you_mean(word, ["Mobile", "Landline"]) == hint


def test_a_name_that_the_word_begins_with_wins() -> None:
    assert did_you_mean("US-FLA", ["US-LA", "US", "US-FL"]) == " (did you mean 'US-FL'?)"


def test_less_may_be_too_little_where_names_are_many() -> None:
    assert did_you_mean("India", ["Indian/Mahe", "Asia/Kolkata"], 0.75) == ""
