"""What lists do to numbers before anyone parses them, undone where nothing is lost by it.

Every repair leaves a note. Where digits are lost (`9.19877E+11`) nothing is repaired: the text is damaged.
Damage is found whatever stands around it (invisible characters, brackets, `tel:`, an extension), because
libphonenumber reads `1512345678.0` as a number of eleven digits, which is somebody else's.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import polars as pl

_QUOTES = "\"'“”„‟‘’‚‛`´"
NEW_LINES = r"\x0b\x0c\x1c-\x1e\u0085\u2028\u2029"
"""What programs write as the end of a line within a cell, besides CR and LF; for a class of a pattern."""
_INVISIBLE = r"[\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF\p{Cc}&&[^\t\r\n]]"
_ODD_SPACE = r"[\t\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]"
# The fraction of a number: bare and so long that anything may follow, or shorter, or in groups that points do
# not separate, where only what is no part of a number may follow.
_MORE = r"[;,|&\n].*|(?i:\s*(?:x|ext\.?)\s*[0-9]+)|[^0-9]*"
_FLOATS = (
    r"(?s)^([^0-9]*[0-9]{7,})((?:\.0+)+|,0{1,2})([^0-9.].*|\.[^0-9]*)?$",
    rf"(?s)^([^0-9]*[0-9]+)(\.0{{1,3}}|,0{{1,2}})({_MORE})$",
    rf"(?s)^((?:[^.,]|[^0-9.,][.,]+)*[0-9]{{4,}})(\.0{{1,3}})({_MORE})$",
)
_SCIENTIFIC = (
    r"(?s)^(?:[^0-9]*[^0-9A-Za-z_+])?(\+?)([0-9]+)(?:[.,]([0-9]+))?"
    r"[eE]([+-]?[0-9]{1,3})(?:[^0-9](?:[^0-9]*[0-9]){0,6}[^0-9]*)?$"
)
_UNDAMAGED = {"mended": pl.String, "note": pl.String, "lost": pl.Boolean}
_ASCII_OF = {"．": ".", "٫": ".", "Ｅ": "E", "ｅ": "e", "＋": "+", "－": "-"}
_CHARACTERS_WITH_DIGITS = 0x20000

_WIDE = r"\x80-\x{10FFFF}"
_NO_PRINT = r"[^\x20-\x7e]"
MADE_A_NUMBER = rf"[.,．٫](?:0|{_NO_PRINT})|[0-9{_WIDE}]{_NO_PRINT}*[eEｅＥ]{_NO_PRINT}*[0-9+\-{_WIDE}]"
"""A text without this is not what a spreadsheet made of a number, whatever is around it."""

DAMAGED = rf"[={_QUOTES}]|{MADE_A_NUMBER}"
"""A text without this is neither quoted nor what a spreadsheet made of a number."""

WORDED = r"\d\PL*[^\pL\d](?:\pL\PL+)*\pL{2}"
"""A text without this has no words behind its number."""

EXTENDED = r"(?i)(?:e?xt\pL*|int|anexo|доб|[x#＃~～])[:.．]?[\s,-]*\d|;\s*(?:ext|isub|phone-context)"
"""Letters in such a text may name an extension, or a parameter of a tel: URI."""

HIDDEN = r"[\x00-\x1f\x7f-\x9f\u00AD\u061C\u180E\u1680\u2000-\u200F\u2028-\u202F\u205F-\u2069\uFEFF]"
"""A text without this has no invisible characters and no unusual spaces."""


def uncover(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return the text without what is invisible, with plain spaces and lines, and whether that changed it."""
    lines = text.str.replace_all(f"[{NEW_LINES}]", "\n")
    plain = lines.str.replace_all(_INVISIBLE, "").str.replace_all(_ODD_SPACE, " ")
    return plain, plain != text


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


def undamage(texts: pl.Series) -> pl.DataFrame:
    """Return texts without float and scientific forms as `mended`, the `note`, and whether digits are `lost`.

    All are null for texts that no spreadsheet made. Invisible characters must have been dropped before.
    """
    made = texts.str.contains(MADE_A_NUMBER).fill_null(False)
    if not made.any():
        return pl.DataFrame(schema=_UNDAMAGED).clear(len(texts))
    text = pl.col("text")
    frame = pl.DataFrame({"text": texts}).select(pl.when(made).then(text))
    wide = frame["text"].str.contains(rf"[{_WIDE}]").arg_true()
    if len(wide):
        plain = frame["text"].gather(wide).str.replace_many(_ascii_of())
        frame = frame.with_columns(text=frame["text"].scatter(wide, plain))
    plus, whole, fraction, power = (
        text.str.extract(_SCIENTIFIC, group).fill_null("") for group in range(1, 5)
    )
    exponent = power.str.strip_chars_start("+").cast(pl.Int64, strict=False).fill_null(-1)
    scientific = text.str.contains(_SCIENTIFIC)
    # All digits are there when the point moves to their end; zeros behind it say nothing new.
    moved = exponent.clip(lower_bound=0)
    enough = (exponent >= 6) & (fraction.str.len_chars().cast(pl.Int64) >= exponent)
    complete = scientific & enough & (fraction.str.slice(moved).str.strip_chars("0") == "")
    zeros = pl.coalesce(text.str.extract(pattern, 2) for pattern in _FLOATS)
    without = text
    for pattern in _FLOATS:
        without = without.str.replace(pattern, "${1}${3}")
    return frame.select(
        mended=pl.when(complete)
        .then(plus + whole + fraction.str.slice(0, moved))
        .when(zeros.is_not_null())
        .then(without),
        note=pl.when(complete)
        .then(pl.lit("scientific notation written out"))
        .when(zeros.is_not_null())
        .then(pl.format("spreadsheet {} dropped", zeros)),
        lost=scientific & ~complete,
    )


def join_notes(*notes: pl.Expr) -> pl.Expr:
    """Return the notes that are there, joined; null where there is none."""
    joined = pl.concat_str(notes, separator="; ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)


@cache
def _ascii_of() -> dict[str, str]:
    """Return the digits of all scripts, and what else may stand in a float, each with its ASCII character."""
    digits = re.findall(r"(?![0-9])\d", "".join(map(chr, range(_CHARACTERS_WITH_DIGITS))))
    values = ((digit, unicodedata.decimal(digit, None)) for digit in digits)
    return {digit: str(value) for digit, value in values if value is not None} | _ASCII_OF
