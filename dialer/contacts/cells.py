"""One column of cells to numbers: read, repaired where a repair is sure, split where a cell holds several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from dialer.contacts.columns import dense
from dialer.contacts.mend import (
    DAMAGED,
    HIDDEN,
    MADE_A_NUMBER,
    PARTED,
    join_notes,
    said_of_part,
    split,
    uncover,
    undamage,
    unquote,
)
from dialer.contacts.numbers import I32, I64, U64, Flags, Numbers, Outcome, Sparse, Verdict
from dialer.contacts.reader import Reader

DIGITS_OF_A_NUMBER = 7
"""A part of a cell with as many digits is a number of its own, not an extension."""

_TWO_NUMBERS = r"^(?:\D*\d){14}"


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
    """One column's answers; `others` are further dialable numbers: row and value, in the cell's order."""

    value: U64
    outcome: I32
    extension: Sparse
    repaired: Sparse
    other_rows: I64
    other_values: U64


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
        Sparse(parts.rows, _said_of_parts(parts.rank)),
        parts.other_rows,
        parts.other_values,
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
    valid = asked.reader.outcomes.verdicts()[numbers.outcome[rows]] == Verdict.VALID
    unusual = pl.DataFrame({"text": texts.gather(rows).fill_null(""), "valid": valid})
    text, valid_alone = pl.col("text"), pl.col("valid")
    # Two numbers need room, and what libphonenumber reads keeps its invisible characters.
    roomy = (text.str.len_bytes() > 2 * DIGITS_OF_A_NUMBER) & text.str.contains(_TWO_NUMBERS)
    two = (~valid_alone | roomy) & text.str.contains(PARTED)
    mask = text.str.contains(DAMAGED) | two | (~valid_alone & text.str.contains(HIDDEN))
    suspects: I64 = rows[unusual.select(mask).to_series().to_numpy()]
    return suspects


def _repair(cells: Cells, rows: I64, texts: pl.Series, asked: Asked) -> None:
    """Replace the answers of the suspect `rows`; `texts` and `asked` are those of these rows only."""
    bare, quotes = unquote(pl.col("text"))
    frame = pl.DataFrame({"text": texts.rename("text")}).with_row_index("row")
    frame = frame.with_columns(bare=bare, quotes=quotes).with_columns(parts=split(pl.col("bare")))
    several = frame.filter(pl.col("parts").list.len() > 1).select("row", text="parts").explode("text")
    several = several.filter(pl.col("text").str.contains(r"\d")).with_columns(quotes=pl.lit(None, pl.String))
    wholes = frame.select("row", "quotes", text="bare", original="text", whole=True)
    parts = several.select("row", "quotes", text="text", original="text", whole=False)
    both = _read_parts(pl.concat([wholes, parts]), asked)
    chosen = _choose(both.filter("whole"), both.filter(~pl.col("whole")), frame.height)
    _write(cells, rows, chosen)


def _read_parts(parts: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """Return the parts with their notes and answers; `row` says which region each has."""
    bare, quotes = unquote(pl.col("text"))
    parts = parts.with_columns(bare=bare, quotes=pl.coalesce("quotes", quotes))
    # Nearly all parts are null from here on, which costs nothing.
    parts = parts.with_columns(number=pl.when(pl.col("bare").str.contains(MADE_A_NUMBER)).then("bare"))
    mended, note, damaged = undamage(pl.col("number"))
    parts = parts.with_columns(
        mended=pl.coalesce(mended, "bare"), note=note, damaged=damaged.fill_null(False)
    )
    plain, changed = uncover(pl.col("mended"))
    parts = parts.with_columns(plain=plain, changed=changed)
    asked = asked.of(parts["row"].to_numpy().astype(np.int64))
    # What libphonenumber reads without help is left as it is.
    untouched = pl.col("note").is_not_null() | pl.col("damaged")
    parts = parts.with_columns(mended=pl.when(untouched).then("mended").otherwise("original"))
    # Each text as it is, and behind them those with invisible characters without them, read in one go.
    height, hidden = parts.height, np.flatnonzero(parts["changed"])
    places = np.concatenate([np.arange(height), hidden])
    again = asked.of(places)
    texts = pl.concat([parts["mended"], parts["plain"].gather(hidden)], rechunk=True)
    numbers = again.reader.read(texts, again.region, again.names)
    valid = asked.reader.outcomes.verdicts()[numbers.outcome] == Verdict.VALID
    found = valid[height:] & ~valid[:height][hidden]
    place = np.arange(height)
    place[hidden[found]] = height + np.flatnonzero(found)
    value, outcome = numbers.value[place], numbers.outcome[place]
    extension = dense(numbers.extension, len(places)).gather(place).alias("extension")
    uncovered = place >= height
    outcome[parts["damaged"].to_numpy()] = asked.reader.outcomes.code(Outcome(Verdict.DAMAGED))
    hint = pl.when(pl.Series(uncovered)).then(pl.lit("invisible characters dropped"))
    return parts.select(
        "row",
        "whole",
        pl.Series("value", value),
        pl.Series("outcome", outcome),
        extension,
        pl.Series("valid", asked.reader.outcomes.verdicts()[outcome] == Verdict.VALID),
        pl.Series("dialable", asked.dialable()[outcome]),
        digits=pl.col("text").str.count_matches(r"\d"),
        note=join_notes(pl.col("quotes"), pl.col("note"), hint),
    )


def _choose(wholes: pl.DataFrame, parts: pl.DataFrame, height: int) -> pl.DataFrame:
    """Return one line a row: the whole cell, or the first dialable of its parts; `others` as a list."""
    parts = parts.with_columns(rank=pl.int_range(1, pl.len() + 1).over("row"), count=pl.len().over("row"))
    best = parts.sort("row", ~pl.col("dialable"), ~pl.col("valid"), "rank", maintain_order=True)
    summary = best.group_by("row", maintain_order=True).agg(
        pl.col("value", "outcome", "extension", "valid").first().name.suffix("_part"),
        note_part=join_notes(pl.col("note"), said_of_part(pl.col("rank"))).first(),
        long_parts=(pl.col("digits") >= DIGITS_OF_A_NUMBER).sum(),
        valid_parts=pl.col("valid").sum(),
        others=pl.col("value").filter("dialable").unique(maintain_order=True),
    )
    both = wholes.join(summary, on="row", how="left", maintain_order="left")
    several = (
        (pl.col("long_parts") >= 2)
        | (pl.col("valid_parts") >= 2)
        | ((pl.col("valid_parts") >= 1) & ~pl.col("valid"))
    ).fill_null(False)
    both = both.with_columns(several=several)
    picked = [
        pl.when("several").then(f"{name}_part").otherwise(name).alias(name)
        for name in ("value", "outcome", "extension", "note")
    ]
    return both.select(
        *picked, others=pl.when("several").then("others").otherwise(pl.lit([], pl.List(pl.UInt64)))
    )


def _said_of_parts(rank: I64) -> pl.Series:
    return pl.DataFrame({"rank": rank}).select(said=said_of_part(pl.col("rank")))["said"]


def _write(cells: Cells, rows: I64, chosen: pl.DataFrame) -> None:
    cells.value[rows] = chosen["value"].to_numpy()
    cells.outcome[rows] = chosen["outcome"].to_numpy()
    cells.repaired = cells.repaired.joined(_sparse(chosen["note"]).shifted(rows))
    kept = ~np.isin(cells.extension.rows, rows)
    added = _sparse(chosen["extension"]).shifted(rows)
    cells.extension = Sparse(
        np.concatenate([cells.extension.rows[kept], added.rows]),
        pl.concat([cells.extension.texts.filter(pl.Series(kept)), added.texts]),
    )
    others = chosen.with_columns(row=pl.Series(rows)).filter(pl.col("others").list.len() > 1).select(
        "row", "value", "others"
    ).explode("others").filter(pl.col("others") != pl.col("value"))  # fmt: skip
    cells.other_rows = np.concatenate([cells.other_rows, others["row"].to_numpy()])
    cells.other_values = np.concatenate([cells.other_values, others["others"].to_numpy()])


def _sparse(texts: pl.Series) -> Sparse:
    rows = np.flatnonzero(texts.is_not_null().to_numpy())
    return Sparse(rows, texts.gather(rows))
