"""Templates of dialer.toml: texts with `{phone}` in them, and trees of such texts.

A text that is one placeholder and nothing else becomes the value itself, so that `"{metadata}"` is an
object and a number stays a number; where there is no value, its key is left out. Within a longer text a
missing value is nothing. `{{` and `}}` are braces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean

MISSING: Final = object()
"""What a placeholder without a value becomes."""

_PIECES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

Values = Mapping[str, Any]


class Text:
    """One text with its placeholders, checked."""

    def __init__(self, text: str, known: Iterable[str], where: str) -> None:
        """Read a template. Raises BadInput: a placeholder that is not known, or a brace alone."""
        self._pieces: list[tuple[str, str | None]] = []
        self.names: set[str] = set()
        at = 0
        for found in _PIECES.finditer(text):
            self._pieces.append((text[at : found.start()], None))
            at = found.end()
            name = found.group(1)
            if found.group() in ("{{", "}}"):
                self._pieces.append((found.group()[0], None))
            elif name is None:
                raise BadInput(
                    f"{where} = {text!r}: a brace without its other half; write {{{{ or }}}} for one"
                )
            else:
                _check(name, set(known), where)
                self._pieces.append(("", name))
                self.names.add(name)
        self._pieces.append((text[at:], None))
        self._pieces = [(said, name) for said, name in self._pieces if said or name]

    def value(self, values: Values) -> Any:
        """Return the value of the only placeholder as it is, else the text filled in."""
        if len(self._pieces) == 1 and self._pieces[0][1] is not None:
            return look(values, self._pieces[0][1])
        return self.fill(values)

    def fill(self, values: Values, escape: Callable[[str], str] = str) -> str:
        """Return the text with every placeholder filled in by `escape` of its value."""
        parts = (said if name is None else escape(as_text(look(values, name))) for said, name in self._pieces)
        return "".join(parts)

    def fill_url(self, values: Values) -> str:
        """Return the text filled in, each value fit for a part of an address."""
        return self.fill(values, lambda text: quote(text, safe=""))


class Tree:
    """A template of JSON: tables and lists, with texts as their leaves."""

    def __init__(self, tree: Any, known: Iterable[str], where: str) -> None:
        """Read a template. Raises BadInput."""
        known = set(known)
        self.names: set[str] = set()
        self._root = self._read(tree, known, where)

    def value(self, values: Values) -> Any:
        """Return the JSON that the tree becomes; keys without a value are left out."""
        return _grow(self._root, values)

    def _read(self, node: Any, known: set[str], where: str) -> Any:
        if isinstance(node, Mapping):
            return {key: self._read(each, known, f"{where}.{key}") for key, each in node.items()}
        if isinstance(node, list):
            return [self._read(each, known, f"{where}[{place}]") for place, each in enumerate(node)]
        if not isinstance(node, str):
            return node
        text = Text(node, known, where)
        self.names |= text.names
        return text


def look(values: Values, name: str) -> Any:
    """Return the value of a placeholder; `metadata.city` looks into the metadata."""
    table, dot, key = name.partition(".")
    if not dot:
        found = values.get(name)
    else:
        inside = values.get(table)
        found = inside.get(key) if isinstance(inside, Mapping) else None
    return MISSING if found is None else found


def as_text(value: Any) -> str:
    """Return a value as a text holds it: JSON for tables and lists, nothing where it is missing."""
    if value is MISSING:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _grow(node: Any, values: Values) -> Any:
    if isinstance(node, dict):
        grown = ((key, _grow(each, values)) for key, each in node.items())
        return {key: each for key, each in grown if each is not MISSING}
    if isinstance(node, list):
        return [each for each in (_grow(one, values) for one in node) if each is not MISSING]
    return node.value(values) if isinstance(node, Text) else node


def _check(name: str, known: set[str], where: str) -> None:
    if name in known or ("metadata" in known and re.fullmatch(r"metadata\.[^.{}]+", name)):
        return
    names = ", ".join(f"{{{each}}}" for each in sorted(known))
    raise BadInput(f"{where}: nothing is called {{{name}}}{did_you_mean(name, known)}; there is: {names}")
