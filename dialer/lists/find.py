"""Patterns of a campaign file -> the list files they mean."""

from __future__ import annotations

from collections.abc import Sequence
from glob import glob
from pathlib import Path

from dialer.base.errors import BadInput
from dialer.lists.source import readable

SHOWN_FILES = 10
OPEN_IN_EXCEL = "~$"


def find_lists(patterns: Sequence[str], folder: Path) -> list[Path]:
    """Return the files that the patterns match, relative to `folder`, sorted, each once.

    `**` crosses folders. A name that exists as it is written is taken as that name, so that
    `list[1].csv` needs no escaping.

    Raises:
        BadInput: a pattern matches no file, or there is no pattern.
    """
    if not patterns:
        raise BadInput(f"{folder}: no list files are named, expected at least one pattern such as '*.csv'")
    if not folder.is_dir():
        raise BadInput(f"{folder}: is not a folder, so no list can be found in it")
    found: dict[Path, Path] = {}
    for pattern in patterns:
        for path in _matches(pattern, folder):
            found.setdefault(path.resolve(), path)
    return sorted(found.values())


def _matches(pattern: str, folder: Path) -> list[Path]:
    literal = folder / pattern
    # What is neither file nor folder is taken, too: whoever reads it says what it is.
    with readable(literal):
        if pattern and literal.exists() and not literal.is_dir():
            return [literal]
    matches = [folder / name for name in glob(pattern, root_dir=folder, recursive=True)]  # noqa: PTH207 absolute ones too
    # Excel keeps a file beside each workbook that somebody has open.
    files = [path for path in matches if path.is_file() and not path.name.startswith(OPEN_IN_EXCEL)]
    if files:
        return files
    folders = [path for path in matches if path.is_dir()]
    if folders:
        inside = (
            f"{folders[0].relative_to(folder) if folders[0].is_relative_to(folder) else folders[0]}/*.csv"
        )
        raise BadInput(
            f"{folder}: '{pattern}' matches a folder and no file; name the files in it, such as '{inside}'"
        )
    raise BadInput(f"{folder}: no file matches '{pattern}'; {_what_is_there(folder)}")


def _what_is_there(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    if not names:
        return "the folder holds no files"
    more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
    return f"the folder holds {', '.join(names[:SHOWN_FILES])}{more}"
