"""A column of JSON objects -> one String column per key: the list's own columns, back again."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator

import polars as pl


class MoreKeys(Exception):
    """Later rows have keys that the first did not; `keys` are those of all rows, in order of appearance."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__(keys)
        self.keys = keys


def fields_of(objects: pl.Series) -> pl.DataFrame:
    """Return a column per key of the objects, in order of appearance; a row without the key has null.

    Texts come as they are, anything else as its JSON. What is no object has no keys.
    """
    frame = _all_texts(objects)
    return _anything(objects) if frame is None else frame


def with_fields(
    frames: Iterable[pl.DataFrame], column: str, keys: tuple[str, ...] | None
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield each frame with the fields of its `column`: always the same keys, so that a file can hold them.

    Raises:
        MoreKeys: a key is missing in `keys` (None: in the first frame). All frames were read.
    """
    late: tuple[str, ...] | None = None
    for frame in frames:
        fields = fields_of(frame[column])
        if keys is None:
            keys = tuple(fields.columns)
        known = keys if late is None else late
        new = tuple(key for key in fields.columns if key not in known)
        if new or late is not None:
            late = known + new
            continue
        missing = (pl.lit(None, pl.String).alias(key) for key in keys if key not in fields.columns)
        yield frame, fields.with_columns(missing).select(keys)
    if late is not None:
        raise MoreKeys(late)


def names_beside(names: Iterable[str], taken: Collection[str], prefix: str) -> dict[str, str]:
    """Return a name for each of `names` that is not in `taken`: its own, or with the prefix before it."""
    kept = [name for name in names if name not in taken]
    used = {*taken, *kept}
    renamed = {}
    for name in names:
        new = name
        while name in taken and new in used:
            new = prefix + new
        used.add(new)
        renamed[name] = new
    return renamed


def _all_texts(objects: pl.Series) -> pl.DataFrame | None:
    """Return the fields where every value is a text (as from a CSV list), None where they are not."""
    try:
        decoded = objects.str.json_decode(infer_schema_length=None)
    except pl.exceptions.PolarsError:
        return None
    if not isinstance(decoded.dtype, pl.Struct):
        return None
    fields = decoded.struct.unnest()
    if any(kind not in (pl.String, pl.Null) for kind in fields.dtypes):
        return None
    return fields.cast(pl.String)


def _anything(objects: pl.Series) -> pl.DataFrame:
    rows = [_parsed(cell) for cell in objects]
    keys = dict.fromkeys(key for row in rows for key in row)
    columns = [pl.Series(key, [_text(row.get(key)) for row in rows], dtype=pl.String) for key in keys]
    return pl.DataFrame(columns) if columns else pl.DataFrame(height=len(objects))


def _parsed(cell: str | None) -> dict[str, object]:
    try:
        value = json.loads(cell) if cell else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
