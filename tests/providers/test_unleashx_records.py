"""Rows of UnleashX's lists: what each column, in each spelling, says of a call."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.providers.provider import OUTCOMES, Execution
from dialer.providers.unleashx.records import (
    OUTCOME_OF_STATUS,
    digits_of,
    outcome_of,
    read_duration_s,
    read_execution,
    read_moment,
)

AT_US = 1_769_250_619_000_000  # 2026-01-24T10:30:19Z

DOCUMENTED = {
    "ID": 48213,
    "AGENT_ID": 962,
    "agent_name": "Renewals",
    "CALLING_NUMBER": "+919876543210",
    "PROVIDER_NUMBER": "+918062810341",
    "STATUS": "completed",
    "CALL_STATUS": "COMPLETED",
    "TOTAL_DURATION": 73,
    "total_duration": "1m 13s",
    "CREATED_AT": "2026-01-24T10:30:19.000Z",
    "TRANSCRIPT": "Hello",
    "FILE_PATH": "https://recordings.example/48213.mp3",
    "DISPOSITION": "Interested",
}


def read(row: dict[str, Any], source: str = "", zone: tzinfo | None = None) -> Execution | None:
    return read_execution(
        row,
        attempt_id_key="dialer_attempt_id",
        zone=zone,
        track_id_is_execution_id=True,
        source=source,
    )


def test_the_documented_row_is_read_whole() -> None:
    assert read(DOCUMENTED) == Execution(
        provider_ref="48213",
        phone="+919876543210",
        agent="962",
        status="COMPLETED",
        outcome="completed",
        created_at_us=AT_US,
        disposition="Interested",
        duration_s=73.0,
        recording_url="https://recordings.example/48213.mp3",
        transcript="Hello",
    )


@pytest.mark.parametrize(
    ("call_status", "status", "outcome"),
    [
        ("COMPLETED", "completed", "completed"),
        ("ANSWER", "", "completed"),
        ("agent_ended", "completed", "completed"),
        ("User-Ended", "", "completed"),
        ("", "Completed", "completed"),
        ("", "failed", "failed"),
        ("FAILED", "failed", "failed"),
        ("BUSY", "completed", "busy"),
        ("No Answer", "failed", "no_answer"),
        ("no-answer", "", "no_answer"),
        ("VOICEMAIL", "completed", "voicemail"),
        ("REJECTED", "", "canceled"),
        ("cancelled", "", "canceled"),
        ("INITIATED", "initiated", None),
        ("RINGING", "", None),
        ("SOMETHING_NEW", "completed", None),
        ("SOMETHING_NEW", "failed", "failed"),
        ("", "", None),
    ],
)
def test_a_status_is_understood_in_any_spelling_or_left_open(
    call_status: str, status: str, outcome: str | None
) -> None:
    assert outcome_of(call_status, status) == outcome


def test_every_outcome_is_a_word_of_ours() -> None:
    assert set(OUTCOME_OF_STATUS.values()) == set(OUTCOMES) - {"expired"}


def test_a_status_that_is_not_understood_keeps_its_text() -> None:
    execution = read(DOCUMENTED | {"CALL_STATUS": "Ringing-2"})
    assert execution is not None
    assert (execution.status, execution.outcome) == ("Ringing-2", None)


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ((73, "9m"), 73.0),
        ((0, "9m"), 0.0),
        (("73", None), 73.0),
        ((None, "1m 13s"), 73.0),
        ((None, "14m 02s"), 842.0),
        ((None, "1h 2m 3s"), 3723.0),
        ((None, "01:13"), 73.0),
        ((None, "1:02:03"), 3723.0),
        ((None, "45s"), 45.0),
        ((-1, "soon"), None),
        ((float("nan"), None), None),
        ((True, None), None),
        ((None, None), None),
    ],
)
def test_a_duration_is_the_number_first_and_the_text_second(
    values: tuple[Any, ...], seconds: float | None
) -> None:
    assert read_duration_s(*values) == seconds


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("2026-01-24T10:30:19.000Z", None, (AT_US, True)),
        ("2026-01-24T16:00:19+05:30", None, (AT_US, True)),
        ("2026-01-24 10:30:19", None, (AT_US, False)),
        ("2026-01-24 16:00:19", ZoneInfo("Asia/Kolkata"), (AT_US, True)),
        ("2026-01-24 10:30:19", UTC, (AT_US, True)),
        (1_769_250_619, None, (AT_US, True)),
        (1_769_250_619_000, None, (AT_US, True)),
        ("2026-01-24", None, (None, True)),
        ("yesterday at noon", None, (None, True)),
        (None, None, (None, True)),
        (-5, None, (None, True)),
        (True, None, (None, True)),
    ],
)
def test_a_date_without_a_zone_is_flagged_and_a_bare_day_is_no_moment(
    value: Any, zone: tzinfo | None, expected: tuple[int | None, bool]
) -> None:
    assert read_moment(value, zone) == expected


def test_a_record_says_when_its_date_named_no_zone() -> None:
    execution = read(DOCUMENTED | {"CREATED_AT": "2026-01-24 10:30:19"})
    assert execution is not None
    assert execution.zone_assumed


@pytest.mark.parametrize(
    "input_data",
    [
        {"dialer_attempt_id": "0190"},
        '{"dialer_attempt_id":"0190","name":"Asha"}',
        {"metadata": {"dialer_attempt_id": "0190"}},
        {"metadata": '{"dialer_attempt_id":"0190"}'},
    ],
)
def test_the_attempt_id_is_found_in_input_data_of_any_shape(input_data: Any) -> None:
    execution = read(DOCUMENTED | {"INPUT_DATA": input_data})
    assert execution is not None
    assert execution.attempt_id == "0190"


@pytest.mark.parametrize(
    "input_data", [None, "", "not json", "[]", {"other": "0190"}, {"dialer_attempt_id": 5}]
)
def test_input_data_without_an_attempt_id_gives_none(input_data: Any) -> None:
    execution = read(DOCUMENTED | {"INPUT_DATA": input_data})
    assert execution is not None
    assert execution.attempt_id is None


def test_a_track_id_is_the_execution_id_where_it_is_a_uuid() -> None:
    uuid = "550e8400-e29b-41d4-a716-446655440000"
    with_uuid, with_word = read(DOCUMENTED | {"TRACK_ID": uuid}), read(DOCUMENTED | {"TRACK_ID": "trk-1"})
    assert with_uuid is not None
    assert with_word is not None
    assert (with_uuid.execution_id, with_uuid.provider_ref) == (uuid, "48213")
    assert with_word.execution_id is None


def test_a_row_without_any_key_is_no_record() -> None:
    assert read({"CALLING_NUMBER": "+919876543210"}) is None


def test_cost_comes_from_transactions_only() -> None:
    row = DOCUMENTED | {"TOTAL_COST": "0.25", "CURRENCY": "USD"}
    listed, paid = read(row), read(row, source="transaction:")
    assert listed is not None
    assert paid is not None
    assert (listed.cost, listed.currency) == (None, None)
    assert (paid.cost, paid.currency, paid.provider_ref) == (0.25, "USD", "transaction:48213")


@pytest.mark.parametrize("number", ["+919876543210", "919876543210", "00919876543210", "+91 98765-43210"])
def test_a_number_is_its_digits(number: str) -> None:
    assert digits_of(number) == "919876543210"


@given(
    st.dictionaries(
        st.sampled_from([*DOCUMENTED, "TRACK_ID", "INPUT_DATA", "EXECUTION_ID", "ENDED_AT", "CURRENCY"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=5,
        ),
    )
)
def test_no_row_whatever_it_holds_breaks_the_reading(row: dict[str, Any]) -> None:
    for zone in (None, ZoneInfo("Asia/Kolkata")):
        execution = read(row, zone=zone)
        if execution is not None:
            texts = (execution.provider_ref, execution.status, execution.transcript, execution.disposition)
            assert all("\x00" not in text for text in texts if text is not None)
            assert execution.outcome in (None, *OUTCOMES)


def test_a_transcript_that_is_no_text_is_kept_as_json() -> None:
    execution = read(DOCUMENTED | {"TRANSCRIPT": [{"role": "agent", "text": "Hello"}]})
    assert execution is not None
    assert execution.transcript is not None
    assert orjson.loads(execution.transcript) == [{"role": "agent", "text": "Hello"}]
