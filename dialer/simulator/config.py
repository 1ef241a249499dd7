"""What a pretend provider does, and what it does wrong: every fault is a field.

Rates are shares of the submissions, 0 to 1. At most one fault befalls a submission, so the rates of
`SimulatorConfig.fault_rates` together may not pass 1. In a fault's name `_before` says that no call
was placed and `_after` that one was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean

FAULTS = (
    "throttle_before",
    "refuse_before",
    "error_before",
    "error_after",
    "close_before",
    "close_after",
    "half_after",
    "hang_before",
    "hang_after",
    "not_json_after",
    "truncated_after",
    "error_true_after",
    "no_execution_id_after",
)
"""Every fault of a submission, in the order in which chance is dealt out."""

WEBHOOK_FAULTS = (
    "webhook_lost",
    "webhook_duplicate",
    "webhook_late",
    "webhook_reorder",
    "webhook_early",
    "webhook_stale",
    "webhook_bad_signature",
    "webhook_no_signature",
    "webhook_changed_body",
    "webhook_not_json",
)
"""Every fault of an event's delivery; at most one befalls an event."""

AUTH_STYLES = ("token", "api_access_token", "authorization", "bearer")
"""The ways in which a token may be sent."""

OUTCOME_SHARES = {
    "completed": 0.55,
    "no_answer": 0.22,
    "busy": 0.10,
    "voicemail": 0.08,
    "failed": 0.04,
    "canceled": 0.01,
}
"""What comes of placed calls where nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """One pretend provider. The same seed and order of requests give the same answers."""

    seed: int = 1
    """Chance of faults, outcomes and ids. A number's outcomes depend on seed, number and count only."""
    tokens: tuple[str, ...] = ("simulator-token",)
    """Tokens that are let in; each has its own request counters."""
    auth_styles: tuple[str, ...] = ("token", "api_access_token")
    """Header forms that are read: token, api_access_token, authorization, bearer."""
    agents: tuple[int, ...] | None = None
    """Agents that exist; none given means every one."""
    ledger_file: Path | None = None
    """JSON lines, one per placed call, written before the answer leaves; read again at the start."""

    latency_ms: tuple[float, float] = (0.0, 0.0)
    """Least and most milliseconds between placing a call and answering."""
    limit_per_second: int | None = None
    """Submissions let through in any sliding second, per token; 429 above."""
    requests_per_minute: int | None = None
    """Requests of every kind let through per token, counted anew each minute; 429 above."""
    calls_live_max: int | None = None
    """Calls alive at the same time; 429 above."""
    retry_after_share: float = 0.5
    """Share of the 429 answers that carry Retry-After."""
    retry_after_s: int = 1
    """What Retry-After asks for where it is not the rest of the minute."""
    retry_after_as_date: bool = False
    """Write Retry-After as an HTTP date."""
    retry_after_as_reset: bool = False
    """Say the wait as X-RateLimit-Reset (seconds since 1970) in place of Retry-After."""
    balance_calls: int | None = None
    """Calls that the account's balance pays for; 402 after them."""
    balance_status: int = 402
    """The status of an answer that says that the balance is spent: 402 or 400."""
    unauthorized_after: int | None = None
    """Requests after which every further one is answered 401."""

    throttle_before: float = 0.0
    """429, no call."""
    refuse_before: float = 0.0
    """422, no call."""
    error_before: float = 0.0
    """One of `error_statuses`, no call."""
    error_after: float = 0.0
    """One of `error_statuses`, although the call was placed."""
    close_before: float = 0.0
    """Connection closed without an answer, no call."""
    close_after: float = 0.0
    """Connection closed without an answer, although the call was placed."""
    half_after: float = 0.0
    """Connection closed in the middle of a good answer."""
    hang_before: float = 0.0
    """No answer for `hang_s`, no call."""
    hang_after: float = 0.0
    """No answer for `hang_s`, although the call was placed."""
    not_json_after: float = 0.0
    """200 with a page of HTML; the call was placed."""
    truncated_after: float = 0.0
    """200 with the first half of the JSON; the call was placed."""
    error_true_after: float = 0.0
    """200 with `"error": true`; the call was placed."""
    no_execution_id_after: float = 0.0
    """200 without `execution_id`; the call was placed."""
    error_statuses: tuple[int, ...] = (500, 502, 503, 504)
    """Statuses of `error_before`, `error_after` and `listing_error`."""
    close_by_reset: float = 0.5
    """Share of closed connections that end with a reset (RST) instead of a plain end (FIN)."""
    hang_s: float = 3600.0
    """How long a hanging request keeps its connection."""

    webhook_url: str | None = None
    """UnleashX: where events go, in an invented format; an agent's `session_data_webhook` wins."""
    webhook_lost: float = 0.0
    """Share of events that are never sent."""
    webhook_duplicate: float = 0.0
    """Share of events that are sent twice under the same delivery id."""
    webhook_late: float = 0.0
    """Share of events that are sent `webhook_late_s` too late."""
    webhook_reorder: float = 0.0
    """Share of events that are overtaken by the next one."""
    webhook_early: float = 0.0
    """Share of calls whose last event is sent before the submission is answered."""
    webhook_stale: float = 0.0
    """Share of events whose first try carries a timestamp of an hour ago."""
    webhook_bad_signature: float = 0.0
    """Share of events whose first try is signed with another secret."""
    webhook_no_signature: float = 0.0
    """Share of events whose first try is not signed."""
    webhook_changed_body: float = 0.0
    """Share of events whose first try was changed after it was signed."""
    webhook_not_json: float = 0.0
    """Share of events whose first try is half a body, rightly signed."""
    webhook_noise: float = 0.0
    """Share of events that come with one more that says nothing of a call: a test, an unknown subject."""
    webhook_late_s: float = 600.0
    """Seconds in the life of a call by which a late event is late."""

    webhook_auth: Literal["authorization", "header"] = "authorization"
    """Hamsa: `Authorization: NAME SECRET`, or a header called NAME that holds the secret."""
    webhook_bare: bool = False
    """Hamsa: events leave out every field that the documents' sample leaves out."""
    call_id_differs: bool = False
    """Hamsa: `callId` of an event is not the job's id."""
    success_flag: bool = False
    """Hamsa: what `success` says in a good answer to a call; its documents print false."""

    listing_delay_s: float = 0.0
    """Seconds until a placed call shows up in the lists."""
    listing_error: float = 0.0
    """Share of list requests that are answered with one of `error_statuses`."""
    page_size_default: int = 10
    """Rows of a page where the request does not say."""
    page_size_max: int = 1000
    """Rows of a page at most, whatever the request says."""
    newest_first: bool = True
    """Order of the lists."""
    metadata_searchable: bool = True
    """Rows show INPUT_DATA with the call's metadata, and `input_data` searches in it."""
    track_id_is_execution_id: bool = True
    """Rows show the execution id as TRACK_ID; otherwise TRACK_ID is something else."""
    pagination_block: bool = False
    """The list of executions carries a pagination block, as the list of transactions always does."""
    error_envelope: str = "error"
    """AgentPhone's error bodies: `error` for {"error": {...}}, `detail` for {"detail": ...}."""
    fine_statuses: bool = True
    """AgentPhone's records say `ringing`, `busy` and `no-answer`; otherwise `in-progress` and `failed`."""
    webhook_unanswered: bool = True
    """AgentPhone sends `agent.call_ended` for calls that nobody answered, too."""
    plan_in_usage: bool = True
    """AgentPhone's /v1/usage tells the plan with its limits."""
    recordings: bool = False
    """Calls are recorded."""
    messages_per_number: int = 3
    """Text messages that each number of the start has received."""
    dates_with_zone: bool = True
    """CREATED_AT as `2026-01-24T10:30:19.000Z`; otherwise as `2026-01-24 10:30:19`."""

    outcomes: dict[str, float] = field(default_factory=lambda: dict(OUTCOME_SHARES))
    """Shares of what comes of placed calls, by dialer's words; they need not add up to 1."""
    call_duration_s: tuple[float, float] = (10.0, 180.0)
    """Least and most seconds of talk of a completed call."""
    ring_s: tuple[float, float] = (3.0, 30.0)
    """Least and most seconds of ringing of any call."""
    time_scale: float = 1.0
    """Seconds in the life of a call that pass in one second: 60 ends a minute's call in a second."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises BadInput."""
        shares = (*FAULTS, *WEBHOOK_FAULTS, "retry_after_share", "close_by_reset", "listing_error")
        for name in (*shares, "webhook_noise"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise BadInput(f"simulator: {name} = {getattr(self, name)}, expected a share from 0 to 1")
        if sum(self.fault_rates.values()) > 1.0 + 1e-9:
            raise BadInput("simulator: the rates of all faults add up to more than 1")
        if sum(getattr(self, name) for name in WEBHOOK_FAULTS) > 1.0 + 1e-9:
            raise BadInput("simulator: the rates of all webhook faults add up to more than 1")
        for name in ("latency_ms", "call_duration_s", "ring_s"):
            least, most = getattr(self, name)
            if not 0.0 <= least <= most:
                raise BadInput(f"simulator: {name} = {least} to {most}, expected 0 <= least <= most")
        for name in (
            "limit_per_second",
            "requests_per_minute",
            "calls_live_max",
            "page_size_max",
            "time_scale",
        ):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise BadInput(f"simulator: {name} = {value}, expected more than 0")
        for style in self.auth_styles:
            if style not in AUTH_STYLES:
                raise BadInput(
                    f"simulator: auth style '{style}', expected one of {', '.join(AUTH_STYLES)}"
                    + did_you_mean(style, AUTH_STYLES)
                )
        if self.error_envelope not in ("error", "detail"):
            raise BadInput(
                f"simulator: error_envelope = '{self.error_envelope}', expected 'error' or 'detail'"
            )
        for word in self.outcomes:
            if word not in OUTCOME_SHARES:
                raise BadInput(
                    f"simulator: outcome '{word}', expected one of {', '.join(OUTCOME_SHARES)}"
                    + did_you_mean(word, OUTCOME_SHARES)
                )
        if not self.tokens or not self.error_statuses or sum(self.outcomes.values()) <= 0:
            raise BadInput("simulator: tokens, error_statuses and outcomes may not be empty")

    @property
    def fault_rates(self) -> dict[str, float]:
        """Return the rate of each fault of a submission."""
        return {name: getattr(self, name) for name in FAULTS}


READ_BY: dict[str, tuple[str, ...]] = {
    "agents": ("hamsa", "unleashx"),
    "page_size_max": ("http", "unleashx"),
    "auth_styles": ("unleashx",),
    "webhook_url": ("unleashx",),
    "page_size_default": ("unleashx",),
    "metadata_searchable": ("unleashx",),
    "track_id_is_execution_id": ("unleashx",),
    "pagination_block": ("unleashx",),
    "dates_with_zone": ("unleashx",),
    "webhook_auth": ("hamsa",),
    "webhook_bare": ("hamsa",),
    "call_id_differs": ("hamsa",),
    "success_flag": ("hamsa",),
    "webhook_noise": ("agentphone",),
    "error_envelope": ("agentphone",),
    "fine_statuses": ("agentphone",),
    "webhook_unanswered": ("agentphone",),
    "plan_in_usage": ("agentphone",),
    "messages_per_number": ("agentphone",),
}
"""The settings that not every simulator reads, and whose it is."""


def refuse_unread(config: SimulatorConfig, provider: str) -> None:
    """Refuse a setting that the provider's simulator would pass over in silence.

    Raises:
        BadInput: it is not as it is by default, and only others read it.
    """
    usual = SimulatorConfig()
    for name, readers in READ_BY.items():
        if provider not in readers and getattr(config, name) != getattr(usual, name):
            told, whose = name.replace("_", "-"), ", ".join(readers)
            raise BadInput(f"simulate {provider}: it knows no {told}, which is for {whose}")


def read_config(values: dict[str, object]) -> SimulatorConfig:
    """Return the config of a mapping as it comes from JSON: lists for tuples, text for paths.

    Raises:
        BadInput: a key is unknown or a value cannot be meant.
    """
    known = {each.name for each in fields(SimulatorConfig)}
    given: dict[str, object] = {}
    for key, value in values.items():
        if key not in known:
            raise BadInput(f"simulator: no setting '{key}'{did_you_mean(key, known)}")
        given[key] = tuple(value) if isinstance(value, list) else value
    if isinstance(given.get("ledger_file"), str):
        given["ledger_file"] = Path(str(given["ledger_file"]))
    return SimulatorConfig(**given)  # type: ignore[arg-type]
