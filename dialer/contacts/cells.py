"""One column of cells to numbers: read, repaired where a repair is sure, split where a cell holds several."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl

from dialer.contacts.columns import dense
from dialer.contacts.mend import (
    DAMAGED,
    EXTENDED,
    HIDDEN,
    WORDED,
    join_notes,
    uncover,
    undamage,
    unquote,
)
from dialer.contacts.numbers import I32, I64, U64, Flags, Numbers, Outcome, Sparse, Verdict
from dialer.contacts.reading.reader import Reader
from dialer.contacts.several import (
    DIGITS_OF_A_NUMBER,
    PARTED,
    TORN,
    Choice,
    Read,
    choose,
    said_of_rank,
    split,
)
from dialer.contacts.words import without_words

_WORDS_DROPPED = "words behind the number dropped"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants to dial, and where its numbers are from: `region` indexes `names`."""

    reader: Reader
    region: I64
    names: list[str | None]
    types: frozenset[str] | None

    def of(self, rows: npt.NDArray[np.int64]) -> Asked:
        """Return the same for some of the rows."""
        return Asked(self.reader, self.region[rows], self.names, self.types)

    def dialable(self) -> Flags:
        """Return of each outcome whether it is a valid number of an allowed type."""
        outcomes = self.reader.outcomes
        allowed: Flags = outcomes.verdicts() == Verdict.VALID
        if self.types is not None:
            known = outcomes.columns()["type"][: len(allowed)]
            allowed = allowed & known.is_in(list(self.types)).fill_null(False).to_numpy()
        return allowed


@dataclass(slots=True)
class Cells:
    """One column's answers; `others` are further dialable numbers: row and value, in the cell's order.

    `undone` are the texts that a spreadsheet made of numbers, as they were before.
    """

    value: U64
    outcome: I32
    extension: Sparse
    repaired: Sparse
    other_rows: I64
    other_values: U64
    undone: Sparse


def read_cells(texts: pl.Series, asked: Asked, damaged: pl.Series | None = None) -> Cells:
    """Return each cell's number, the first dialable one where a cell holds several.

    `damaged` marks cells that are known to have lost digits.
    """
    numbers = asked.reader.read(texts, asked.region, asked.names, asked.dialable())
    parts = numbers.parts
    cells = Cells(
        numbers.value,
        numbers.outcome,
        numbers.extension,
        Sparse(parts.rows, pl.Series([said_of_rank(1)]).new_from_index(0, len(parts.rows))),
        parts.other_rows,
        parts.other_values,
        Sparse.empty(),
    )
    suspects = _suspects(texts, numbers, asked)
    if len(suspects):
        _repair(cells, suspects, texts.gather(suspects), asked.of(suspects))
    if damaged is not None:
        cells.outcome[damaged.to_numpy()] = asked.reader.outcomes.code(Outcome(Verdict.DAMAGED))
    return cells


def _suspects(texts: pl.Series, numbers: Numbers, asked: Asked) -> I64:
    """Return the rows that a repair may change; texts of digits and marks only need none."""
    rows = numbers.unusual
    if not len(rows):
        return rows
    valid = asked.reader.outcomes.verdicts()[numbers.outcome[rows]] == Verdict.VALID
    unusual = pl.DataFrame({"text": texts.gather(rows).fill_null(""), "valid": valid})
    text, valid_alone = pl.col("text"), pl.col("valid")
    # Two numbers need room, and what libphonenumber reads keeps its invisible characters.
    roomy = (text.str.len_bytes() > 2 * DIGITS_OF_A_NUMBER) & (
        text.str.count_matches(r"\d") >= 2 * DIGITS_OF_A_NUMBER
    )
    two = (~valid_alone | roomy) & text.str.contains(PARTED)
    # Valid with other letters than these is only what is dialled after them: an extension.
    spelled = ~valid_alone | text.str.contains(r"(?s)\d.*[A-Za-z]{2}")
    worded = spelled & text.str.contains(WORDED) & ~text.str.contains(EXTENDED)
    mask = text.str.contains(DAMAGED) | two | worded | (~valid_alone & text.str.contains(HIDDEN))
    suspects: I64 = rows[unusual.select(mask).to_series().to_numpy()]
    return suspects


