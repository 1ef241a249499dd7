from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from dialer.base.log import configure_logging


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    logging.captureWarnings(False)
    structlog.reset_defaults()


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    structlog.get_logger().info("call.accepted", attempt_id="0199", seconds=0.25)
    [line] = written(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "call.accepted", "level": "info", "attempt_id": "0199", "seconds": 0.25}


def test_secrets_and_numbers_are_masked_however_deep_they_sit() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    structlog.get_logger().warning(
        "lookup.failed",
        token="s3cret",
        headers={"Authorization": "Bearer s3cret", "Accept": "json"},
        account={"key": SecretStr("s3cret")},
        phone="00919876543210",
        error="GET /list?calling_number=%2B919876543210 for +919876543210 failed",
        rows=[{"from_number": "+12025550143"}, "+12025550143"],
    )
    text = stream.getvalue()
    assert "s3cret" not in text
    assert "9876543210" not in text
    assert "2025550143" not in text
    [line] = written(stream)
    assert line["headers"] == {"Authorization": "***", "Accept": "json"}
    assert line["error"] == "GET /list?calling_number=*** for *** failed"


def test_ids_and_moments_are_not_taken_for_numbers() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    fields = {"attempt_id": "01990000-0000-7000-8000-123456789012", "at": "2026-12-01T10:00:00+05:30"}
    structlog.get_logger().info("call.accepted", **fields)
    [line] = written(stream)
    assert {key: line[key] for key in fields} == fields


def test_an_exception_stays_on_one_line_and_is_masked() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    try:
        raise ValueError("no answer from +919876543210")
    except ValueError:
        structlog.get_logger().exception("call.failed")
    [line] = written(stream)
    assert "ValueError: no answer from ***" in line["exception"]


def test_libraries_speak_in_the_same_stream_and_only_of_warnings() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    logging.getLogger("httpx").setLevel(logging.INFO)
    logging.getLogger("httpx").info("HTTP Request: GET https://x?calling_number=919876543210")
    logging.getLogger("some.library").warning("slow answer for +919876543210")
    [line] = written(stream)
    assert (line["event"], line["logger"], line["level"]) == (
        "slow answer for ***",
        "some.library",
        "warning",
    )


def test_python_warnings_become_lines_too() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    warning = warnings.WarningMessage("old", UserWarning, "file.py", 1)
    warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)
    [line] = written(stream)
    assert "UserWarning: old" in line["event"]


def test_configuring_twice_writes_each_line_once_and_to_the_second_place() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logging(stream=first)
    configure_logging(stream=second)
    logging.getLogger("some.library").error("broken")
    structlog.get_logger().info("call.accepted")
    assert first.getvalue() == ""
    assert len(written(second)) == 2


def test_less_than_the_level_is_not_written() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream, level=logging.WARNING)
    structlog.get_logger().info("call.accepted")
    assert stream.getvalue() == ""


def test_a_person_at_a_terminal_gets_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(terminal=True)
    structlog.get_logger().info("call.accepted", attempt_id="0199")
    text = capsys.readouterr().err
    assert "call.accepted" in text
    assert not text.startswith("{")


def test_stderr_is_the_one_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    log = structlog.get_logger()
    log.info("run.started")
    assert json.loads(capsys.readouterr().err)["event"] == "run.started"
