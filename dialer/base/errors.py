"""Every error of dialer, one tree; each class carries one sentence that is true of every case.

    DialerError
    ├── BadInput            the caller must change something; nothing was written        exit 2
    ├── NotReady            a database or a provider cannot be used now                  exit 1
    ├── Busy                somebody else holds it; trying again later will work         exit 75
    ├── Stopped             a breaker or the provider stopped the campaign; resumable    exit 3
    ├── NeedsPerson         the data wants a decision or a look by a person              exit 4
    └── SubmitError         a submission did not end with an accepted call
        ├── NotDialled      the provider surely placed no call: sending again is safe
        ├── Refused         surely not placed, and it never will be with this input
        ├── AccountStopped  surely not placed, and no other call of this account would be
        └── MaybeDialled    the request left and no usable answer came: never send again blindly

Messages say what happened, to what, and what to do next. They hold ids, never phone numbers or
secrets.
"""

from __future__ import annotations


class DialerError(Exception):
    """Something that a user is told in one message, without a traceback."""

    exit_code = 1


class BadInput(DialerError):
    """The caller must change something; nothing was written."""

    exit_code = 2


class NotReady(DialerError):
    """A database or a provider cannot be used now."""

    exit_code = 1


class Busy(DialerError):
    """Somebody else holds it; trying again later will work."""

    exit_code = 75


class Stopped(DialerError):
    """A breaker or the provider stopped the campaign; everything is as it was and can go on."""

    exit_code = 3


class NeedsPerson(DialerError):
    """The data wants a decision or a look by a person."""

    exit_code = 4


class SubmitError(DialerError):
    """A submission did not end with an accepted call.

    `code` is a short word for tables (`connect_refused`, `http_503`, `read_timeout`), `http_status`
    the status where an answer came.
    """

    def __init__(self, message: str, *, code: str, http_status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status


class NotDialled(SubmitError):
    """The provider surely placed no call: sending again is safe.

    `retry_after_s` is what the provider asked for, in seconds from now. `throttled` says that the
    provider found the account too fast (429), so that the whole account slows down.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        http_status: int | None = None,
        retry_after_s: float | None = None,
        throttled: bool = False,
    ) -> None:
        super().__init__(message, code=code, http_status=http_status)
        self.retry_after_s = retry_after_s
        self.throttled = throttled


class Refused(SubmitError):
    """Surely not placed, and it never will be with this input."""


class AccountStopped(SubmitError):
    """Surely not placed, and no other call of this account or agent would be."""


class MaybeDialled(SubmitError):
    """The request left and no usable answer came: never send again blindly."""
