"""What a submission's result means for the ledger and for the contact: the decision, in one place.

| result | attempt | contact |
| --- | --- | --- |
| accepted | `accepted` | `calling` |
| Refused | `refused` | `refused`, never again |
| NotDialled | `not_dialled` | `waiting`, again after a pause |
| AccountStopped | `not_dialled` | `waiting`, as it was; the campaign stops |
| MaybeDialled | `unknown` | `unknown`, looked up, never sent again blindly |
| withdrawn (never left) | `not_dialled` | `waiting`, as it was |
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tenacity import RetryCallState
from tenacity.wait import wait_exponential_jitter

from dialer.attempts.answered import Answer
from dialer.base.errors import AccountStopped, MaybeDialled, NotDialled, Refused, SubmitError
from dialer.calls.claim import Call
from dialer.providers.provider import Accepted

RETRY_FIRST_S = 1.0
RETRY_MAX_S = 300.0
FIRST_LOOKUP_S = 1.0


def answer_for(
    attempt_id: str,
    call: Call,
    result: Accepted | SubmitError,
    *,
    sent_at_us: int,
    answered_at_us: int,
    retry_wait_s: Callable[[int], float],
) -> Answer:
    """Return what the ledger writes for a submission that left at `sent_at_us` and ended in `result`."""
    if isinstance(result, Accepted):
        return Answer(
            attempt_id,
            "accepted",
            clean(result.execution_id),
            clean(result.status),
            result.http_status,
            None,
            None,
            sent_at_us,
            answered_at_us,
            None,
            call.contact_id,
            "calling",
            None,
            call.call_number,
            call.attempt_number,
            0,
            sent_at_us,
        )
    if isinstance(result, NotDialled) and result.code == "withdrawn":
        return withdrawal(attempt_id, call, answered_at_us)
    state, status, reason = _fate(result)
    placed = state == "unknown"
    wait_s = 0.0
    if isinstance(result, NotDialled):
        wait_s = max(result.retry_after_s or 0.0, retry_wait_s(call.attempt_number))
    return Answer(
        attempt_id,
        state,
        None,
        None,
        result.http_status,
        result.code,
        clean(str(result)),
        sent_at_us,
        answered_at_us,
        answered_at_us + round(FIRST_LOOKUP_S * 1e6) if placed else None,
        call.contact_id,
        status,
        clean(reason),
        call.call_number if placed else call.calls,
        call.attempt_number,
        answered_at_us + round(wait_s * 1e6) if wait_s else call.next_call_at_us,
        sent_at_us if placed else None,
    )


def withdrawal(attempt_id: str, call: Call, now_us: int) -> Answer:
    """Return what the ledger writes for an attempt that was opened and never left."""
    return Answer(
        attempt_id,
        "not_dialled",
        None,
        None,
        None,
        "withdrawn",
        "opened, but not sent: the worker stopped or the account was held before its turn came",
        None,
        now_us,
        None,
        call.contact_id,
        "waiting",
        None,
        call.calls,
        call.tries,
        call.next_call_at_us,
        None,
    )


def retry_wait(random: Random) -> Callable[[int], float]:
    """Return how long to wait after the n-th attempt of a call that was surely not dialled, in seconds.

    Exponential with jitter: about 1, 2, 4, ... up to 300 seconds.
    """
    exponential = wait_exponential_jitter(multiplier=RETRY_FIRST_S, max=RETRY_MAX_S, jitter=0)

    def wait_s(attempt_number: int) -> float:
        state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
        state.attempt_number = attempt_number
        return exponential(state) * random.uniform(0.75, 1.25)

    return wait_s


def clean(words: str | None) -> str | None:
    """Return the text as every database can keep it: no NUL, no lone surrogates, at most 500 characters."""
    if words is None or (words.isascii() and len(words) <= 500 and "\0" not in words):
        return words
    return words.replace("\0", "").encode("utf-8", "replace").decode()[:500]


def _fate(error: SubmitError) -> tuple[str, str, str]:
    match error:
        case Refused():
            return "refused", "refused", str(error)
        case NotDialled():
            return "not_dialled", "waiting", error.code
        case AccountStopped():
            return "not_dialled", "waiting", error.code
        case MaybeDialled():
            return "unknown", "unknown", error.code
    raise AssertionError(error)
