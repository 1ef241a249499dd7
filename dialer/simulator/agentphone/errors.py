"""AgentPhone, pretended: what goes wrong, in either of its two envelopes."""

from __future__ import annotations

from typing import Any


class Problem(Exception):
    """An answer other than success."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        group: str,
        *,
        field: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.group = group
        self.field = field
        self.headers = headers

    def body(self, envelope: str) -> dict[str, Any]:
        """Return the body: `{"error": {...}}`, or `{"detail": ...}` as the older API had it."""
        if envelope == "error":
            details = [] if self.field is None else [self._detail()]
            error = {"message": self.message, "code": self.code, "type": self.group, "details": details}
            return {"error": error}
        if self.status != 422 or self.field is None:
            return {"detail": self.message}
        where = ["body", *(part for part in self.field.split(".") if part)]
        return {"detail": [{"loc": where, "msg": self.message, "type": "value_error"}]}

    def _detail(self) -> dict[str, Any]:
        return {"field": self.field, "message": self.message, "type": "value_error"}


def invalid(field: str, message: str, status: int = 400) -> Problem:
    """Return the problem of a field with a value that cannot be meant."""
    return Problem(status, message, "VALIDATION_ERROR", "validation_error", field=field)


def missing(field: str) -> Problem:
    """Return the problem of a field that is not there."""
    return invalid(field, "field required", 422)


def not_found(message: str, code: str = "NOT_FOUND") -> Problem:
    """Return the problem of a record that does not exist, or is another account's."""
    return Problem(404, message, code, "not_found")
