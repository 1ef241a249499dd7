"""What is wrong with the values of a file: place, key, value, and what was expected.

campaigns/spring/campaign.toml:12: pace.calls_per_second = 0, expected more than 0
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from types import UnionType
from typing import Any, NamedTuple, NoReturn, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dialer.base.errors import BadInput
from dialer.base.secrets import HIDDEN, is_secret
from dialer.base.toml_lines import KeyPath
from dialer.base.words import did_you_mean

_SHOWN_CHARACTERS_MAX = 60
# Phone numbers are not written to messages either.
_HIDDEN_KEYS = {"from_numbers"}


class Mistake(NamedTuple):
    """One thing to mend; `message` names the key already."""

    path: KeyPath
    message: str


def mistakes_of(error: ValidationError, model: type[BaseModel]) -> list[Mistake]:
    """Return what pydantic found wrong with the values of a `model`, in our words."""
    found = error.errors(include_url=False)
    # A list whose only element is wrong is also said to be too short.
    inside = {tuple(details["loc"][:-1]) for details in found}
    return [
        _mistake(details, model)
        for details in found
        if details["type"] != "too_short" or tuple(details["loc"]) not in inside
    ]


def refuse(mistakes: Sequence[Mistake], where: Callable[[KeyPath], str]) -> NoReturn:
    """Raise BadInput with one line per mistake, by place: the first line of a file first."""
    found = sorted({(where(mistake.path), mistake.message) for mistake in mistakes}, key=_by_line)
    raise BadInput("\n".join(f"{place}: {message}" for place, message in found))


def _by_line(found: tuple[str, str]) -> tuple[str, int, str]:
    place, message = found
    file, _, line = place.rpartition(":")
    return (file, int(line), message) if line.isdigit() else (place, 0, message)


def key_text(path: KeyPath) -> str:
    """Return `list.files[0]`, the key as a person would say it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            quoted = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else repr(part)
            text += f".{quoted}" if text else quoted
    return text


def wrong_value(path: KeyPath, value: Any, expected: str) -> Mistake:
    """Return the mistake that `value` is, and what it should have been."""
    if any(isinstance(part, str) and (is_secret(part) or part in _HIDDEN_KEYS) for part in path):
        return Mistake(path, f"{key_text(path)} = {HIDDEN}, expected {expected}")
    # What reads a text for other callers as well names it itself.
    own_words = expected.removeprefix(f"{value!r}: ")
    if own_words != expected and not own_words.startswith("expected "):
        return Mistake(path, f"{key_text(path)} = {_shown(value)}: {own_words}")
    return Mistake(
        path, f"{key_text(path)} = {_shown(value)}, expected {own_words.removeprefix('expected ')}"
    )


def unknown_key(path: KeyPath, known: Iterable[str], elsewhere: str = "") -> Mistake:
    """Return the mistake that the key is not one of `known`; `elsewhere` says where it would be one."""
    key = str(path[-1])
    hint = elsewhere or did_you_mean(key, [name for name in known if name != key])
    return Mistake(path, f"{key_text(path)} is not a key{hint}")


def _mistake(details: ErrorDetails, model: type[BaseModel]) -> Mistake:
    path = tuple(details["loc"])
    if details["type"] == "extra_forbidden":
        return unknown_key(path, _known(model, path[:-1]), _elsewhere(model, path))
    if details["type"] == "missing":
        return Mistake(path, _missing(model, path))
    expected = _expected(details)
    if expected == _A_TABLE and isinstance(details["input"], str):
        # Whoever takes an account for its token must not find it in a log.
        return Mistake(path, f"{key_text(path)} = {HIDDEN}, expected {expected}")
    if details["type"] == "value_error" and path and _model_at(model, path) is not None:
        return Mistake(path, f"[{key_text(path)}] {expected}")  # of several keys: the section's words
    return wrong_value(path, details["input"], expected)


def _missing(model: type[BaseModel], path: KeyPath) -> str:
    around = _model_at(model, path[:-1])
    field = around.model_fields[str(path[-1])] if around else None
    if field is not None and _as_model(field.annotation):
        return f"the section [{key_text(path)}] is missing"
    meaning = f": {field.description}" if field is not None and field.description else ""
    return f"{key_text(path)} is missing{meaning}"


def _elsewhere(model: type[BaseModel], path: KeyPath) -> str:
    """Return where a key belongs that stands in the wrong section: TOML makes that easy."""
    key = str(path[-1])
    if len(path) > 1 and key in model.model_fields:
        return f" of [{key_text(path[:-1])}]; it belongs above the first [section]"
    sections = [name for name, field in model.model_fields.items() if _has(field.annotation, key)]
    return f" here; it belongs under [{sections[0]}]" if len(sections) == 1 else ""


def _has(annotation: Any, key: str) -> bool:
    section = _as_model(annotation)
    return section is not None and key in section.model_fields


def _known(model: type[BaseModel], path: KeyPath) -> list[str]:
    found = _model_at(model, path)
    return list(found.model_fields) if found else []


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    at: Any = model
    for part in path:
        section = _as_model(at)
        if section is not None and part in section.model_fields:
            at = section.model_fields[str(part)].annotation
        elif get_origin(at) in (dict, Mapping):
            at = get_args(at)[-1]
        else:
            return None
    return _as_model(at)


def _as_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, UnionType):  # a section that may be left out
        return next(filter(None, map(_as_model, get_args(annotation))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _expected(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    if details["type"] == "value_error":
        return str(context["error"])
    if details["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        return f"{context['expected']}{did_you_mean(str(details['input']), words)}"
    if details["type"] == "string_too_long":
        return f"at most {context['max_length']} characters"
    return _EXPECTED.get(details["type"], details["msg"]).format_map(context)


_A_TABLE = "a table"
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": _A_TABLE,
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "is_instance_of": "a path in quotes",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "mapping_type": _A_TABLE,
    "model_attributes_type": _A_TABLE,
    "model_type": _A_TABLE,
    "path_type": "a path in quotes",
    "string_too_short": "a text that is not empty",
    "string_type": "a text in quotes",
    "too_short": "at least one",
    "tuple_type": "a list in brackets",
}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[: _SHOWN_CHARACTERS_MAX - 3]}..."
