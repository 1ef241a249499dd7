"""The deployment's own rules while a process runs: a changed file is heard, a broken one not followed."""

from __future__ import annotations

from pathlib import Path

import structlog

from dialer.base.errors import BadInput
from dialer.rules.rulebook import RuleBook, read_rulebook

log = structlog.get_logger()


class HeardRules:
    """The rules as their file says now, or as it said when it could be read last.

    What the file says counts once two looks in a row saw the same: a file that is half written might well be
    read, with rules missing.

    Raises:
        BadInput: the file cannot be read at the start.
    """

    def __init__(self, own_file: Path | None) -> None:
        self._file = own_file
        self._seen = self._settled = _content(own_file)
        self._book = read_rulebook(own_file)

    def look(self) -> RuleBook:
        """Look at the file, and return the rules that hold now; what came of a change is logged once."""
        content = _content(self._file)
        if content == self._seen != self._settled:
            self._settled = content
            self._read()
        self._seen = content
        return self._book

    def _read(self) -> None:
        try:
            book = read_rulebook(self._file)
        except BadInput as error:
            log.warning("rules.not_read", error=str(error), kept=self._book.version)
            return
        if book.version != self._book.version:
            log.info("rules.heard", version=book.version, before=self._book.version)
            self._book = book


def _content(file: Path | None) -> bytes | None:
    try:
        return file.read_bytes() if file is not None else None
    except OSError:  # gone for a moment, or for good: reading it as rules says so
        return None
