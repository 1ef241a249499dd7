"""Keys of an account that only UnleashX knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dialer.providers.wire import Unsure

AUTH_HEADERS: dict[str, Callable[[str], tuple[str, str]]] = {
    "token": lambda token: ("token", token),
    "api_access_token": lambda token: ("api_access_token", token),
    "authorization": lambda token: ("authorization", token),
    "bearer": lambda token: ("authorization", f"Bearer {token}"),
}
"""The header that carries the token; exactly one is sent, and never another one after a 401."""


class UnleashXOptions(BaseModel):
    """Keys of an account that only UnleashX knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    auth_style: Literal["token", "api_access_token", "authorization", "bearer"] = "token"
    """The header that carries the token."""
    attempt_id_key: str = Field(default="dialer_attempt_id", min_length=1, max_length=64)
    """The key of `metadata` under which our attempt id travels with a call."""
    page_size: int = Field(default=100, ge=1, le=1000)
    """Rows of one page of a list."""
    pages_max: int = Field(default=1000, ge=1)
    """Pages of one list, at most; more is taken for a list that does not end."""
    status_503: Unsure = "unknown"
    """What an answer 503 to a submission means: `unknown`, or `not_dialled` if they told you so."""
    date_format: str = Field(default="%Y-%m-%d", min_length=2)
    """How dates are written in the filters of lists, as strftime wants it."""
    time_zone: str | None = None
    """The zone of dates that come without one; left out, they are read as UTC with a wide margin."""
    clock_margin_s: float = Field(default=120.0, ge=0, le=86_400)
    """How far the provider's clock may be behind ours."""
    track_id_is_execution_id: bool = True
    """Whether a TRACK_ID that is a UUID is the execution id."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError):
                raise ValueError("expected an IANA name such as Asia/Kolkata") from None
        return name
