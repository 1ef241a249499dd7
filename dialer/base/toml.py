"""A TOML file as values that know where they stand: what a person wrote, and on which line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialer.base.errors import BadInput
from dialer.base.toml_lines import KeyPath, key_lines, line_of


@dataclass(frozen=True)
class TomlFile:
    """What a file says, and where it says it."""

    file: Path
    values: dict[str, Any]
    lines: Mapping[KeyPath, int]

    def where(self, path: KeyPath = ()) -> str:
        """Return `campaigns/spring/campaign.toml:12`, the place of a key, for a message."""
        return place(self.file, line_of(self.lines, path))


def read_toml(file: Path) -> TomlFile:
    """Return what `file` says.

    Raises:
        BadInput: the file is missing, cannot be read, is not UTF-8 or not TOML; with line and column.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise BadInput(f"{shown(file)}: there is no such file") from error
    except OSError as error:
        raise BadInput(f"{shown(file)}: cannot be read: {error.strerror or error}") from error
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{place(file, line)}: is not UTF-8 text; save it with that encoding") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(_malformed(file, text, str(error))) from error
    except RecursionError as error:
        raise BadInput(f"{shown(file)}: is nested too deeply to be read") from error
    return TomlFile(file, values, key_lines(text))


def place(file: Path, line: int | None) -> str:
    """Return `file:line`, as editors understand it."""
    return f"{shown(file)}:{line}" if line else shown(file)


def shown(path: Path) -> str:
    """Return the path as a person here would type it: relative where it lies below this folder."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


def _malformed(file: Path, text: str, message: str) -> str:
    what, line, column = message, text.count("\n") + 1, 1
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.DOTALL)
    if found and found[2]:
        what, line, column = found[1], int(found[2]), int(found[3])
    elif found:
        what, column = f"{found[1]} at the end of the file", len(text.rpartition("\n")[2]) + 1
    return f"{shown(file)}:{line}:{column}: not TOML: {what[0].lower()}{what[1:]}"
