from __future__ import annotations

import pytest

from dialer.base.words import did_you_mean


@pytest.mark.parametrize(
    ("word", "hint"),
    [("mobil", " (did you mean 'Mobile'?)"), ("MOBILE", " (did you mean 'Mobile'?)"), ("xyz", "")],
)
def test_the_nearest_known_name_is_suggested_and_nothing_far_away(word: str, hint: str) -> None:
    assert did_you_mean(word, ["Mobile", "Landline"]) == hint
