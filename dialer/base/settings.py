"""dialer.toml: the database, the folder of campaigns, the accounts and their limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

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

    name: str
    """The account's name: the table's key in dialer.toml."""
    provider: Name
    """Which provider speaks for it; the account's name where left out."""
    base_url: Name | None = None
    """The API's address; the provider's documented one where left out."""
    token: SecretStr | None = None
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
    database_url: Name = "sqlite:///dialer.db"
    """The results database: `sqlite:///dialer.db`, or `postgresql://user@host/name`."""
    campaigns: Annotated[Path, Field(strict=False)] = Path("campaigns")
    """The folder that holds one folder per campaign."""
    accounts: dict[str, Account] = Field(default_factory=dict)
    """The accounts calls can be placed with, by name."""


def read_settings(file: Path | None = None, environment: dict[str, str] | None = None) -> Settings:
    """Return the settings of `file` (default: dialer.toml here, else built-in defaults)."""
    raise NotImplementedError(file, environment)  # replaced before the first command lands


def account_options(account: Account) -> dict[str, Any]:
    """Return the keys of the account that only its provider knows."""
    return dict(account.model_extra or {})
