"""All number plans in two sorted arrays: shipped, or cached on disk, or compiled at first use.

A key is one integer: the context, how many digits, and the first 15 of them. Runs of numbers that only their
16th digit tells apart are left to `phonenumbers`.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import phonenumbers

from dialer.contacts.numbers import I32, I64, U64, Flags, Outcome, Outcomes, Verdict
from dialer.contacts.plans.contexts import (
    ASK,
    DIGITS_MAX,
    E164_MAX,
    NO_DIGITS,
    NO_REGION,
    Plan,
    compile_international,
    compile_region,
)
from dialer.contacts.plans.kinds import ASK_KIND, Kinds, compile_kinds
from dialer.contacts.plans.lookup import DIGIT_BITS

COMPILER = 2
"""Counted up whenever the same metadata would give other tables."""

NOWHERE, INTERNATIONAL = 0, 1
"""Places of the contexts that are no region: no default region, and after a +."""

LEADING_DIGITS = 15
_LENGTH_BITS = 5
_SHIPPED = Path(__file__).with_name("tables.npz")


class Tables(NamedTuple):
    """What all texts and all numbers are; `places` are the contexts' indexes in the keys of `plan_*`."""

    places: dict[str, int]
    plan_key: U64
    plan_action: npt.NDArray[np.uint8]
    plan_delta: I64
    plan_length: npt.NDArray[np.uint8]
    plan_extracted: Flags
    kind_key: U64
    kind_outcome: I32
    outcomes: tuple[Outcome, ...]


def context_key(place: npt.NDArray[Any], length: npt.NDArray[Any]) -> U64:
    """Return the part of a key that comes before the digits."""
    shifted: U64 = (place.astype(np.uint64) << np.uint64(_LENGTH_BITS + DIGIT_BITS)) | length_key(length)
    return shifted


def length_key(length: npt.NDArray[Any]) -> U64:
    """Return the part of a key that says how many digits there are."""
    shifted: U64 = length.astype(np.uint64) << np.uint64(DIGIT_BITS)
    return shifted


@cache
def load_tables() -> Tables:
    """Return the tables for the installed `phonenumbers`; compiling them takes some ten seconds, once."""
    for file in (_SHIPPED, cache_file()):
        tables = _read(file)
        if tables is not None:
            return tables
    tables = compile_tables()
    _write(tables, cache_file())
    return tables


def cache_file() -> Path:
    """Return where compiled tables are kept; the folder is DIALER_CACHE_DIR where that is set."""
    folder = os.environ.get("DIALER_CACHE_DIR")
    if folder is None:
        home = Path.home()
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
        elif sys.platform == "darwin":
            base = home / "Library" / "Caches"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
        folder = str(base / "dialer")
    return Path(folder) / f"numbers-{phonenumbers.__version__}-{COMPILER}.npz"


def compile_tables() -> Tables:
    """Return the tables of all regions, compiled from the metadata of the installed `phonenumbers`."""
    outcomes = Outcomes(Outcome(verdict) for verdict in Verdict)
    kinds = [(length, compile_kinds(outcomes, length)) for length in range(3, E164_MAX + 1)]
    places = {"": NOWHERE, "+": INTERNATIONAL}
    plans = [(INTERNATIONAL, length, compile_international(length)) for length in range(2, DIGITS_MAX + 1)]
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        places[region] = len(places)
        plans += [
            (places[region], length, compile_region(region, length)) for length in range(2, DIGITS_MAX + 1)
        ]
    return _joined(places, plans, kinds, outcomes)


