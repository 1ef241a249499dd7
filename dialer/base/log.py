"""Logs: one event per fact, named `noun.verb`, with fields instead of prose, on stderr.

    log = structlog.get_logger()
    log.info("call.accepted", attempt_id=attempt_id, execution_id=execution_id)

JSON lines, unless a terminal is there. Ids are logged, phone numbers and secrets never: do not pass
them. What slips in all the same is masked, by key (`token`, `phone`) and by look (E.164, SecretStr).
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, TextIO

import orjson
import structlog
from pydantic import SecretBytes, SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from dialer.base.secrets import HIDDEN, is_secret

_PHONE_KEY = re.compile(
    r"(^|_)(phones?|phone_numbers?|from_numbers?|to_numbers?|calling_number|raw)$", re.IGNORECASE
)
# In an address the + is written %2B.
_PHONE = re.compile(r"(?:\+|%2B)[1-9][0-9]{6,14}(?![0-9])", re.IGNORECASE)


def configure_logging(
    *, level: int = logging.INFO, stream: TextIO | None = None, terminal: bool | None = None
) -> None:
    """Send every log, ours and that of libraries (from warnings up), to stderr as one stream of lines.

    Calling it again replaces what was set before.

    Args:
        level: the least level of ours that is written.
        stream: in place of stderr.
        terminal: lines for a person instead of JSON; by default whether `stream` is a terminal.
    """
    target = _CurrentStderr() if stream is None else stream
    for_person = target.isatty() if terminal is None else terminal
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if for_person
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=target),  # type: ignore[arg-type]
    )
    _adopt_libraries(target, shared, renderer)


def mask(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Return the event without secrets and phone numbers, however deep they sit."""
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: str, value: Any) -> Any:
    if isinstance(value, SecretStr | SecretBytes) or is_secret(key) or _PHONE_KEY.search(key):
        return HIDDEN
    if isinstance(value, str):
        return _PHONE.sub(HIDDEN, value)
    if isinstance(value, dict):
        return {inner: _masked(str(inner), part) for inner, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(key, part) for part in value]
    return value


class _CurrentStderr:
    """Stderr as it is when something is written: tests and progress bars put another in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def _json(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _adopt_libraries(target: Any, shared: list[Processor], renderer: Processor) -> None:
    handler = logging.StreamHandler(target)
    handler.set_name(__name__)
    # httpx tells every request with its address at `info`, and addresses hold phone numbers.
    handler.setLevel(logging.WARNING)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for old in [known for known in root.handlers if known.get_name() == __name__]:
        root.removeHandler(old)
    root.addHandler(handler)
    logging.captureWarnings(True)
