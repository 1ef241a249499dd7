"""The keys of an account that only Hamsa knows; what its documents leave open is a setting."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dialer.base.secrets import is_reference
from dialer.providers.wire import Unsure

E164 = r"\+[1-9][0-9]{6,14}"


class HamsaOptions(BaseModel):
    """Keys of an account that only Hamsa knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    auth_scheme: str = Field(default="Token", pattern=r"^[A-Za-z]*$")
    """The word before the key in `Authorization`; empty sends the bare key."""
    call_endpoint: Literal["call", "phone-number", "twilio"] = "call"
    """Which of the three documented paths starts a call; `phone-number` takes no webhook."""
    from_number: str | None = Field(default=None, pattern=f"^{E164}$")
    """The caller's number of campaigns that name none in `from_numbers`; one of the account's own."""
    attempt_id_key: str = Field(default="attempt_ref", min_length=1, max_length=64)
    """The key of `params` under which our attempt id travels with a call."""
    webhook_url: str | None = None
    """Where Hamsa delivers the events of each call: https, reachable from outside, hard to guess."""
    webhook_secret: str | None = None
    """`env:NAME` or `file:PATH`: what every delivery has to carry."""
    webhook_auth_name: str = Field(default="Token", pattern=r"^[A-Za-z][A-Za-z0-9-]{0,60}$")
    """`webhookAuth.authKey`: the word before the secret, or the header's name; both are accepted."""
    absence_is_proof: bool = False
    """Whether a call that the list of conversations does not show was surely not placed."""
    page_size: int = Field(default=200, ge=1, le=200)
    """Rows of one page of conversations; 200 is the documented most."""
    pages_max: int = Field(default=1000, ge=1)
    """Pages of one list, at most."""
    clock_margin_s: float = Field(default=120.0, ge=0, le=86_400)
    """How far Hamsa's clock may be behind ours."""
    terminated: Literal["completed", "no_answer", "failed", "canceled"] = "canceled"
    """The outcome of the status TERMINATED, which the documents name and do not explain."""
    details: bool = True
    """Whether a call that is over is read whole, for its recording: one request for each call."""
    job_id_key: str = "jobId"
    """The parameter of the page of one job, the only one that knows a cost; empty asks for no cost."""
    status_503: Unsure = "unknown"
    """What an answer 503 to a submission means: `unknown`, or `not_dialled` if they told you so."""

    @field_validator("webhook_url")
    @classmethod
    def _https(cls, url: str | None) -> str | None:
        if url is not None and re.fullmatch(r"https?://[^\s#@]+", url) is None:
            raise ValueError("expected an address such as https://dialer.example/webhooks/hamsa/k3x9")
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _reference(cls, secret: str | None) -> str | None:
        if secret is not None and not is_reference(secret):
            raise ValueError("expected where it is kept, 'env:NAME' or 'file:PATH'")
        return secret
