"""What lists do to numbers before anyone parses them, undone where nothing is lost by it.

Every repair leaves a note. Where digits are lost (`9.19877E+11`) nothing is repaired: the text is damaged.
"""

from __future__ import annotations

import polars as pl

_QUOTES = "\"'“”„‟‘’‚‛`´"
_SEPARATOR = r"(?i)[;,|/\r\n]+|&|\s(?:or|and)\s"
_MARK = "\x1f"
_SCIENTIFIC = r"^\s*[+-]?(?:[0-9]+(?:[.,][0-9]+)?[eE]\+[0-9]{1,3}|[0-9](?:[.,][0-9]+)?[eE]-?[0-9]{1,3})\s*$"
_FLOAT = r"^(\s*\+?[0-9]{7,})(?:\.0+|,00?)\s*$"
_INVISIBLE = r"[\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF\p{Cc}&&[^\t\r\n]]"
_ODD_SPACE = r"[\t\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]"

DAMAGED = r"[=\"'“”„‟‘’‚‛`´]|[.,]0+[^0-9]*$|[0-9][eE][+0-9-]"
"""A text without this is neither quoted nor what a spreadsheet made of a number."""

MADE_A_NUMBER = r"[.,]0|[0-9][eE]"
"""A text without this is not what a spreadsheet made of a number, whatever quotes are around it."""

PARTED = r"[;,|/\r\n&]|(?i)\s(?:or|and)\s"
"""A text without this holds one number at most."""

HIDDEN = r"[\x00-\x1f\u00AD\u061C\u180E\u1680\u2000-\u200F\u2028-\u202F\u205F-\u2069\uFEFF]"
"""A text without this has no invisible characters and no unusual spaces."""


def unquote(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return the text without the quotes around it, and the note."""
    opened = rf"^\s*=?\s*[{_QUOTES}]+\s*"
    closed = rf"\s*[{_QUOTES}]+\s*$"
    bare = text.str.replace(opened, "").str.replace(closed, "")
    note = (
        pl.when(text.str.contains(r"^\s*=\s*[\"']"))
        .then(pl.lit('spreadsheet formula ="..." opened'))
        .when(text.str.contains(r"^\s*['‘’`´][^'‘’`´]*$"))
        .then(pl.lit("leading apostrophe dropped"))
        .when(text.str.contains(opened) | text.str.contains(closed))
        .then(pl.lit("quotes dropped"))
    )
    return bare, note


def split(text: pl.Expr) -> pl.Expr:
    """Return the numbers that somebody may have put into one cell, as a list of texts."""
    # ';ext=' and its like belong to one number, and so does ',,' (wait, then dial the extension).
    whole = text.str.contains(r"(?i);\s*(?:ext|phone-context|isub)=|,,")
    return pl.when(whole).then(pl.lit("")).otherwise(text.str.replace_all(_SEPARATOR, _MARK)).str.split(_MARK)


def said_of_part(rank: pl.Expr) -> pl.Expr:
    """Return the note about a cell of several numbers of which the one of this rank was chosen."""
    ordinal = (
        pl.when(rank == 1).then(pl.lit("1st"))
        .when(rank == 2).then(pl.lit("2nd"))
        .when(rank == 3).then(pl.lit("3rd"))
        .otherwise(pl.format("{}th", rank))
    )  # fmt: skip
    return pl.format("{} number of the cell used", ordinal)


def undamage(text: pl.Expr) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Return the text with float and scientific forms undone, the note, and whether digits are lost."""
    number = text.str.strip_chars().str.to_lowercase().str.replace(",", ".", literal=True)
    whole = number.str.extract(r"^\+?([0-9]+)")
    fraction = number.str.extract(r"\.([0-9]+)e").fill_null("")
    exponent = number.str.extract(r"e\+?([0-9]+)$").cast(pl.Int64, strict=False).fill_null(-1)
    scientific = text.str.contains(_SCIENTIFIC)
    # All digits are there when the point moves to their end; zeros behind it say nothing new.
    behind = fraction.str.slice(exponent.clip(lower_bound=0))
    digits = whole + fraction.str.slice(0, exponent.clip(lower_bound=0))
    enough = fraction.str.len_chars().cast(pl.Int64) >= exponent
    complete = scientific & enough & (behind.str.strip_chars("0") == "") & (exponent >= 6)
    float_text = text.str.contains(_FLOAT)
    mended = (
        pl.when(complete).then(digits).when(float_text).then(text.str.replace(_FLOAT, "${1}")).otherwise(text)
    )
    dropped = text.str.extract(r"([.,]0+)\s*$")
    note = (
        pl.when(complete)
        .then(pl.lit("scientific notation written out"))
        .when(float_text)
        .then(pl.format("spreadsheet {} dropped", dropped))
    )
    return mended, note, scientific & ~complete.fill_null(False)


def uncover(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return the text without invisible characters and with plain spaces, and whether that changed it."""
    plain = text.str.replace_all(_INVISIBLE, "").str.replace_all(_ODD_SPACE, " ")
    return plain, plain != text


def join_notes(*notes: pl.Expr) -> pl.Expr:
    """Return the notes that are there, joined; null where there is none."""
    joined = pl.concat_str(notes, separator="; ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)
