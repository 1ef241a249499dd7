"""What the tests of the rules share: the presets, and groups as lists bring them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dialer.rules.places import Group
from dialer.rules.rulebook import RuleBook, read_rulebook
from dialer.rules.windows import HoursPolicy, Windows


@pytest.fixture(scope="session")
def book() -> RuleBook:
    return read_rulebook()


@pytest.fixture
def windows(book: RuleBook) -> Windows:
    return Windows(book, HoursPolicy())


def moment(text: str) -> int:
    """Return a moment of UTC in microseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


def group(zones: str, places: str, line: str = "mobile") -> Group:
    """Return a group by zones and places with commas."""
    return Group.of_key(f"{zones}|number|{places}|{line}")
