"""Texts to answers by two look-ups in the tables; the few that no table decides go to `phonenumbers`."""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import phonenumbers
import polars as pl

from dialer.contacts.kernel import Kernel, load_library
from dialer.contacts.numbers import I32, I64, PARSED_MAX, U64, Flags, Numbers, Outcomes, Sparse, Verdict
from dialer.contacts.plans.contexts import (
    ASK,
    DIGITS_MAX,
    DROP,
    IDD,
    NO_DIGITS,
    NO_REGION,
    NUMBER,
    RETRY,
    TOO_LONG,
    TOO_SHORT,
)
from dialer.contacts.plans.kinds import ASK_KIND
from dialer.contacts.plans.lookup import Lookup
from dialer.contacts.plans.tables import (
    INTERNATIONAL,
    LEADING_DIGITS,
    NOWHERE,
    Tables,
    context_key,
    length_key,
    load_tables,
)
from dialer.contacts.reading.digits import BLOCK_ROWS, Digits, read_digits
from dialer.contacts.reading.odd import Folded, clean, fold
from dialer.contacts.reading.scalar import ask_phonenumbers
from dialer.contacts.reading.toolong import TooLong, first_digits

_FEW = 40
"""So many texts that the kernel left open are asked one by one, which takes some milliseconds."""

_TENS = np.array([10**power for power in range(20)], dtype=np.uint64)


class Places(NamedTuple):
    """Per default region: the context of its texts without a +, and of those read again without it."""

    national: I64
    again: I64


