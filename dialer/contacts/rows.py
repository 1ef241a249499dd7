"""Rows of a list to numbers that can be dialled, or the reason why not.

One pass over each phone column, in chunks, so that memory does not grow with the list beyond its answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.contacts.cells import Asked, Cells, read_cells
from dialer.contacts.chunks import in_chunks
from dialer.contacts.columns import dense, number_columns, repeat
from dialer.contacts.numbers import I32, I64, TYPES, Flags, Sparse, Verdict, as_e164
from dialer.contacts.reading.reader import READER, index_of
from dialer.contacts.reasons import explain
from dialer.contacts.regions import region_of, require_region
from dialer.contacts.several import DIGITS_OF_A_NUMBER
from dialer.contacts.texts import as_texts


def normalize(
    rows: pl.DataFrame,
    phone: str | Sequence[str],
    region: str | None = None,
    region_column: str | None = None,
    types: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return one line per row of `rows`, in their order: its number, or the reason why it has none.

    `phone` names one or several columns; the first dialable number wins, the others are kept in
    `other_phones`. `region` is for numbers without a country code; a cell of `region_column` (ISO code or
    country name) wins over it. `types` are the line types that may be dialled, all of them where left out.

    Columns, all String: phone (E.164, null when rejected), phone_region, phone_type, phone_extension,
    time_zones (all candidates, comma-separated), repaired, other_phones, column, raw, reason, detail,
    suggestion.

    Raises:
        BadInput: a column, a region or a type that does not exist.
    """
    columns = [phone] if isinstance(phone, str) else list(phone)
    _require_columns(rows, [*columns, *([region_column] if region_column else [])])
    default = require_region(region) if region is not None else None
    allowed = _require_types(types)
    if not columns:
        raise BadInput("phone = []: expected the name of at least one column")
    READER.ready()

    def one(start: int, length: int) -> pl.DataFrame:
        return _normalize_chunk(rows.slice(start, length), columns, default, region_column, allowed)

    return in_chunks(rows.height, one)


def _normalize_chunk(
    rows: pl.DataFrame,
    columns: list[str],
    default: str | None,
    region_column: str | None,
    types: frozenset[str] | None,
) -> pl.DataFrame:
    columns_read = [as_texts(rows[column].rechunk()) for column in columns]
    texts = [text for text, _ in columns_read]
    cells_regions = rows[region_column] if region_column else None
    region, names, unknown = _regions(rows.height, cells_regions, default)
    asked = Asked(READER, region, names, types)
    cells = [read_cells(text, asked, damaged) for text, damaged in columns_read]
    chosen = _first_dialable(cells, texts, asked)
    best = _pick(cells, chosen)
    shown = asked.dialable()
    (phone, home, kind, zones), rejected = number_columns(best.value, best.outcome, shown)
    dialable = shown[best.outcome]
    raw = texts[0] if len(texts) == 1 else _pick_texts(texts, chosen)
    why = explain(best, rejected, raw, asked, unknown, cells_regions)
    return pl.DataFrame(
        {
            "phone": phone,
            "phone_region": home,
            "phone_type": kind,
            "phone_extension": _masked(best.extension, dialable),
            "time_zones": zones,
            "repaired": _masked(best.repaired, dialable),
            "other_phones": _others(cells, best, dialable, asked),
            "column": _names(columns, chosen),
            "raw": raw,
            **why,
        }
    )


def _regions(
    height: int, cells: pl.Series | None, default: str | None
) -> tuple[I64, list[str | None], Flags | None]:
    """Return each row's region as an index, the names, and which rows name an unknown country, if any."""
    if cells is None:
        return np.zeros(height, dtype=np.int64), [default], None
    index, different = index_of(cells, height)
    blank = [not cell or not cell.strip() for cell in different]
    names = [
        default if empty else region_of(cell or "") for cell, empty in zip(different, blank, strict=True)
    ]
    unknown = np.array(
        [name is None and not empty for name, empty in zip(names, blank, strict=True)], dtype=np.bool_
    )
    return index, names, unknown[index] if unknown.any() else None


def _first_dialable(cells: list[Cells], texts: list[pl.Series], asked: Asked) -> I64:
    """Return each row's column: the first dialable one, else the first of those that tell most."""
    if len(cells) == 1:
        return np.zeros(len(cells[0].value), dtype=np.int64)
    dialable = np.stack([asked.dialable()[column.outcome] for column in cells])
    chosen: I64 = dialable.argmax(axis=0)
    rows = np.flatnonzero(~dialable.any(axis=0))
    if len(rows):
        tells = [
            _tells(text.gather(rows), column.outcome[rows], asked)
            for text, column in zip(texts, cells, strict=True)
        ]
        chosen[rows] = np.argmax(tells, axis=0)
    return chosen


