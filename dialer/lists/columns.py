"""Which column is which: names mended, a wanted column found, likely phone columns guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import polars as pl

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.lists.names import short_name, spoken_names
from dialer.lists.shape import Batch, ListInfo

SAMPLE_ROWS = 1_000

PHONE_WORDS = re.compile(
    r"phone|mobile|\btel\b|telef|\bcell|whatsapp|msisdn|handy|landline|rufnummer|"
    r"fixe|portable|movil|móvil|celular|fone|numero|número|contact.?n|\bnumber\b|\bmob\b|call",
)
OTHER_WORDS = re.compile(
    r"\bid\b|date|\bdob\b|birth|zip|post.?code|pin.?code|amount|price|total|balance|order|invoice|account|"
    r"policy|\btime|stamp|created|updated|name|mail|code$|\btype\b|count\b",
)
HEADER_WORDS = re.compile(
    PHONE_WORDS.pattern
    + "|"
    + OTHER_WORDS.pattern
    + r"|city|country|state|region|lang|status|note|company|address|customer|segment|zone|\btz\b"
    + r"|nombre|\bnom\b|\bort\b"
)

PHONE_TEXT = re.compile(r"""['"=]*\+?[\d\s().\-/\u00a0\u2010-\u2015]{7,}""")
MAIL_TEXT = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
NUMBER_TEXT = re.compile(r"[-+]?\d[\d.,/:-]*")
DATE_TEXT = r"^\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([ T].*)?$"
INVISIBLE = "\ufeff\u200b\u200c\u200d\u200e\u200f\u00a0 \t\r\n"


def mend_names(header: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return one distinct name per column, and a sentence for each that had to be mended."""
    names: list[str] = []
    notes: list[str] = []
    taken = {name.strip(INVISIBLE) for name in header}
    for place, raw in enumerate(header, start=1):
        name = raw.strip(INVISIBLE)
        if not name:
            name = _free_name(f"column_{place}", taken)
            notes.append(f"column {place} has no name: called '{name}'")
        elif name in names:
            name = _free_name(f"{name}_{names.count(name) + 1}", taken)
            notes.append(
                f"column {place}: another '{short_name(raw.strip(INVISIBLE))}', called '{short_name(name)}'"
            )
        elif name != raw:
            notes.append(f"column {place}: '{short_name(name)}' without the blanks around its name")
        taken.add(name)
        names.append(name)
    return tuple(names), tuple(notes)


def _free_name(name: str, taken: set[str]) -> str:
    stem, _, number = name.rpartition("_")
    place = int(number)
    while f"{stem}_{place}" in taken:
        place += 1
    return f"{stem}_{place}"


def looks_like_data(header: Iterable[str]) -> bool:
    """Return whether a first row is no header: a phone number or an address in it, and hardly a usual name.

    An international number or an address is no name of a column, whatever stands beside it. Other digits
    may be: then the cells that are values must outnumber those with a usual name, none of them for phones.
    """
    cells = [cell.strip() for cell in header]
    if any(MAIL_TEXT.fullmatch(cell) or (cell.startswith("+") and _is_phone(cell)) for cell in cells):
        return True
    if not any(_is_phone(cell) for cell in cells) or any(PHONE_WORDS.search(_plain(cell)) for cell in cells):
        return False
    named = sum(bool(HEADER_WORDS.search(_plain(cell))) for cell in cells)
    values = sum(_is_phone(cell) or bool(NUMBER_TEXT.fullmatch(cell)) for cell in cells)
    return values > named


def _is_phone(text: str) -> bool:
    return bool(PHONE_TEXT.fullmatch(text)) and 7 <= sum(character.isdigit() for character in text) <= 15


def _plain(name: str) -> str:
    """Return the name in small letters, its words apart: `CustomerMobile_2` -> `customer mobile 2`."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[_\-.\s]+", " ", apart).casefold()


def find_column(wanted: str, columns: Sequence[str]) -> str:
    """Return `wanted` where it is a column, exactly as written.

    Raises:
        BadInput: it is not; the message names the columns there are and the nearest one.
    """
    if wanted in columns:
        return wanted
    near = did_you_mean(wanted, columns)
    raise BadInput(f"there is no column '{short_name(wanted)}'{near}; the list has {spoken_names(columns)}")


def likely_phone_columns(seen: ListInfo | Batch) -> list[str]:
    """Return the columns that may hold phone numbers, likeliest first; a proposal, never a decision.

    By name alone from a `ListInfo`; by name and by the first rows from a `Batch`.
    """
    if isinstance(seen, ListInfo):
        scores = {name: _name_score(name) for name in seen.columns}
        likely = [name for name in seen.columns if scores[name] >= 0.5]
    else:
        sample = seen.rows.head(SAMPLE_ROWS)
        shares = {name: _phone_share(sample[name]) for name in sample.columns}
        scores = {name: _name_score(name) + 2 * share for name, share in shares.items()}
        likely = [name for name in sample.columns if shares[name] > 0 and scores[name] >= 0.9]
    return sorted(likely, key=lambda name: -scores[name])


def _name_score(name: str) -> float:
    plain = _plain(name)
    other = OTHER_WORDS.search(plain)
    if PHONE_WORDS.search(plain):
        return 0.5 if other else 1.0  # `phone_type` is none, `account_phone` is one: the cells will tell
    return -1.2 if other else 0.0  # ids and dates have as many digits as phone numbers


def _phone_share(cells: pl.Series) -> float:
    """Return which share of the filled cells reads like a phone number: 7 to 15 digits, no date."""
    if cells.dtype.is_float():
        cells = cells.cast(pl.Int64, strict=False)
    elif not (cells.dtype.is_integer() or cells.dtype == pl.String):
        return 0.0
    texts = cells.cast(pl.String).str.strip_chars().drop_nulls()
    texts = texts.filter(texts != "")
    if texts.is_empty():
        return 0.0
    bare = texts.str.replace(r"\.0+$", "")
    digits = bare.str.count_matches(r"\d")
    shaped = bare.str.contains(
        r"^(tel:)?[\s'\x22=(]*\+?[\d\s().\-/\x{a0}\x{2010}-\x{2015}'\x22]+(x|ext)?[\s.]*\d*$"
    )
    likely = shaped & digits.is_between(7, 15) & ~bare.str.contains(DATE_TEXT)
    return float(likely.sum()) / len(texts)
