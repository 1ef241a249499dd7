"""The regular expressions of number plans as sets of integers.

The patterns of libphonenumber's metadata speak of digits only and of no unbounded repeats, so that all
matches of a given length are a finite set: a few sorted intervals of integers. Prefix patterns (national
prefix, international prefix) are unrolled into their paths instead, in the order in which a backtracking
matcher tries them, because there the first match counts and not the longest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

Intervals = tuple[tuple[int, int], ...]
"""Disjoint half-open intervals [low, high), sorted."""

_ALL_DIGITS = 0b1111111111


class UnknownSyntax(ValueError):
    """The pattern uses something that number plans have never used."""


@dataclass(frozen=True, slots=True)
class Digit:
    """One digit out of a set; bit d of `mask` stands for d."""

    mask: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """One thing after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The first of several that matches."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same thing several times, as often as possible."""

    part: Node
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Group:
    """A numbered group."""

    part: Node
    number: int


@dataclass(frozen=True, slots=True)
class End:
    """The end of the text."""


Node = Digit | Sequence | Choice | Repeat | Group | End


class _Parser:
    """Recursive descent over one pattern."""

    def __init__(self, pattern: str) -> None:
        self.pattern = "".join(pattern.split())
        self.at = 0
        self.groups = 0

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self, expected: str = "") -> str:
        symbol = self.peek()
        if not symbol or (expected and symbol != expected):
            raise UnknownSyntax(f"{self.pattern!r} at {self.at}")
        self.at += 1
        return symbol

    def choice(self) -> Node:
        parts = [self.sequence()]
        while self.peek() == "|":
            self.take()
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeat(self.atom()))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def atom(self) -> Node:
        symbol = self.take()
        if symbol == "(":
            number = 0
            if self.peek() == "?":
                self.take()
                self.take(":")
            else:
                self.groups += 1
                number = self.groups
            part = self.choice()
            self.take(")")
            return Group(part, number) if number else part
        if symbol == "[":
            return Digit(self.digit_set())
        if symbol == "\\":
            self.take("d")
            return Digit(_ALL_DIGITS)
        if symbol == "$":
            return End()
        if symbol.isdigit():
            return Digit(1 << int(symbol))
        raise UnknownSyntax(f"{self.pattern!r} at {self.at}")

    def digit_set(self) -> int:
        mask = 0
        while self.peek() != "]":
            symbol = self.take()
            if symbol == "\\":
                self.take("d")
                mask |= _ALL_DIGITS
            elif symbol.isdigit():
                low = high = int(symbol)
                if self.peek() == "-":
                    self.take()
                    high = int(self.take())
                mask |= sum(1 << digit for digit in range(low, high + 1))
            else:
                raise UnknownSyntax(f"{self.pattern!r} at {self.at}")
        self.take("]")
        return mask

    def repeat(self, part: Node) -> Node:
        symbol = self.peek()
        if symbol == "?":
            self.take()
            repeated: Node = Repeat(part, 0, 1)
        elif symbol == "{":
            self.take()
            numbers = ""
            while self.peek() != "}":
                numbers += self.take()
            self.take("}")
            least, _, most = numbers.partition(",")
            repeated = Repeat(part, int(least), int(most or least))
        else:
            return part
        if self.peek() in ("?", "+", "*", "{"):
            raise UnknownSyntax(f"{self.pattern!r} at {self.at}")
        return repeated


@cache
def parse_pattern(pattern: str) -> Node:
    """Return the tree of a pattern.

    Raises:
        UnknownSyntax: the pattern uses something that number plans have never used.
    """
    parser = _Parser(pattern)
    node = parser.choice()
    if parser.at != len(parser.pattern):
        raise UnknownSyntax(f"{pattern!r} at {parser.at}")
    return node


@dataclass(frozen=True, slots=True)
class Path:
    """One way through a prefix pattern: the digits it takes, its groups, whether the text must end there."""

    masks: tuple[int, ...] = ()
    groups: dict[int, tuple[int, int]] = field(default_factory=dict)
    ends: bool = False

    def then(self, later: Path) -> Path | None:
        """Return both, one after the other; None where nothing may follow."""
        if self.ends and later.masks:
            return None
        shift = len(self.masks)
        groups = {number: (low + shift, high + shift) for number, (low, high) in later.groups.items()}
        return Path(self.masks + later.masks, self.groups | groups, self.ends or later.ends)


def paths(node: Node) -> list[Path]:
    """Return all ways through the pattern in the order in which a matcher tries them."""
    match node:
        case Digit(mask):
            return [Path((mask,))]
        case End():
            return [Path(ends=True)]
        case Choice(parts):
            return [path for part in parts for path in paths(part)]
        case Sequence(parts):
            found = [Path()]
            for part in parts:
                found = [both for first in found for second in paths(part) if (both := first.then(second))]
            return found
        case Group(part, number):
            return [
                Path(path.masks, path.groups | {number: (0, len(path.masks))}, path.ends)
                for path in paths(part)
            ]
        case Repeat(part, least, most):
            return _repeated(paths(part), least, most)


