"""DIALER_... variables as values of dialer.toml: DIALER_ACCOUNTS__UNLEASHX__CALLS_PER_SECOND."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from dialer.base.errors import BadInput
from dialer.base.secrets import is_reference, is_secret
from dialer.base.toml_lines import KeyPath
from dialer.base.words import did_you_mean

PREFIX = "DIALER_"
BETWEEN_KEYS = "__"


def environment_values(model: type[BaseModel], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what the environment says of the fields of `model`, as nested tables of lower-case keys.

    Empty variables count as not set. A secret given as it is becomes the reference to its variable.
    Variables that start with DIALER_ and resemble no key are not ours and are left alone.

    Raises:
        BadInput: a variable is a key mistyped, or should be JSON and is not.
    """
    ours = {name: value for name, value in environment.items() if name.upper().startswith(PREFIX) and value}
    if not ours:
        return {}
    _refuse_mistyped(ours, model)
    # 80 ms that a command without such variables does not pay.
    from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

    fields = type("_Fields", (model, BaseSettings), {})
    source = EnvSettingsSource(fields, env_prefix=PREFIX, env_nested_delimiter=BETWEEN_KEYS)
    source.env_vars = {name.lower(): _without_secret(name, value) for name, value in ours.items()}
    try:
        return source()
    except SettingsError as error:
        raise BadInput(f"{PREFIX}...: {error}; write one variable per key, or JSON") from error


def variable_of(path: KeyPath, environment: Mapping[str, str]) -> str | None:
    """Return the variable that says this key or a table around it; None where none does."""
    given = {name.upper().replace("-", "_"): name for name, value in environment.items() if value}
    for length in range(len(path), 0, -1):
        name = PREFIX + BETWEEN_KEYS.join(str(part) for part in path[:length]).upper().replace("-", "_")
        if name in given:
            return given[name]
    return None


def _without_secret(name: str, value: str) -> str:
    between, key = name.rpartition(BETWEEN_KEYS)[1:]
    return f"env:{name}" if between and is_secret(key) and not is_reference(value) else value


def _refuse_mistyped(ours: Mapping[str, str], model: type[BaseModel]) -> None:
    for name in ours:
        first = name.upper().removeprefix(PREFIX).split(BETWEEN_KEYS)[0].lower()
        if first in model.model_fields:
            continue
        if first.startswith("accounts_"):
            raise BadInput(f"{name} is not a key: two underscores go between keys, as in {_EXAMPLE}")
        hint = did_you_mean(PREFIX + first.upper(), [PREFIX + field.upper() for field in model.model_fields])
        if hint and did_you_mean(first, model.model_fields):
            raise BadInput(f"{name} is not a key{hint}")


_EXAMPLE = "DIALER_ACCOUNTS__UNLEASHX__CALLS_PER_SECOND"