def _repair(cells: Cells, rows: I64, texts: pl.Series, asked: Asked) -> None:
    """Replace the answers of the suspect `rows`; `texts` and `asked` are those of these rows only."""
    wholes = _read_texts(texts, asked)
    parts, choices = _choose(wholes, asked)
    torn = [row for row, choice in choices.items() if choice is TORN]
    choices = {row: choice for row, choice in choices.items() if choice is not TORN}
    place, rank = np.arange(wholes.height), np.full(wholes.height, -1)
    for row, choice in choices.items():
        place[row], rank[row] = wholes.height + choice.at, choice.rank
    answers = pl.concat([wholes, parts])[place]
    cells.value[rows], cells.outcome[rows] = answers["value"].to_numpy(), answers["outcome"].to_numpy()
    cells.outcome[rows[torn]] = asked.reader.outcomes.code(Outcome(Verdict.TORN))
    kept = ~np.isin(cells.extension.rows, rows)
    unchanged = Sparse(cells.extension.rows[kept], cells.extension.texts.filter(pl.Series(kept)))
    cells.extension = unchanged.joined(_sparse(answers["extension"]).shifted(rows))
    cells.repaired = cells.repaired.joined(_sparse(_notes(wholes, answers, rank)).shifted(rows))
    cells.undone = _sparse(wholes["mended"]).shifted(rows)
    _add_others(cells, rows, parts["value"].to_list(), choices)


def _add_others(cells: Cells, rows: I64, values: list[int], choices: dict[int, Choice]) -> None:
    """Note the numbers that were not chosen, each once, by the `values` of all parts."""
    of_row: list[int] = []
    others: list[int] = []
    for row, choice in choices.items():
        found = dict.fromkeys(values[at] for at in choice.others if values[at] != values[choice.at])
        of_row.extend([rows[row]] * len(found))
        others.extend(found)
    cells.other_rows = np.concatenate([cells.other_rows, np.array(of_row, dtype=np.int64)])
    cells.other_values = np.concatenate([cells.other_values, np.array(others, dtype=np.uint64)])


def _read_texts(texts: pl.Series, asked: Asked) -> pl.DataFrame:
    """Return the answer of each text, and as `plain` what is left of it when all around a number is gone.

    `helped` marks those whose answer is that of the plain text, `hidden` those with invisible characters.
    """
    plain, hidden = uncover(pl.col("text"))
    frame = pl.DataFrame({"text": texts.rename("text")}).with_columns(plain=plain, hidden=hidden)
    bare, quotes = unquote(pl.col("plain"))
    frame = frame.with_columns(bare=bare, quotes=quotes)
    frame = pl.concat([frame, undamage(frame["bare"])], how="horizontal")
    frame = frame.with_columns(plain=pl.coalesce("mended", "bare"), noted=pl.col("note").is_not_null())
    short, unsure = _shortened(frame["plain"])
    frame = frame.with_columns(short=short)
    # What libphonenumber reads without help is left as it is, but for what a spreadsheet made, and for words
    # behind a number where it would dial their letters. All that a text may be is read in one go.
    noted, height = pl.col("noted"), frame.height
    cleaned = frame.select((pl.col("plain") != pl.col("text")) & ~noted).to_series().arg_true().to_numpy()
    cut = frame.select(pl.col("short").is_not_null() & ~noted).to_series().arg_true().to_numpy()
    ways = [
        frame.select(pl.when(noted).then(pl.coalesce("short", "plain")).otherwise("text")).to_series(),
        frame["plain"].gather(cleaned),
        frame["short"].gather(cut),
    ]
    asked = asked.of(np.concatenate([np.arange(height), cleaned, cut]).astype(np.int64))
    numbers = asked.reader.read(pl.concat(ways, rechunk=True), asked.region, asked.names)
    valid = asked.reader.outcomes.verdicts()[numbers.outcome] == Verdict.VALID
    first_cut = height + len(cleaned)
    place = np.arange(height)
    place[cleaned] = np.where(
        valid[height:first_cut] & ~valid[cleaned], np.arange(height, first_cut), cleaned
    )
    same = numbers.value[cut] == numbers.value[first_cut:]
    left_alone = valid[cut] & (same | np.isin(cut, numbers.extension.rows))
    place[cut] = np.where(valid[first_cut:] & ~left_alone, np.arange(first_cut, len(valid)), place[cut])
    outcome, torn = numbers.outcome[place], asked.reader.outcomes.code(Outcome(Verdict.TORN))
    # With words that may mean anything the number is nobody's to guess.
    outcome[unsure & valid[place] & ((place >= first_cut) | frame["noted"].to_numpy())] = torn
    lost = frame["lost"].fill_null(False)
    outcome[lost.to_numpy()] = asked.reader.outcomes.code(Outcome(Verdict.DAMAGED))
    dropped = pl.Series(place >= first_cut) | (noted & pl.col("short").is_not_null())
    return frame.select(
        "plain",
        "mended",
        pl.Series("lost", lost),
        pl.Series("value", numbers.value[place]),
        pl.Series("outcome", outcome),
        dense(numbers.extension, len(valid)).gather(place).alias("extension"),
        hidden=pl.col("hidden").fill_null(False),
        helped=noted | pl.Series(place >= height),
        note=join_notes(pl.col("quotes"), pl.col("note"), pl.when(dropped).then(pl.lit(_WORDS_DROPPED))),
    )