def _joined(
    places: dict[str, int],
    plans: list[tuple[int, int, Plan]],
    kinds: list[tuple[int, Kinds]],
    outcomes: Outcomes,
) -> Tables:
    # One digit is no number. Where no region is known, only a + helps.
    cells = [_single(NOWHERE, length, NO_REGION) for length in range(2, DIGITS_MAX + 1)]
    cells += [_single(place, length, NO_DIGITS) for place in places.values() for length in (0, 1)]
    for place, length, plan in plans:
        lead, index, unsure = _leading(plan.start, length)
        key = context_key(np.array([place]), np.array([length])) | lead
        action = np.where(unsure, ASK, plan.action[index])
        cells.append((key, action, plan.delta[index], plan.length[index], plan.extracted[index]))
    key, action, delta, to, extracted = (np.concatenate(column) for column in zip(*cells, strict=True))
    order = np.argsort(key, kind="stable")
    found = []
    for length, kind in kinds:
        lead, index, unsure = _leading(kind.start, length)
        outcome = np.where(unsure, ASK_KIND, kind.outcome[index])
        found.append((length_key(np.array([length])) | lead, outcome))
    kind_key, outcome = (np.concatenate(column) for column in zip(*found, strict=True))
    return Tables(
        places,
        key[order],
        action[order].astype(np.uint8),
        delta[order].astype(np.int64),
        to[order].astype(np.uint8),
        extracted[order].astype(np.bool_),
        kind_key,
        outcome.astype(np.int32),
        tuple(outcomes.all),
    )


def _single(place: int, length: int, action: int) -> tuple[U64, I64, I64, I64, Flags]:
    """Return the cell of a context and length where everything is the same."""
    nothing = np.zeros(1, dtype=np.int64)
    key = context_key(np.array([place]), np.array([length]))
    return key, nothing + action, nothing, nothing, np.zeros(1, dtype=np.bool_)


def _leading(start: I64 | U64, length: int) -> tuple[U64, I64, Flags]:
    """Return runs by their first 15 digits: where they start, which piece holds there, which hold several."""
    start = start.astype(np.uint64)
    unit = 10 ** max(length - LEADING_DIGITS, 0)
    within = start[start % unit != 0] // unit
    lead = np.unique(np.concatenate([start // unit, within + 1]))
    lead = lead[lead < 10 ** min(length, LEADING_DIGITS)]
    index = np.searchsorted(start, lead * unit, side="right") - 1
    return lead, index, np.isin(lead, within)


def _read(file: Path) -> Tables | None:
    """Return the tables of a file, None where there is none for this version."""
    try:
        with file.open("rb") as source, np.load(source, allow_pickle=False) as stored:
            about = json.loads(bytes(stored["about"]))
            if about["version"] != [phonenumbers.__version__, COMPILER]:
                return None
            return Tables(
                {name: place for place, name in enumerate(about["places"])},
                np.cumsum(stored["plan_key"], dtype=np.uint64),
                stored["plan_action"],
                stored["plan_deltas"][stored["plan_delta"]],
                stored["plan_length"],
                stored["plan_extracted"],
                np.cumsum(stored["kind_key"], dtype=np.uint64),
                stored["kind_outcome"].astype(np.int32),
                tuple(Outcome(Verdict(verdict), *rest) for verdict, *rest in about["outcomes"]),
            )
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile):
        return None


def as_bytes(tables: Tables) -> bytes:
    """Return the tables as the content of a file: differences of keys, and each delta once."""
    deltas, which = np.unique(tables.plan_delta, return_inverse=True)
    about = {
        "version": [phonenumbers.__version__, COMPILER],
        "places": list(tables.places),
        "outcomes": [list(outcome) for outcome in tables.outcomes],
    }
    target = io.BytesIO()
    np.savez_compressed(
        target,
        about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
        plan_key=np.diff(tables.plan_key, prepend=np.uint64(0)),
        plan_action=tables.plan_action,
        plan_deltas=deltas,
        plan_delta=which.reshape(-1).astype(np.int32),
        plan_length=tables.plan_length,
        plan_extracted=tables.plan_extracted,
        kind_key=np.diff(tables.kind_key, prepend=np.uint64(0)),
        kind_outcome=tables.kind_outcome.astype(np.int16),
    )
    return target.getvalue()


def _write(tables: Tables, file: Path) -> None:
    """Keep the tables for the next process; a folder that cannot be written costs time, not answers."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as target:
                target.write(as_bytes(tables))
            # Other processes see the whole file or none.
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError:
        return


if __name__ == "__main__":
    # After an update of phonenumbers: python -m dialer.contacts.plans.tables
    _SHIPPED.write_bytes(as_bytes(compile_tables()))
