"""dialer.toml: the database, the folder of campaigns, the accounts and their limits."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from dialer.base.environment import environment_values, variable_of
from dialer.base.errors import BadInput
from dialer.base.mistakes import Mistake, mistakes_of, refuse, unknown_key, wrong_value
from dialer.base.secrets import is_reference, is_secret, read_secret
from dialer.base.toml import TomlFile, read_toml
from dialer.base.toml_lines import KeyPath

_REFERENCE = "where it is kept, 'env:NAME' or 'file:PATH'; a secret does not belong in a file like this"
_POSTGRESQL = ("postgresql+psycopg://", "postgresql://", "postgres://")


def _folder(info: ValidationInfo) -> Path | None:
    """Return the folder that paths are relative to; None for settings made in Python."""
    return info.context["folder"] if info.context else None


def _token(token: SecretStr, info: ValidationInfo) -> SecretStr:
    folder, text = _folder(info), token.get_secret_value()
    if folder is None:
        return token
    if not is_reference(text):
        raise ValueError(_REFERENCE)
    kind, _, rest = text.partition(":")
    return SecretStr(f"file:{folder / Path(rest.strip()).expanduser()}" if kind == "file" else text)


def _beside(value: Any, folder: Path) -> Any:
    if isinstance(value, str) and value.startswith("file:"):
        return f"file:{folder / Path(value.removeprefix('file:').strip()).expanduser()}"
    if isinstance(value, dict):
        return {key: _beside(one, folder) for key, one in value.items()}
    return [_beside(one, folder) for one in value] if isinstance(value, list) else value


def _base_url(url: str) -> str:
    if re.fullmatch(r"(?i:https?)://[^\s/?#@]+(/[^\s?#]*)?", url):
        return url
    raise ValueError("an address such as https://api.example.com, without a user, ? or #")


def _database_url(url: str, info: ValidationInfo) -> str:
    for start in _POSTGRESQL:
        if url.startswith(start) and len(url) > len(start):
            return _POSTGRESQL[0] + url.removeprefix(start)
    path = url.removeprefix("sqlite:///")
    if path == url or not path or path.startswith((":", "file:", "?")):
        raise ValueError(
            "sqlite:///FILE or postgresql://USER@HOST/NAME; a database in memory would forget who was called"
        )
    folder = _folder(info)
    return f"sqlite:///{folder / Path(path).expanduser()}" if folder else url


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str) and value.strip() else value


def _campaigns(path: Path, info: ValidationInfo) -> Path:
    folder = _folder(info)
    return folder / path.expanduser() if folder else path


def _own_rules(path: Path | None, info: ValidationInfo) -> Path | None:
    return path if path is None else _campaigns(path, info)


Name = Annotated[str, Field(min_length=1)]


class Account(BaseModel):
    """One set of credentials at one provider, with its limits.

    Keys that only one provider knows (UnleashX's `auth_style`) are kept in `model_extra`; the provider
    checks them when it is opened.
    """

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _files_here(cls, values: Any, info: ValidationInfo) -> Any:
        """Secrets in files stand beside dialer.toml, whichever key names them."""
        folder = _folder(info)
        if folder is None or not isinstance(values, dict):
            return values
        return {
            key: value if key in cls.model_fields else _beside(value, folder) for key, value in values.items()
        }

    name: str
    """The account's name: the table's key in dialer.toml."""
    provider: Name
    """Which provider speaks for it; the account's name where left out."""
    base_url: Annotated[str, AfterValidator(_base_url)] | None = None
    """The API's address; the provider's documented one where left out."""
    token: Annotated[SecretStr, AfterValidator(_token)] | None = None
    """`env:NAME` or `file:PATH`; read by `account_token` when a command needs it, not before."""
    calls_per_second: float | None = Field(default=None, gt=0)
    """Calls submitted in any sliding second, at most."""
    requests_per_minute: int | None = Field(default=None, gt=0)
    """Requests of any kind in any sliding minute, at most."""
    requests_in_flight_max: int = Field(default=64, gt=0, le=4096)
    """Submissions waiting for an answer, at most."""
    calls_open_max: int | None = Field(default=None, gt=0)
    """Accepted calls without an outcome, at most."""
    timeout_s: float = Field(default=30.0, gt=0)
    """Seconds to wait for an answer; a submission that takes longer becomes `unknown`."""
    poll_s: float = Field(default=10.0, gt=0)
    """Seconds between two readings of the provider's list of calls."""
    listing_delay_s: float = Field(default=120.0, ge=0)
    """A placed call shows in the provider's list after this many seconds, at the latest."""
    outcome_wait_s: float = Field(default=60.0, ge=0)
    """`dialer run` leaves when no outcome has come for this long and nothing is left to call."""
    call_expires_s: float = Field(default=6 * 3600.0, gt=0)
    """An accepted call without an outcome becomes `expired` after this long."""


class Settings(BaseModel):
    """What one deployment of dialer knows."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    file: Path | None = None
    """The dialer.toml that was read; none means built-in defaults."""
    # Not in what is printed: it may hold a password.
    database_url: Annotated[str, AfterValidator(_database_url)] = Field("sqlite:///dialer.db", repr=False)
    """The results database: `sqlite:///dialer.db`, or `postgresql://user@host/name`."""
    campaigns: Annotated[Path, BeforeValidator(_path), AfterValidator(_campaigns)] = Path("campaigns")
    """The folder that holds one folder per campaign."""
    rules: Annotated[Path | None, BeforeValidator(_path), AfterValidator(_own_rules)] = None
    """A file of your own calling rules, which win over the built-in ones."""
    accounts: dict[str, Account] = Field(default_factory=dict)
    """The accounts calls can be placed with, by name."""


def read_settings(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of `file` (default: dialer.toml here, else built-in defaults).

    A DIALER_... variable wins over the file. `campaigns` and the path of an SQLite database come back
    absolute; they are relative to the folder of `file`, wherever they were said. No secret is read.

    Args:
        file: a dialer.toml that must exist.
        environment: in place of the process's own.

    Raises:
        BadInput: a line per mistake, with file, line, key, value and what was expected.
    """
    variables = os.environ if environment is None else environment
    toml = _toml_of(file)
    if toml is not None:
        # On its own and strictly: a mistake must not hide behind a variable that is set only here.
        _checked(toml.values, toml.file, toml.where, strict=True)
    values = _merged(toml.values if toml else {}, environment_values(Settings, variables))

    def where(path: KeyPath) -> str:
        return variable_of(path, variables) or (toml.where(path) if toml else "built-in settings")

    return _checked(values, toml.file if toml else None, where, strict=False)


def account_options(account: Account) -> dict[str, Any]:
    """Return the keys of the account that only its provider knows."""
    return dict(account.model_extra or {})


def account_token(account: Account, environment: Mapping[str, str] | None = None) -> str:
    """Return the account's token, read now from where dialer.toml says it is kept.

    An `Account` made in Python may hold the token itself.

    Raises:
        BadInput: there is none; the message names the variable or file, and the account.
    """
    key = f"accounts.{account.name}.token"
    if account.token is None:
        variable = account.name.upper().replace("-", "_")
        raise BadInput(
            f'{key} is missing: write token = "env:{variable}_TOKEN" under [accounts.{account.name}] in '
            f"dialer.toml and export {variable}_TOKEN, or export DIALER_ACCOUNTS__{variable}__TOKEN"
        )
    return read_secret(account.token.get_secret_value(), key, environment)


def _toml_of(file: Path | None) -> TomlFile | None:
    default = Path("dialer.toml").absolute()
    if file is None and not default.exists():
        return None
    return read_toml(file.absolute() if file else default)


def _checked(
    values: Mapping[str, Any], file: Path | None, where: Callable[[KeyPath], str], *, strict: bool
) -> Settings:
    """Return the settings that `values` are, or refuse all their mistakes."""
    context = {"folder": file.parent if file else Path.cwd()}
    mistakes = [*_name_mistakes(values), *_option_mistakes(values)]
    named = {**_with_names(values), "file": file}
    try:
        settings = Settings.model_validate(named, strict=strict, context=context)
    except ValidationError as error:
        refuse([*mistakes, *mistakes_of(error, Settings)], where)
    if mistakes:
        refuse(mistakes, where)
    return settings


def _merged(values: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the file's values with the environment's over them; the defaults below both."""
    defaults = {name: str(Settings.model_fields[name].default) for name in ("database_url", "campaigns")}
    accounts = dict(values.get("accounts", {}))
    said = variables.get("accounts", {})
    if isinstance(said, dict):
        # The environment knows no capitals and no dashes.
        spelled = {name.lower().replace("-", "_"): name for name in accounts}
        for name, table in said.items():
            known = spelled.get(name.replace("-", "_"), name)
            below = accounts.get(known, {})
            accounts[known] = {**below, **table} if isinstance(table, dict) else table
    else:
        accounts = said
    return {**defaults, **values, **variables, "accounts": accounts}


def _accounts(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    accounts = values.get("accounts")
    tables = accounts.items() if isinstance(accounts, dict) else ()
    return {name: table for name, table in tables if isinstance(table, dict)}


def _with_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with what a table's key says: the account's name, and its provider by default."""
    if not isinstance(values.get("accounts"), dict):
        return dict(values)
    named = {name: {"provider": name, **table, "name": name} for name, table in _accounts(values).items()}
    return {**values, "accounts": {**values["accounts"], **named}}


def _name_mistakes(values: Mapping[str, Any]) -> list[Mistake]:
    """Return what is wrong with names: ours in the place of a key, and accounts that no variable can name."""
    mistakes = [unknown_key(("file",), Settings.model_fields)] if "file" in values else []
    for name, table in _accounts(values).items():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            mistakes.append(Mistake(("accounts", name), f"accounts.{name!r}: letters, digits, - and _ only"))
        if "name" in table:
            named = f"accounts.{name}.name is not a key: the account is named by its table, [accounts.{name}]"
            mistakes.append(Mistake(("accounts", name, "name"), named))
    return mistakes


def _option_mistakes(values: Mapping[str, Any]) -> list[Mistake]:
    """Return what is surely wrong with keys that are left to the provider: misspelled, or a bare secret."""
    mistakes = []
    for name, table in _accounts(values).items():
        for key, value in table.items():
            path = ("accounts", name, key)
            if key in Account.model_fields:
                continue
            # Nearer than `did_you_mean` wants it: a provider's own key may look a little like ours.
            if get_close_matches(key, Account.model_fields, n=1, cutoff=0.85):
                mistakes.append(unknown_key(path, Account.model_fields))
            elif is_secret(key) and isinstance(value, str) and not is_reference(value):
                mistakes.append(wrong_value(path, value, _REFERENCE))
    return mistakes
