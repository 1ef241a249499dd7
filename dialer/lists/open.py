"""A file of any format -> an open list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dialer.base.errors import BadInput
from dialer.lists.excel import open_excel
from dialer.lists.parquet import open_parquet
from dialer.lists.shape import ListFile
from dialer.lists.source import identify
from dialer.lists.text import open_text


def open_list(
    path: Path,
    sheets: Sequence[str] | None = None,
    phones: Sequence[str] = (),
    encoding: str | None = None,
) -> ListFile:
    """Return the open list: what was found in it, and its rows on demand.

    A text file is read once as a whole, to be sure of its encoding, which may be named instead of
    found (`cp1250`; what is no text has none, and is read as what it is). `sheets` names the
    sheets of an Excel workbook, in the order to read them; left out, every visible one is read that
    has one of the columns `phones`, or every visible one where none is named. `phones` also tell the
    header from a title above it.

    Raises:
        BadInput: the file cannot be read as a list; the message says why and how to mend it.
    """
    source = identify(path)
    if sheets is not None and source.format != "xlsx":
        raise BadInput(f"{path}: has no sheets, only an Excel workbook has; leave the sheets out")
    if source.format == "parquet":
        return open_parquet(source)
    if source.format == "xlsx":
        return open_excel(source, sheets, phones)
    return open_text(source, phones, encoding)
