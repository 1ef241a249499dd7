"""How a gateway places a call: the request from its templates, and what its answer proves.

What is not said to be proof is not: a status in no list means that the call may have been placed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson

from dialer.base.errors import AccountStopped, BadInput, MaybeDialled, NotDialled, Refused, SubmitError
from dialer.providers.gateway.options import PLACED, STOPPED, THROTTLED, Call, GatewayOptions
from dialer.providers.gateway.paths import follow, read_path, text_at
from dialer.providers.gateway.records import plain
from dialer.providers.gateway.templates import Text, Tree, as_text
from dialer.providers.provider import Accepted, Submission
from dialer.providers.wire import Speaker, read_json, readable, retry_after_s

CALL_NAMES = ("phone", "phone_digits", "attempt_id", "agent", "from_number", "metadata", "token")

MEANINGS = {"placed": PLACED, "refused": (), "not_placed": (), "throttled": THROTTLED, "stopped": STOPPED}
"""What a status may mean, and which do where dialer.toml says nothing."""


class CallPlan:
    """One gateway's way to place a call, checked."""

    def __init__(self, options: GatewayOptions, who: Speaker, where: str) -> None:
        """Compile the templates. Raises BadInput."""
        call = options.call
        self._call = call
        self._who = who
        self._from_number = options.from_number
        where = f"{where}.call"
        self._path = Text(call.path, CALL_NAMES, f"{where}.path")
        self._body = Tree(call.body, CALL_NAMES, f"{where}.body")
        self._headers = {
            name: Text(text, CALL_NAMES, f"{where}.headers.{name}") for name, text in call.headers.items()
        }
        self.names = self._path.names | self._body.names
        for text in self._headers.values():
            self.names |= text.names
        self._own_id = call.execution_id == "{attempt_id}"
        self._id = () if self._own_id else read_path(call.execution_id, f"{where}.execution_id")
        self._status = read_path(call.status, f"{where}.status") if call.status else None
        self._meaning = _statuses(call, where)
        self._verdict = read_path(call.verdict.field, f"{where}.verdict.field") if call.verdict else ()
        self._words = _words(call, where)
        self._check(where)

    def request(
        self, submission: Submission, base_url: str, headers: Sequence[tuple[str, str]], token: str
    ) -> httpx.Request:
        """Return the request of a call. Raises Refused: its values cannot be written."""
        values = {
            "phone": submission.phone,
            "phone_digits": submission.phone.lstrip("+"),
            "attempt_id": submission.attempt_id,
            "agent": submission.agent,
            "from_number": submission.from_number or self._from_number,
            "metadata": submission.metadata,
            "token": token,
        }
        content, kind = b"", ""
        try:
            if self._call.method != "GET":
                content, kind = self._write(self._body.value(values))
            own = [(name.lower(), _one_line(text.fill(values))) for name, text in self._headers.items()]
            url = httpx.URL(base_url + self._path.fill_url(values))
        except (TypeError, ValueError, httpx.InvalidURL) as error:
            # The error's words may hold the values.
            raise Refused(
                "the call's values cannot be written as the template wants them", code="not_writable"
            ) from error
        names = {name for name, _ in own}
        typed = [("content-type", kind)] if kind and "content-type" not in names else []
        kept = [(name, value) for name, value in headers if name not in names]
        return httpx.Request(
            self._call.method,
            url,
            headers=[*kept, *own, *typed],
            content=content,
        )

    def read(self, response: httpx.Response, submission: Submission, said: str, now_us: int) -> Accepted:
        """Return the accepted call.

        Raises:
            NotDialled, Refused, AccountStopped, MaybeDialled: what else the answer means.
        """
        answer = read_json(response.content)
        status = response.status_code
        meaning = self._meaning.get(status, "unknown")
        if self._call.verdict is not None:
            word = text_at(answer, self._verdict)
            told = self._words.get(plain(word)) if word else None
            if told not in (None, "placed"):
                meaning = str(told)
                said = said or readable(word, self._who.secrets)
            elif told is None and meaning == "placed":
                raise self._maybe(status, said, "no word of [call.verdict].placed", "no_verdict")
        if meaning != "placed":
            raise self._error(meaning, response, said, now_us)
        execution_id = submission.attempt_id if self._own_id else text_at(answer, self._id)
        if not execution_id or len(execution_id) > 200 or not execution_id.isprintable():
            raise self._maybe(status, said, f"no id at '{self._call.execution_id}'", "no_execution_id")
        word_of = as_text(follow(answer, self._status) or "") if self._status is not None else ""
        return Accepted(execution_id, status, readable(word_of) or None)

    def _write(self, body: Any) -> tuple[bytes, str]:
        if self._call.encoding == "json":
            return orjson.dumps(body), "application/json"
        fields = {key: as_text(value) for key, value in body.items()}
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"

    def _error(self, meaning: str, response: httpx.Response, said: str, now_us: int) -> SubmitError:
        status = response.status_code
        code = f"http_{status}"
        told = f"{self._who} answered {status}" + (f" ({said})" if said else "")
        if meaning == "refused":
            return Refused(f"{told}; the call is not sent again", code=code, http_status=status)
        if meaning == "stopped":
            advice = "check the token, the balance, the agent and the address"
            return AccountStopped(f"{told}; {advice}", code=code, http_status=status)
        if meaning in ("throttled", "not_placed"):
            throttled = meaning == "throttled"
            why = "too many requests; the account slows down" if throttled else "no call was placed"
            return NotDialled(
                f"{told}: {why}",
                code=code,
                http_status=status,
                retry_after_s=retry_after_s(response.headers, now_us),
                throttled=throttled,
            )
        return MaybeDialled(f"{told}; the call may have been placed", code=code, http_status=status)

    def _maybe(self, status: int, said: str, flaw: str, code: str) -> MaybeDialled:
        told = f"{self._who} answered {status}" + (f" ({said})" if said else "")
        return MaybeDialled(
            f"{told} with {flaw}; the call may have been placed", code=code, http_status=status
        )

    def _check(self, where: str) -> None:
        if not self.names & {"phone", "phone_digits"}:
            raise BadInput(
                f"{where}: no template names {{phone}}, so the gateway could not know whom to call"
            )
        if self._own_id and "attempt_id" not in self.names:
            raise BadInput(
                f"{where}.execution_id = '{{attempt_id}}', but the request does not carry {{attempt_id}}"
            )
        if self._call.method == "GET" and self._call.body:
            raise BadInput(f"{where}.body: a GET has no body; put the placeholders into path")


def _statuses(call: Call, where: str) -> dict[int, str]:
    """Return what each status means: what is said there wins over what HTTP says."""
    said: dict[int, str] = {}
    for meaning in MEANINGS:
        if meaning not in call.model_fields_set:
            continue
        for status in getattr(call, meaning):
            before = said.setdefault(status, meaning)
            if before != meaning:
                raise BadInput(
                    f"{where}: {status} is in both {before} and {meaning}; leave it in one of them"
                )
    standing = {status: meaning for meaning, known in MEANINGS.items() for status in known}
    # A list that is given replaces its standing one.
    kept = {status: meaning for status, meaning in standing.items() if meaning not in call.model_fields_set}
    return kept | said


def _words(call: Call, where: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for meaning in ("placed", "refused", "not_placed", "stopped"):
        for word in getattr(call.verdict, meaning) if call.verdict else ():
            before = found.setdefault(plain(word), meaning)
            if before != meaning:
                raise BadInput(f"{where}.verdict: {word!r} is in both {before} and {meaning}")
    return found


def _one_line(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise ValueError("a header holds one line of plain characters")
    return text