class Reader:
    """Reads texts; keeps what it has learned of number plans between calls. Safe for several threads."""

    def __init__(self) -> None:
        self.asked = 0
        self._lock = Lock()

    def ready(self) -> Reader:
        """Return the reader with everything loaded that its threads will share."""
        with self._lock:
            for part in ("tables", "outcomes", "plans", "kinds", "kernel"):
                getattr(self, part)
        return self

    @cached_property
    def tables(self) -> Tables:
        """All number plans."""
        return load_tables()

    @cached_property
    def outcomes(self) -> Outcomes:
        """The outcomes that answers refer to; the first ones are those of rejected texts, by verdict."""
        return Outcomes(self.tables.outcomes)

    @cached_property
    def plans(self) -> Lookup:
        """Finds what digits become."""
        return Lookup(self.tables.plan_key)

    @cached_property
    def kinds(self) -> Lookup:
        """Finds what numbers are."""
        return Lookup(self.tables.kind_key)

    @cached_property
    def kernel(self) -> Kernel | None:
        """The compiled way, None where there is none."""
        library = load_library()
        return Kernel(library, self.tables, self.plans, self.kinds) if library is not None else None

    @cached_property
    def too_long(self) -> TooLong:
        """Which texts of too many digits are surely no numbers."""
        return TooLong()

    def read(
        self, texts: pl.Series, region: I64, names: list[str | None], dialable: Flags | None = None
    ) -> Numbers:
        """Return the answer of libphonenumber for each text; `region` indexes `names`.

        With `dialable`, which says of each outcome whether its numbers may be called, some cells of several
        numbers have become the first of these already.
        """
        places = self._places(names)
        found, rest = self._begin(texts, region, places, names, dialable)
        if not len(rest):
            return found
        value, outcome = found.value, found.outcome
        read_rest = self._read_odd if len(rest) > _FEW else self._read_few
        odd = read_rest(texts.gather(rest), region[rest], names, places)
        value[rest], outcome[rest] = odd.value, odd.outcome
        extension = found.extension.joined(odd.extension.shifted(rest))
        return found._replace(extension=extension, long=odd.long.shifted(rest))

    def _begin(
        self,
        texts: pl.Series,
        region: I64,
        places: Places,
        names: list[str | None],
        dialable: Flags | None,
    ) -> tuple[Numbers, I64]:
        """Return answers and the rows that still have none: from the kernel those that it is not sure of,
        without it all texts of more than digits and marks.
        """
        if self.kernel is None:
            digits = read_digits(texts)
            value, outcome = self._decide(digits, region, places)
            unusual = np.flatnonzero(digits.odd | digits.parted)
            numbers = Numbers(value, outcome, Sparse.empty(), Sparse.empty(), unusual)
            return numbers, np.flatnonzero(_open(digits, outcome))
        said = self.kernel.read(texts, region, *places, dialable)
        rest, many = said.rest, np.flatnonzero(said.rest_head >= 0)
        if len(many):
            head, count, plus = said.rest_head[many], said.rest_count[many], said.rest_plus[many] != 0
            never = self.too_long.surely(head, plus, count, region[rest[many]], names)
            said.outcome[rest[many[never]]] = Verdict.LONG_TEXT
            rest = np.delete(rest, many[never])
        extension = Sparse(said.extended, said.extensions)
        return Numbers(said.value, said.outcome, extension, Sparse.empty(), said.suspects, said.parts), rest

    def read_abroad(self, digits: U64) -> tuple[U64, I32]:
        """Return E.164 and the outcome of digits behind a +, given as integers."""
        nowhere = np.zeros(len(digits), dtype=np.int64)
        if self.kernel is None:
            numbers = self.read("+" + pl.Series(digits).cast(pl.String), nowhere, [None])
            return numbers.value, numbers.outcome
        value, outcome = self.kernel.abroad(digits)
        open_ = np.flatnonzero(outcome == ASK_KIND)
        if len(open_):
            numbers = self.read("+" + pl.Series(digits[open_]).cast(pl.String), nowhere[open_], [None])
            value[open_], outcome[open_] = numbers.value, numbers.outcome
        return value, outcome

    def _places(self, names: list[str | None]) -> Places:
        places = self.tables.places
        valid = phonenumbers.SUPPORTED_REGIONS
        return Places(
            np.array([places[name] if name in valid else NOWHERE for name in names], dtype=np.int64),
            np.array([places.get((name or "").upper(), NOWHERE) for name in names], dtype=np.int64),
        )

    def _read_few(self, texts: pl.Series, region: I64, names: list[str | None], places: Places) -> Numbers:
        """Return the answers of `phonenumbers` for a few texts, in less time than `odd.py` needs to begin."""
        nothing = np.zeros(0, dtype=np.int64)
        value, outcome = np.zeros(len(texts), dtype=np.uint64), np.zeros(len(texts), dtype=np.int32)
        found = Numbers(value, outcome, Sparse.empty(), Sparse.empty(), nothing)
        return self._ask(found, np.arange(len(texts)), texts, region, names)

    def _read_odd(self, texts: pl.Series, region: I64, names: list[str | None], places: Places) -> Numbers:
        """Return the answers for texts with more than digits and marks in them."""
        folded = fold(texts)
        digits = read_digits(folded.trimmed)
        value, outcome = self._decide(digits, region, places)
        rest = np.flatnonzero(_open(digits, outcome) | folded.special)
        if not len(rest):
            return Numbers(value, outcome, Sparse.empty(), Sparse.empty(), rest)
        found = self._read_rest(texts.gather(rest), folded.of(rest), region[rest], names, places)
        value[rest], outcome[rest] = found.value, found.outcome
        return found._replace(
            value=value,
            outcome=outcome,
            extension=found.extension.shifted(rest),
            long=found.long.shifted(rest),
        )

    def _read_rest(
        self, texts: pl.Series, folded: Folded, region: I64, names: list[str | None], places: Places
    ) -> Numbers:
        """Return the answers for texts with more in them than a label in front of the number."""
        cleaned = clean(texts, folded)
        digits = read_digits(cleaned.text)
        value, outcome = self._decide(digits, region, places)
        many = np.flatnonzero((digits.length > DIGITS_MAX) & (outcome == ASK_KIND) & ~cleaned.ask)
        head, plus = first_digits(cleaned.text.gather(many))
        never = self.too_long.surely(head, plus, digits.length[many], region[many], names)
        outcome[many] = np.where(never, Verdict.LONG_TEXT, ASK_KIND)
        outcome[cleaned.ask] = ASK_KIND
        outcome[~cleaned.ask & cleaned.text.is_null().to_numpy()] = Verdict.NOT_A_NUMBER
        outcome[cleaned.long] = Verdict.LONG_TEXT
        rejected = np.append(self.outcomes.verdicts() > PARSED_MAX, True)[outcome]
        value[rejected] = 0
        kept = ~rejected[cleaned.extension.rows]
        extension = Sparse(cleaned.extension.rows[kept], cleaned.extension.texts.filter(pl.Series(kept)))
        found = Numbers(value, outcome, extension, Sparse.empty(), np.zeros(0, dtype=np.int64))
        return self._ask(found, np.flatnonzero(outcome == ASK_KIND), texts, region, names)

    def _ask(
        self, found: Numbers, rows: I64, texts: pl.Series, region: I64, names: list[str | None]
    ) -> Numbers:
        """Return the answers with those of `phonenumbers` for the given rows."""
        if not len(rows):
            return found
        self.asked += len(rows)
        said = ask_phonenumbers(texts.gather(rows), region[rows], names, self.outcomes)
        found.value[rows], found.outcome[rows] = said.value, said.outcome
        kept = ~np.isin(found.extension.rows, rows)
        extension = said.extension.shifted(rows)
        both = Sparse(found.extension.rows[kept], found.extension.texts.filter(pl.Series(kept)))
        return found._replace(extension=both.joined(extension), long=said.long.shifted(rows))

    def _decide(self, digits: Digits, region: I64, places: Places) -> tuple[U64, I32]:
        """Return E.164 and the outcome, `ASK_KIND` where no table knows."""
        value, outcome = np.empty(len(region), dtype=np.uint64), np.empty(len(region), dtype=np.int32)
        for begin in range(0, len(region), BLOCK_ROWS):
            block = slice(begin, begin + BLOCK_ROWS)
            value[block], outcome[block] = self._decide_block(digits.of(block), region[block], places)
        return value, outcome

    def _decide_block(self, digits: Digits, region: I64, places: Places) -> tuple[U64, I32]:
        tables = self.tables
        place = np.where(digits.plus, INTERNATIONAL, places.national[region])
        many = np.flatnonzero(digits.length > DIGITS_MAX)
        if len(many):
            index, action = self._begin_long(many, place, digits)
        else:
            index = self._plan_of(place, digits.length, digits.value)
            action = tables.plan_action[index]
        value = digits.value + tables.plan_delta[index].astype(np.uint64)
        length = tables.plan_length[index]
        special = np.flatnonzero(action != NUMBER)
        kind = self._kind_of(length, value)
        if not len(special):
            return value, kind
        some = digits.of(special)
        action, moved, length = self._follow(
            action[special], index[special], some, places.again[region[special]]
        )
        number = action == NUMBER
        kind[special[number]] = self._kind_of(length[number], moved[number])
        value[special] = np.where(number, moved, np.uint64(0))
        rejected = np.full(256, ASK_KIND, dtype=np.int32)
        rejected[TOO_SHORT], rejected[TOO_LONG] = Verdict.SHORT_TEXT, Verdict.LONG_TEXT
        rejected[RETRY], rejected[NO_REGION] = Verdict.UNKNOWN_CODE, Verdict.NO_REGION
        rejected[NO_DIGITS] = Verdict.NOT_A_NUMBER
        kind[special[~number]] = rejected[action[~number]]
        return value, kind

    def _begin_long(self, many: I64, place: I64, digits: Digits) -> tuple[I64, npt.NDArray[np.uint8]]:
        """Return index and action where `many` have more digits than the tables."""
        # The first digits tell whether an international prefix stands before the others; that will do.
        value, count = digits.value.copy(), digits.length.copy()
        value[many] //= _TENS[1]
        count[many] = DIGITS_MAX
        index = self._plan_of(place, count, value)
        action = self.tables.plan_action[index]
        abroad = (digits.length[many] == DIGITS_MAX + 1) & (action[many] >= IDD) & (action[many] < DROP)
        action[many[~abroad]] = ASK
        return index, action

    def _follow(
        self, action: npt.NDArray[np.uint8], index: I64, digits: Digits, again: I64
    ) -> tuple[npt.NDArray[np.uint8], U64, npt.NDArray[np.uint8]]:
        """Return action, value and length after all further look-ups; the action is never one of these."""
        tables = self.tables
        action, index = action.copy(), index.copy()
        value, count = digits.value.copy(), digits.length.copy()
        retried = np.flatnonzero(action == RETRY)
        if len(retried):
            index[retried] = self._plan_of(again[retried], count[retried], value[retried])
            own = tables.plan_extracted[index[retried]]
            action[retried] = np.where(own, tables.plan_action[index[retried]], RETRY)
        abroad = np.flatnonzero((action >= IDD) & (action < DROP))
        if len(abroad):
            count[abroad] -= action[abroad] - np.uint8(IDD)
            value[abroad] %= _TENS[count[abroad]]
            place = np.full(len(abroad), INTERNATIONAL)
            index[abroad] = self._plan_of(place, count[abroad], value[abroad])
            action[abroad] = tables.plan_action[index[abroad]]
        dropped = np.flatnonzero((action >= DROP) & (action < NO_REGION))
        if len(dropped):
            count[dropped] -= action[dropped] - np.uint8(DROP)
            value[dropped] %= _TENS[count[dropped]]
            action[dropped] = NUMBER
        value += tables.plan_delta[index].astype(np.uint64)
        return action, value, tables.plan_length[index]

    def _plan_of(self, place: I64, count: npt.NDArray[np.uint8], value: U64) -> I64:
        key = context_key(place, count) | _leading(value, count)
        return self.plans.find(key)

    def _kind_of(self, length: npt.NDArray[np.uint8], value: U64) -> I32:
        key = length_key(length) | _leading(value, length)
        return self.tables.kind_outcome[self.kinds.find(key)]


