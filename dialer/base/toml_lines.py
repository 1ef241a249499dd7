"""On which line each key of a TOML text stands; tomllib reads values but does not say where from.

`key_lines(text)` walks over a text that tomllib has accepted, so it need not judge it, only find its
way: table headers, dotted and quoted keys, inline tables, arrays, and texts over many lines.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress

KeyPath = tuple[str | int, ...]
"""The way to a value: `("call", "metadata", "reason")`; elements of arrays by their index."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_TEXT = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'", re.DOTALL
)
# Numbers, moments (which may hold a space) and true/false end where the next thing begins.
_PLAIN = re.compile(r"[^,\]}#\r\n]+")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, counted from 1, of every key, table and array element in `text`.

    What cannot be found is left out; nothing is raised. Ask with `line_of`.
    """
    scanner = _Scanner(text)
    with suppress(_Lost, tomllib.TOMLDecodeError, RecursionError):
        scanner.document()
    return scanner.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of `path`, or of the nearest table around it; None for the whole file."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


class _Lost(Exception):
    """The text is not what TOML allows here."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._counted_to = 0
        self._line = 1
        self._tables_in: dict[KeyPath, int] = {}  # arrays of tables: how many so far

    def document(self) -> None:
        table: KeyPath = ()
        while self._more():
            if self._take("[["):
                table = self._next_table(self._header("]]"))
            elif self._take("["):
                table = self._resolved(self._header("]"))
            else:
                self._pair(table)

    def _next_table(self, keys: list[tuple[str, int]]) -> KeyPath:
        *around, (last, line) = keys
        array = (*self._resolved(around), last)
        index = self._tables_in.get(array, 0)
        self._tables_in[array] = index + 1
        self.lines.setdefault(array, line)
        self.lines[(*array, index)] = line
        return (*array, index)

    def _resolved(self, keys: list[tuple[str, int]]) -> KeyPath:
        """Return the path of a header: a name of an array of tables means its latest table."""
        path: KeyPath = ()
        for key, line in keys:
            path = (*path, key)
            self.lines.setdefault(path, line)
            if path in self._tables_in:
                path = (*path, self._tables_in[path] - 1)
        return path

    def _header(self, end: str) -> list[tuple[str, int]]:
        keys = self._keys()
        self._expect(end)
        return keys

    def _pair(self, table: KeyPath) -> None:
        path = table
        for key, line in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._expect("=")
        self._value(path)

    def _keys(self) -> list[tuple[str, int]]:
        keys = [self._key()]
        while self._take("."):
            keys.append(self._key())
        return keys

    def _key(self) -> tuple[str, int]:
        line = self._here()
        if self.text[self.at : self.at + 1] in ("'", '"'):
            # Escapes mean in a key what they mean in a text.
            return tomllib.loads(f"k = {self._match(_TEXT)}")["k"], line
        return self._match(_BARE_KEY), line

    def _value(self, path: KeyPath) -> None:
        if self._take("["):
            index = 0
            while not self._take("]"):
                self.lines[(*path, index)] = self._here()
                self._value((*path, index))
                self._take(",")
                index += 1
        elif self._take("{"):
            while not self._take("}"):
                self._pair(path)
                self._take(",")
        elif self.text[self.at : self.at + 1] in ("'", '"'):
            self._match(_TEXT)
        else:
            self._match(_PLAIN)

    def _more(self) -> bool:
        self._skip_blank()
        return self.at < len(self.text)

    def _skip_blank(self) -> None:
        blank = _BLANK.match(self.text, self.at)
        self.at = blank.end() if blank else self.at

    def _take(self, sign: str) -> bool:
        self._skip_blank()
        taken = self.text.startswith(sign, self.at)
        if taken:
            self.at += len(sign)
            self._skip_blank()
        return taken

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise _Lost

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _Lost
        self.at = found.end()
        return found.group()

    def _here(self) -> int:
        self._line += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        return self._line
