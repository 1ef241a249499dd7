"""The keys of an account that only AgentPhone knows: what every call carries, and what is not documented."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from dialer.base.secrets import is_reference
from dialer.providers.wire import Unsure


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class AgentPhoneOptions(BaseModel):
    """Keys of an account that only AgentPhone knows."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )

    webhook_secret: Annotated[tuple[str, ...], BeforeValidator(_one_or_more)] = Field(default=(), repr=False)
    """`env:NAME` or `file:PATH` of the webhook's secret; two while it is being changed."""
    sub_account: str | None = Field(default=None, pattern=r"^[!-~]{1,128}$")
    """The sub-account to act for; left out, the master account."""
    variables: bool = True
    """Send metadata as `variables`, for `{{name}}` in prompt and greeting; webhook-mode agents take none."""
    system_prompt: str | None = Field(default=None, min_length=1)
    """What the built-in model is told; left out, the agent's own prompt, or its webhook, talks."""
    initial_greeting: str | None = Field(default=None, min_length=1)
    """The first words, spoken on answer."""
    voice: str | None = Field(default=None, min_length=1)
    """A voice other than the agent's."""
    model_tier: Literal["turbo", "balanced", "max"] | None = None
    """The built-in model's size; only with `system_prompt`."""
    disable_recording: bool = False
    """Keep no recording of the calls."""
    call_screening_identity: str | None = Field(default=None, min_length=1)
    """Who is calling, for phones that ask before they ring; with `call_screening_purpose`."""
    call_screening_purpose: str | None = Field(default=None, min_length=1)
    """Why, for phones that ask before they ring."""
    price_per_minute: float | None = Field(default=None, ge=0)
    """Dollars per minute of talk, for the cost of calls: the API tells none. Left out, cost stays unknown."""
    event_wait_s: float = Field(default=60.0, ge=0, le=3600)
    """How long polling leaves a call that ended to its webhook, which tells voicemail and refusal apart."""
    page_size: int = Field(default=100, ge=1, le=100)
    """Rows of one page of a list."""
    clock_margin_s: float = Field(default=60.0, ge=0, le=86_400)
    """How far the provider's clock may be behind ours."""
    absence_is_proof: bool = False
    """Whether a call that is not listed `listing_delay_s` after it was sent was surely not placed."""
    status_503: Unsure = "unknown"
    """What an answer 503 to a submission means: `unknown`, or `not_dialled` if they told you so."""

    @field_validator("webhook_secret")
    @classmethod
    def _references(cls, secrets: tuple[str, ...]) -> tuple[str, ...]:
        if not all(is_reference(each) for each in secrets):
            raise ValueError("expected where the secret is kept, 'env:NAME' or 'file:PATH'")
        if len(secrets) > 2:
            raise ValueError("expected one secret, or two while it is being changed")
        return secrets


def constant_fields(options: AgentPhoneOptions) -> dict[str, Any]:
    """Return the fields that every call of the account carries; only what was said."""
    fields = {
        "systemPrompt": options.system_prompt,
        "initialGreeting": options.initial_greeting,
        "voice": options.voice,
        "modelTier": options.model_tier,
        "disableRecording": options.disable_recording or None,
        "callScreeningIdentity": options.call_screening_identity,
        "callScreeningPurpose": options.call_screening_purpose,
    }
    return {name: value for name, value in fields.items() if value is not None}
