"""Records of a gateway become Execution, by the paths and the vocabulary that dialer.toml gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

import orjson

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.providers.gateway.options import Fields
from dialer.providers.gateway.paths import Steps, follow, read_path, text_at
from dialer.providers.provider import OUTCOMES, Execution
from dialer.providers.values import digits_of, read_duration_s, read_moment, read_number

TELLABLE = tuple(word for word in OUTCOMES if word != "expired")
"""What a gateway can tell; `expired` is ours."""


class Reader:
    """Reads records whose fields stand where `fields` says."""

    def __init__(
        self, fields: Fields, outcomes: Mapping[str, list[str]], zone: tzinfo | None, where: str
    ) -> None:
        """Read the paths and the vocabulary. Raises BadInput."""
        self._paths: dict[str, Steps] = {
            name: read_path(text, f"{where}.fields.{name}")
            for name in Fields.model_fields
            if (text := getattr(fields, name))
        }
        self._zone = zone
        self._outcome_of = read_vocabulary(outcomes, f"{where}.outcomes")

    def names_attempts(self) -> bool:
        """Return whether a record tells which call it is: by number or by our attempt id."""
        return "phone" in self._paths or "attempt_id" in self._paths

    def read(self, record: Any) -> Execution | None:
        """Return what a record says of a call; None where it has no id."""
        key = self._text(record, "id")
        if not isinstance(record, dict) or not key or len(key) > 200:
            return None
        created_at_us, known = self._moment(record, "created_at")
        ended_at_us, _ = self._moment(record, "ended_at")
        digits = digits_of(self._text(record, "phone"))
        status = self._text(record, "status")
        transcript = self._value(record, "transcript")
        return Execution(
            provider_ref=key,
            execution_id=self._text(record, "execution_id") or key,
            phone=f"+{digits}" if digits else None,
            agent=self._text(record, "agent") or None,
            status=status,
            outcome=self._outcome_of.get(plain(status)),
            created_at_us=created_at_us,
            ended_at_us=ended_at_us,
            zone_assumed=created_at_us is not None and not known,
            attempt_id=self._text(record, "attempt_id") or None,
            disposition=self._text(record, "disposition") or None,
            duration_s=read_duration_s(self._value(record, "duration_s")),
            cost=read_number(self._value(record, "cost")),
            currency=self._text(record, "currency") or None,
            recording_url=self._text(record, "recording_url") or None,
            transcript=_transcript(transcript),
        )

    def _moment(self, record: Any, name: str) -> tuple[int | None, bool]:
        """Return a moment and whether its zone is known; numbers count from 1970, also in a text."""
        value = self._value(record, name)
        if isinstance(value, str) and re.fullmatch(r"[0-9]{9,17}(\.[0-9]{1,9})?", value.strip()):
            value = float(value)
        if isinstance(value, int | float) and value > 1e14:
            value = value / 1000
        return read_moment(value, self._zone)

    def _value(self, record: Any, name: str) -> Any:
        return follow(record, self._paths[name]) if name in self._paths else None

    def _text(self, record: Any, name: str) -> str:
        return text_at(record, self._paths[name]) if name in self._paths else ""


def read_vocabulary(outcomes: Mapping[str, list[str]], where: str) -> dict[str, str]:
    """Return our word for each of the gateway's. Raises BadInput: ours is unknown, or theirs has two."""
    found: dict[str, str] = {}
    for outcome, words in outcomes.items():
        if outcome not in TELLABLE:
            raise BadInput(
                f"{where}.{outcome} is no outcome{did_you_mean(outcome, TELLABLE)}; "
                f"there is: {', '.join(TELLABLE)}"
            )
        for word in words:
            before = found.setdefault(plain(word), outcome)
            if before != outcome:
                raise BadInput(
                    f"{where}: {word!r} means both {before} and {outcome}; leave it in one of them"
                )
    return found


def plain(word: str) -> str:
    """Return a word of a vocabulary without what spellings differ in: case, spaces, hyphens."""
    return re.sub(r"[\s_-]+", "_", word.strip().casefold())


def _transcript(value: Any) -> str | None:
    text = value if isinstance(value, str) else orjson.dumps(value).decode() if value else ""
    return text.replace("\x00", "") or None
