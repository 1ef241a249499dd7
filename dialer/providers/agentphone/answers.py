"""What AgentPhone's answer to a submission means: a call under an id, or which error and what comes of it.

Source: docs.agentphone.to (calls, error handling), and the official SDKs for Python and TypeScript.
"""

from __future__ import annotations

import re
from typing import Any

import httpx

from dialer.base.clock import Clock
from dialer.base.errors import AccountStopped, MaybeDialled, NotDialled, SubmitError
from dialer.providers.agentphone.api import Complaint, complaint_of, usable_id
from dialer.providers.agentphone.records import text_of
from dialer.providers.provider import Accepted, Submission
from dialer.providers.wire import Speaker, Unsure, error_of_status

ROW_FIELDS = ("toNumber", "variables.")
"""Fields of a refusal that are about one call; a refusal that names another is about all of them."""


class Answers:
    """Reads the answers of one account; `status_503` says what a 503 means there."""

    def __init__(self, who: Speaker, clock: Clock, status_503: Unsure) -> None:
        self._who = who
        self._clock = clock
        self._status_503 = status_503

    def accepted(self, response: httpx.Response, answer: Any, submission: Submission) -> Accepted:
        """Return the accepted call of an answer of 2xx.

        Raises:
            MaybeDialled: it has no usable id, or tells of an error: the call may have been placed.
        """
        call_id = usable_id(answer.get("id")) if isinstance(answer, dict) else None
        failed = isinstance(answer, dict) and bool(answer.get("error"))
        if call_id is not None and not failed:
            return Accepted(call_id, response.status_code, text_of(answer.get("status")) or None)
        flaw = "error_in_answer" if failed else "no_call_id" if isinstance(answer, dict) else "not_json"
        said = self._complaint(answer, submission).words
        raise MaybeDialled(
            f"{self._who} answered {response.status_code} without a usable call id ({flaw}"
            f"{': ' if said else ''}{said}); the call may have been placed",
            code=flaw,
            http_status=response.status_code,
        )

    def error(self, response: httpx.Response, answer: Any, submission: Submission) -> SubmitError:
        """Return what an answer other than 2xx means, by its number, code and field."""
        status = response.status_code
        complaint = self._complaint(answer, submission)
        answered = f"{self._who} answered {status}" + (f" ({complaint.words})" if complaint.words else "")
        if status == 402 or (400 <= status < 500 and complaint.code == "INSUFFICIENT_BALANCE"):
            advice = "add funds to the account, then run the campaign again"
            return AccountStopped(f"{answered}; {advice}", code="insufficient_balance", http_status=status)
        if status == 404:
            advice = "check the campaign's agent and from_numbers: one of them does not exist or is not yours"
            code = _code_of(complaint) or "agent_not_found"
            return AccountStopped(f"{answered}; {advice}", code=code, http_status=status)
        if status in (400, 422) and complaint.field and not complaint.field.startswith(ROW_FIELDS):
            advice = (
                f"{complaint.field} is the same for every call: mend the campaign, the account or the agent"
            )
            return AccountStopped(f"{answered}; {advice}", code="settings_refused", http_status=status)
        error = error_of_status(response, complaint.words, self._who, self._clock.now_us(), self._status_503)
        error.code = _code_of(complaint) or error.code
        if isinstance(error, NotDialled) and error.retry_after_s is None:
            error.retry_after_s = reset_after_s(response.headers, self._clock.now_us())
        return error

    def _complaint(self, answer: Any, submission: Submission) -> Complaint:
        phone = submission.phone
        return complaint_of(answer, (*self._who.secrets, phone, phone[1:]))


def reset_after_s(headers: httpx.Headers, now_us: int) -> float | None:
    """Return the seconds until X-RateLimit-Reset (seconds since 1970); None without one."""
    text = headers.get("x-ratelimit-reset", "").strip()
    if re.fullmatch(r"[0-9]{9,11}(\.[0-9]{1,9})?", text) is None:
        return None
    return min(max(0.0, float(text) - now_us / 1e6), 3600.0)


def _code_of(complaint: Complaint) -> str | None:
    """Return the provider's code as a short word for tables, or None."""
    return complaint.code.lower() if re.fullmatch(r"[A-Z][A-Z0-9_]{2,60}", complaint.code) else None
