"""Texts that hold more than digits and marks: labels, extensions, letters, URIs, unusual characters.

Done is what libphonenumber does before it looks at digits: what is in front and behind is cut off, the rest
must look like a number, an extension is taken off its end, letters become digits. The regular expressions
are those of `phonenumberutil`, cut down to ASCII, into which other characters are folded first where they
mean the same. What cannot be folded is left to `phonenumbers`.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from dialer.contacts.numbers import I64, Flags, Sparse

_TEXT_MAX = 250

_MARK = r"-x ()\[\]./~"
_VIABLE_BODY = rf"[+]*(?:[{_MARK}*]*[0-9]){{3,}}[{_MARK}*A-Za-z0-9]*"
_GAP, _AFTER_LABEL = r"[ \t,]*", r"[:.]?[ \t,-]*"
_EXTENSION = "|".join(
    (
        r";ext=[0-9]{1,20}",
        rf"{_GAP}(?:e?xt(?:ensio)?n?|anexo){_AFTER_LABEL}[0-9]{{1,20}}#?",
        rf"{_GAP}(?:[x#~]|int){_AFTER_LABEL}[0-9]{{1,9}}#?",
        r"[- ]+[0-9]{1,6}#",
        rf"[ \t]*(?:,{{2}}|;){_AFTER_LABEL}[0-9]{{1,15}}#?",
        rf"[ \t]*,+{_AFTER_LABEL}[0-9]{{1,9}}#?",
    )
)
_AT_END = rf"(?i)(?:{_EXTENSION})$"
_VIABLE = rf"(?i)^(?:[0-9]{{2}}|{_VIABLE_BODY}(?:{_EXTENSION})?)$"
_MAY_EXTEND = r"[x#~;,X]|(?i:ext|xt|int|anexo)"

_CONTEXT = r";phone-context="
_GLOBAL_CONTEXT = r"^[+][-.()0-9]*[0-9][-.()0-9]*$"
_DOMAIN_CONTEXT = r"^(?:[A-Za-z0-9]+(?:-*[A-Za-z0-9])*\.)*[A-Za-z]+(?:-*[A-Za-z0-9])*\.?$"

_KEYPAD = {
    letter: digit
    for digit, letters in zip(
        "23456789", ["ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ"], strict=True
    )
    for letter in letters
}
_FOLDED = {
    # Marks inside of numbers, but never of extensions: a parenthesis is that as well.
    **dict.fromkeys(
        "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff0d\uff0f\u3000\u2060\u200b\u00ad", "("
    ),
    **dict.fromkeys("\uff08\uff09\uff3b\uff3d\u2053\u223c", "("),
    "\uff0e": ".",
    "\uff5e": "~",
    "\uff0b": "+",
    "\u00a0": " ",
}


class Folded(NamedTuple):
    """Texts in ASCII; `trimmed` begins with the first digit or + and ends with the number.

    `ask` marks texts for `phonenumbers`, `special` those of which more must be known than `trimmed`.
    """

    text: pl.Series
    trimmed: pl.Series
    ask: Flags
    special: Flags

    def of(self, rows: I64) -> Folded:
        """Return the same for some of the rows."""
        return Folded(self.text.gather(rows), self.trimmed.gather(rows), self.ask[rows], self.special[rows])


class Cleaned(NamedTuple):
    """Per text: digits with or without a + in front, null where it does not look like a number.

    `extension` is sparse; `ask` marks texts for `phonenumbers`; `long` those of more than 250 characters.
    """

    text: pl.Series
    extension: Sparse
    ask: Flags
    long: Flags


def fold(texts: pl.Series) -> Folded:
    """Return the texts without labels in front, wrappings and unusual characters, where that is enough."""
    folded, ask = _in_ascii(texts.fill_null(""))
    frame = pl.DataFrame({"text": folded, "size": texts.fill_null("").str.len_bytes()})
    special = (pl.col("size") > _TEXT_MAX) | pl.col("text").str.contains(_CONTEXT, literal=True)
    frame = frame.with_columns(trimmed=_trimmed(pl.col("text")), special=special)
    return Folded(folded, frame["trimmed"], ask, ask | frame["special"].to_numpy())


def clean(texts: pl.Series, folded: Folded) -> Cleaned:
    """Return what libphonenumber would go on with."""
    frame = pl.DataFrame(
        {"raw": texts.fill_null(""), "text": folded.text, "trimmed": folded.trimmed, "ask": folded.ask}
    )
    frame = frame.with_columns(long=pl.col("raw").str.len_chars() > _TEXT_MAX).with_columns(_start())
    frame = frame.with_columns(
        text=pl.when(pl.col("text").str.contains(";isub=", literal=True))
        .then(pl.col("text").str.replace(r"(?s)^(.+?);isub=.*$", "${1}"))
        .otherwise(pl.col("text")),
    )
    frame = frame.with_columns(viable=pl.col("text").str.contains(_VIABLE))
    extended = np.flatnonzero(
        frame.select(pl.col("viable") & pl.col("text").str.contains(_MAY_EXTEND)).to_series()
    )
    number, extension = frame["text"], Sparse.empty()
    if len(extended):
        number, extension = _without_extension(number, extended)
    return Cleaned(
        _digits(number, frame["viable"]), extension, frame["ask"].to_numpy().copy(), frame["long"].to_numpy()
    )


def _trimmed(text: pl.Expr) -> pl.Expr:
    return text.str.replace(r"(?s)^[^+0-9]*", "").str.replace(r"(?s)[^#A-Za-z0-9]+$", "")


def _start() -> list[pl.Expr]:
    """Return the text from the first digit or + to the end of the number, and what to ask."""
    text = pl.col("text")
    plain = pl.col("trimmed").str.replace(r"(?s)[\\/] *x.*$", "")
    context = text.str.contains(_CONTEXT, literal=True)
    where = text.str.extract(r"(?s);phone-context=([^;]*)").fill_null("")
    number = text.str.replace(r"(?s);phone-context=.*$", "").str.replace(r"^tel:", "")
    international = where.str.contains(_GLOBAL_CONTEXT)
    joined = (
        pl.when(international)
        .then(where + number)
        .when(where.str.contains(_DOMAIN_CONTEXT))
        .then(number)
        .otherwise(pl.lit(""))
    )
    unclear = context & (
        ~pl.col("raw").str.contains(r"^[ -~]*$")
        | pl.col("raw").str.replace("^tel:", "").str.contains("tel:", literal=True)
    )
    return [
        pl.when(context).then(joined).otherwise(plain).alias("text"),
        (pl.col("ask") | unclear).alias("ask"),
    ]


def _without_extension(texts: pl.Series, rows: I64) -> tuple[pl.Series, Sparse]:
    """Return the texts without extensions, and the extensions."""
    some = pl.DataFrame({"row": rows, "text": texts.gather(rows)})
    some = some.with_columns(rest=pl.col("text").str.replace(_AT_END, ""))
    some = some.filter((pl.col("rest") != pl.col("text")) & pl.col("rest").str.contains(_VIABLE))
    some = some.with_columns(extension=pl.col("text").str.extract(r"([0-9]+)#?$"))
    found = some["row"].to_numpy()
    return texts.scatter(found, some["rest"]) if len(found) else texts, Sparse(found, some["extension"])


def _digits(number: pl.Series, viable: pl.Series) -> pl.Series:
    """Return the digits; three letters or more make all letters digits."""
    frame = pl.DataFrame({"number": number, "viable": viable})
    frame = frame.with_columns(letters=pl.col("number").str.contains(r"[A-Za-z].*[A-Za-z].*[A-Za-z]"))
    spelled = np.flatnonzero(frame.select(pl.col("letters") & pl.col("viable")).to_series())
    if len(spelled):
        typed = number.gather(spelled).str.to_uppercase().str.replace_many(_KEYPAD)
        frame = frame.with_columns(number=frame["number"].scatter(spelled, typed))
    digits = pl.col("number").str.replace_all(r"[^0-9]+", "")
    plus = pl.when(pl.col("number").str.starts_with("+")).then(pl.lit("+")).otherwise(pl.lit(""))
    return frame.select(text=pl.when("viable").then(plus + digits))["text"]


def _in_ascii(texts: pl.Series) -> tuple[pl.Series, Flags]:
    """Return the texts in ASCII, and those of which `phonenumbers` must see the original."""
    other = np.flatnonzero(texts.str.len_bytes() != texts.str.len_chars())
    ask = np.zeros(len(texts), dtype=np.bool_)
    if not len(other):
        return texts, ask
    found = texts.gather(other)
    symbols = sorted(symbol for symbol in set("".join(found)) if symbol > "\x7f")
    decimal = [symbol for symbol in symbols if symbol.isdecimal()]
    table = {symbol: str(unicodedata.decimal(symbol)) for symbol in decimal}
    table |= {symbol: _FOLDED[symbol] for symbol in symbols if symbol in _FOLDED}
    # What is no letter and no mark ends a number wherever it stands, as '!' does.
    table |= {symbol: "!" for symbol in symbols if symbol not in table and not _is_letter(symbol)}
    # But this accent is a part of 'extensión'.
    table.pop("\u0301", None)
    folded = found.str.replace_many(list(table), list(table.values())) if table else found
    # This dash is a letter too, which makes a difference at the end; so do the wide '#' and '~'.
    if not {"\u30fc", "\uff03", "\uff5e"}.isdisjoint(symbols):
        ask[other] = found.str.contains("\u30fc[^0-9]*$|[\uff03\uff5e]")
    start = folded.str.replace(r"(?s)^[^+0-9]*", "")
    more = np.flatnonzero(start.str.contains(r"[^-+0-9 ().!]"))
    ask[other[more]] |= _unsure(found.gather(more), start.gather(more), decimal)
    return texts.scatter(other, folded), ask


def _unsure(texts: pl.Series, start: pl.Series, decimal: list[str]) -> Flags:
    """Return which texts, in ASCII from `start` on, are told apart by the characters they had before."""
    unsure = start.str.contains(r"[^\x00-\x7f]|;phone-context=|;isub=")
    # A space that does not break is no plain space in these two places.
    unsure |= texts.str.contains("\u00a0") & start.str.contains(r"#|[\\/] *x")
    # Where letters become digits other digits are dropped; in extensions they stay as they are.
    if decimal:
        unsure |= texts.str.contains_any(decimal) & start.str.contains(
            r"[#~;,xX]|[A-Za-z].*[A-Za-z].*[A-Za-z]"
        )
    found: Flags = unsure.to_numpy()
    return found


@cache
def _is_letter(symbol: str) -> bool:
    """Return whether a symbol is one of those that `\\w` means."""
    return symbol.isalnum() or symbol == "_"