def _repeated(once: list[Path], least: int, most: int) -> list[Path]:
    if most == 0:
        return [Path()]
    further = _repeated(once, max(least - 1, 0), most - 1)
    found = [both for first in once for second in further if (both := first.then(second))]
    return found if least else [*found, Path()]


class Language:
    """All texts that a pattern matches in full, length by length."""

    def __init__(self, pattern: str) -> None:
        self._steps: list[tuple[int, int]] = []
        self._jumps: list[list[int]] = []
        start, self._accept = self._build(parse_pattern(pattern))
        self._start = self._closure({start})
        self._next: dict[tuple[frozenset[int], int], frozenset[int]] = {}
        self._known: dict[tuple[frozenset[int], int], Intervals] = {}

    def of_length(self, length: int) -> Intervals:
        """Return the matches of `length` digits, read as integers."""
        return self._intervals(self._start, length)

    def with_prefix(self, length: int) -> Intervals:
        """Return the texts of `length` digits that begin with a match."""
        found = [
            (low * 10 ** (length - size), high * 10 ** (length - size))
            for size in range(length + 1)
            for low, high in self.of_length(size)
        ]
        return merged(found)

    def _state(self, mask: int, target: int) -> int:
        self._steps.append((mask, target))
        self._jumps.append([])
        return len(self._steps) - 1

    def _build(self, node: Node) -> tuple[int, int]:
        """Add the states of a part; return the first and the last one."""
        start, end = self._state(0, 0), self._state(0, 0)
        match node:
            case Digit(mask):
                self._steps[start] = (mask, end)
            case Sequence(parts):
                last = start
                for part in parts:
                    first, after = self._build(part)
                    self._jumps[last].append(first)
                    last = after
                self._jumps[last].append(end)
            case Choice(parts):
                for part in parts:
                    first, after = self._build(part)
                    self._jumps[start].append(first)
                    self._jumps[after].append(end)
            case Group(part, _):
                return self._build(part)
            case Repeat(part, least, most):
                last = start
                for count in range(most):
                    if count >= least:
                        self._jumps[last].append(end)
                    first, after = self._build(part)
                    self._jumps[last].append(first)
                    last = after
                self._jumps[last].append(end)
            case End():
                raise UnknownSyntax("$ in a pattern that is matched in full")
        return start, end

    def _closure(self, states: set[int]) -> frozenset[int]:
        found, waiting = set(states), list(states)
        while waiting:
            for state in self._jumps[waiting.pop()]:
                if state not in found:
                    found.add(state)
                    waiting.append(state)
        return frozenset(state for state in found if self._steps[state][0] or state == self._accept)

    def _follow(self, states: frozenset[int], digit: int) -> frozenset[int]:
        key = (states, digit)
        if key not in self._next:
            bit = 1 << digit
            self._next[key] = self._closure({self._steps[s][1] for s in states if self._steps[s][0] & bit})
        return self._next[key]

    def _intervals(self, states: frozenset[int], length: int) -> Intervals:
        if not states:
            return ()
        if length == 0:
            return ((0, 1),) if self._accept in states else ()
        key = (states, length)
        if key not in self._known:
            unit = 10 ** (length - 1)
            found = [
                (digit * unit + low, digit * unit + high)
                for digit in range(10)
                for low, high in self._intervals(self._follow(states, digit), length - 1)
            ]
            self._known[key] = merged(found)
        return self._known[key]


@cache
def language(pattern: str) -> Language:
    """Return the pattern's language, built once."""
    return Language(pattern)


def merged(intervals: list[tuple[int, int]]) -> Intervals:
    """Return the union of intervals, sorted and joined where they touch."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(intervals):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def prefix_intervals(masks: tuple[int, ...], length: int) -> Intervals:
    """Return the numbers of `length` digits whose first digits are in the given sets."""
    found: list[tuple[int, int]] = [(0, 1)]
    for mask in masks:
        digits = [digit for digit in range(10) if mask >> digit & 1]
        found = list(
            merged([(low * 10 + digit, low * 10 + digit + 1) for low, high in found for digit in digits])
            if mask != _ALL_DIGITS and all(high - low == 1 for low, high in found)
            else [(low * 10, high * 10) for low, high in found]
            if mask == _ALL_DIGITS
            else merged(
                [
                    (v * 10 + d, v * 10 + d + 1)
                    for low, high in found
                    for v in range(low, high)
                    for d in digits
                ]
            )
        )
    unit = 10 ** (length - len(masks))
    return tuple((low * unit, high * unit) for low, high in found)
