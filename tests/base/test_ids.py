"""Attempt ids: time-ordered, and UUIDs of version 7."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dialer.base.ids import first_attempt_id, new_attempt_id

MOMENTS = st.integers(min_value=0, max_value=2**47 * 1000)


@given(MOMENTS, st.integers(min_value=0, max_value=2**62 - 1))
def test_an_attempt_id_is_a_uuid_of_version_7_with_its_time(at_us: int, bits: int) -> None:
    name = UUID(new_attempt_id(at_us, bits))
    assert (name.version, name.variant) == (7, "specified in RFC 4122")
    assert name.int >> 80 == at_us // 1000
    assert str(name) == new_attempt_id(at_us, bits)


@given(MOMENTS, MOMENTS)
def test_later_ids_sort_later_and_never_before_the_first_of_their_time(one: int, other: int) -> None:
    if one // 1000 < other // 1000:
        assert new_attempt_id(one) < new_attempt_id(other)
    assert first_attempt_id(one) <= new_attempt_id(one)