def _tells(texts: pl.Series, outcome: I32, asked: Asked) -> I64:
    """Return how much each text that is not dialable says of why: nothing, a word, digits, a number."""
    text = pl.col("text").fill_null("")
    digits = text.str.count_matches(r"\d")
    filled = text.str.strip_chars() != ""
    shown = pl.DataFrame({"text": texts}).select(
        pl.when(digits >= DIGITS_OF_A_NUMBER)
        .then(3)
        .when(digits > 0)
        .then(2)
        .otherwise(filled.cast(pl.Int64))
    )
    numbers = asked.reader.outcomes.verdicts()[outcome] == Verdict.VALID
    told: I64 = np.where(numbers, 4, shown.to_series().to_numpy())
    return told


def _pick(cells: list[Cells], chosen: I64) -> Cells:
    if len(cells) == 1:
        return cells[0]
    return Cells(
        np.choose(chosen, [column.value for column in cells]),
        np.choose(chosen, [column.outcome for column in cells]),
        _pick_sparse([column.extension for column in cells], chosen),
        _pick_sparse([column.repaired for column in cells], chosen),
        np.zeros(0, dtype=np.int64),
        np.zeros(0, dtype=np.uint64),
        _pick_sparse([column.undone for column in cells], chosen),
    )


def _pick_sparse(columns: list[Sparse], chosen: I64) -> Sparse:
    kept = [chosen[sparse.rows] == index for index, sparse in enumerate(columns)]
    return Sparse(
        np.concatenate([sparse.rows[keep] for sparse, keep in zip(columns, kept, strict=True)]),
        pl.concat([sparse.texts.filter(pl.Series(keep)) for sparse, keep in zip(columns, kept, strict=True)]),
    )


def _pick_texts(texts: list[pl.Series], chosen: I64) -> pl.Series:
    frame = pl.DataFrame({str(index): text for index, text in enumerate(texts)})
    picked = pl.lit(None, pl.String)
    for index in range(len(texts)):
        picked = pl.when(pl.Series(chosen == index)).then(pl.col(str(index))).otherwise(picked)
    return frame.select(picked.alias("raw"))["raw"]


def _others(cells: list[Cells], best: Cells, dialable: Flags, asked: Asked) -> pl.Series:
    """Return the other dialable numbers of each row, comma-separated."""
    rows, values = [], []
    for column in cells:
        if len(cells) > 1:
            found = np.flatnonzero(asked.dialable()[column.outcome])
            rows.append(found)
            values.append(column.value[found])
        rows.append(column.other_rows)
        values.append(column.other_values)
    row, value = np.concatenate(rows), np.concatenate(values)
    if not len(row):
        return dense(Sparse.empty(), len(dialable))
    keep = dialable[row] & (value != best.value[row])
    frame = pl.DataFrame({"row": row[keep], "value": value[keep]}).unique(maintain_order=True)
    frame = frame.with_columns(phone=as_e164(frame["value"].to_numpy()))
    joined = frame.group_by("row", maintain_order=True).agg(pl.col("phone").str.join(","))
    return dense(Sparse(joined["row"].to_numpy(), joined["phone"]), len(dialable))


def _names(columns: list[str], chosen: I64) -> pl.Series:
    if len(columns) == 1:
        return repeat(columns[0], len(chosen))
    return pl.Series(columns, dtype=pl.String).gather(chosen)


def _masked(sparse: Sparse, dialable: Flags) -> pl.Series:
    keep = dialable[sparse.rows]
    return dense(Sparse(sparse.rows[keep], sparse.texts.filter(pl.Series(keep))), len(dialable))


def _require_columns(rows: pl.DataFrame, names: list[str]) -> None:
    for name in names:
        if name not in rows.columns:
            raise BadInput(
                f"column {name!r} is not in the list, which has {', '.join(map(repr, rows.columns))}"
                f"{did_you_mean(name, rows.columns)}"
            )


def _require_types(types: Sequence[str] | None) -> frozenset[str] | None:
    for name in types or ():
        if name not in TYPES.values():
            raise BadInput(
                f"types: {name!r} is not a line type, expected some of {', '.join(TYPES.values())}"
                f"{did_you_mean(name, TYPES.values())}"
            )
    return frozenset(types) if types is not None else None