def _open(digits: Digits, outcome: I32) -> Flags:
    """Return which texts must be looked at more closely."""
    # Two digits are a number only if nothing stands between them.
    found: Flags = digits.odd | (digits.length == 2) | (outcome == ASK_KIND)
    return found


def _leading(value: U64, count: npt.NDArray[np.uint8]) -> U64:
    """Return the first digits of each value, at most as many as a key holds."""
    longer = np.flatnonzero(count > LEADING_DIGITS)
    if not len(longer):
        return value
    lead = value.copy()
    spare = np.minimum(count[longer], DIGITS_MAX + 1) - np.uint8(LEADING_DIGITS)
    lead[longer] = value[longer] // _TENS[spare] % _TENS[LEADING_DIGITS]
    return lead


def index_of(cells: pl.Series | str | None, height: int) -> tuple[I64, list[str | None]]:
    """Return each row's cell as an index, and the different cells."""
    if not isinstance(cells, pl.Series):
        return np.zeros(height, dtype=np.int64), [cells]
    texts = cells.cast(pl.String)
    found = READER.kernel.index(texts) if READER.kernel is not None else None
    if found is not None:
        return found[0], texts.gather(found[1]).to_list()
    # Categories of its own, so that the codes count from 0 and are forgotten with them.
    coded = texts.cast(pl.Categorical(pl.Categories.random()))
    codes, different = coded.to_physical(), coded.unique()
    names: list[str | None] = [None] * (different.len() + 1)
    for code, name in zip(different.to_physical(), different.cast(pl.String), strict=True):
        if name is not None:
            names[code] = name
    return codes.fill_null(len(names) - 1).to_numpy().astype(np.int64), names


READER = Reader()
"""The one reader of this process."""