def _shortened(texts: pl.Series) -> tuple[pl.Series, Flags]:
    """Return each text without the words behind it, null where there are none, and which are unsure."""
    worded = texts.str.contains(WORDED) & ~texts.str.contains(EXTENDED)
    rows = worded.fill_null(False).arg_true().to_numpy()
    found = [without_words(text) for text in texts.gather(rows)]
    unsure = np.zeros(len(texts), dtype=np.bool_)
    unsure[rows] = [one is not None and not one.sure for one in found]
    kept = Sparse(rows.astype(np.int64), pl.Series([one and one.text for one in found], dtype=pl.String))
    return dense(kept, len(texts)), unsure


def _choose(wholes: pl.DataFrame, asked: Asked) -> tuple[pl.DataFrame, dict[int, Choice]]:
    """Return the answers of all parts of cells of several numbers, and the choice in each of these rows."""
    parted = wholes.with_row_index("row").filter(pl.col("plain").str.contains(PARTED) & ~pl.col("lost"))
    split_up = {row: split(text) for row, text in parted.select("row", "plain").iter_rows()}
    whole_valid = asked.reader.outcomes.verdicts()[wholes["outcome"].to_numpy()] == Verdict.VALID
    noted = {row: TORN for row, pieces in split_up.items() if pieces is None and not whole_valid[row]}
    several = {row: pieces for row, pieces in split_up.items() if pieces}
    if not several:
        return wholes.clear(), noted
    all_pieces = ((row, piece) for row, pieces in several.items() for piece in pieces)
    candidates = dict.fromkeys((row, text) for row, piece in all_pieces for text in piece.texts())
    place = {candidate: at for at, candidate in enumerate(candidates)}
    rows = np.array([row for row, _ in place], dtype=np.int64)
    parts = _read_texts(pl.Series([text for _, text in place], dtype=pl.String), asked.of(rows))
    valid, dialable = asked.reader.outcomes.verdicts() == Verdict.VALID, asked.dialable()
    outcomes = parts["outcome"].to_list()

    def read(row: int, text: str) -> Read:
        at = place[row, text]
        return Read(bool(valid[outcomes[at]]), bool(dialable[outcomes[at]]), at)

    choices = {row: choose(whole_valid[row], pieces, partial(read, row)) for row, pieces in several.items()}
    return parts, noted | {row: choice for row, choice in choices.items() if choice is not None}


def _notes(wholes: pl.DataFrame, answers: pl.DataFrame, rank: I64) -> pl.Series:
    """Return what was repaired in each cell; `rank` is that of the number chosen, -1 for the whole."""
    a_part = pl.Series(rank >= 0)
    hidden = wholes["hidden"] & (wholes["helped"] | a_part)
    chosen = np.flatnonzero(rank >= 0)
    said = dense(Sparse(chosen, pl.Series(map(said_of_rank, rank[chosen]), dtype=pl.String)), len(rank))
    notes = answers.select("note", of_whole=wholes["note"], said=said)
    of_part = pl.when(a_part).then("note")
    dropped = pl.when(hidden).then(pl.lit("invisible characters dropped"))
    return notes.select(join_notes(pl.col("of_whole"), of_part, dropped, pl.col("said"))).to_series()


def _sparse(texts: pl.Series) -> Sparse:
    rows = np.flatnonzero(texts.is_not_null().to_numpy())
    return Sparse(rows, texts.gather(rows))
