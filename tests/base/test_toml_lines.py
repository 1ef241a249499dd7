"""Where keys stand, against texts that are written together with their lines."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialer.base.toml_lines import key_lines, line_of


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1", ("a",), 1),
        ("\n# a = 0\na = 1", ("a",), 3),
        ("[t]\na = 1\n[u]\na = 2", ("u", "a"), 4),
        ("[t]\na = 1\n[u]\na = 2", ("u",), 3),
        ("[a.b.c]\nd = 1", ("a", "b"), 1),
        ("a.b.c = 1\na.b.d = 2", ("a", "b", "d"), 2),
        ("[t]\n a . b = 1\n", ("t", "a", "b"), 2),
        ('"a.b" = 1\n\'c d\'."e" = 2', ("a.b",), 1),
        ('"a.b" = 1\n\'c d\'."e" = 2', ("c d", "e"), 2),
        ('\n"caf\\u00e9" = 1', ("café",), 2),
        ("p = { x = 1, y = { z = 2 } }\nq = 3", ("p", "y", "z"), 1),
        ("p = { x = 1, y = { z = 2 } }\nq = 3", ("q",), 2),
        ("l = [\n  1,\n  # two\n  2,\n]\nm = 1", ("l", 1), 4),
        ("l = [\n  1,\n  # two\n  2,\n]\nm = 1", ("m",), 6),
        ("l = [[1],\n[2, { k = 3 }]]", ("l", 1, 1, "k"), 2),
        ('s = """\na = 1\n[t]\n"""\nb = 2', ("b",), 5),
        ("s = '''\n''a''\n'''\nb = 2", ("b",), 4),
        ('s = """a\\"""b"""""\nb = 2', ("b",), 2),
        ("s = ''''quoted''''\nb = 2", ("b",), 2),
        ('s = "# not a comment ] } ="\nb = 2', ("b",), 2),
        ("s = 'back\\'\nb = 2", ("b",), 2),
        ("d = 1979-05-27 07:32:00 # when\nb = 2", ("b",), 2),
        ("[[c]]\na = 1\n[[c]]\na = 2\n[c.d]\ne = 3", ("c", 1, "a"), 4),
        ("[[c]]\na = 1\n[[c]]\na = 2\n[c.d]\ne = 3", ("c", 1, "d", "e"), 6),
        ("[[c]]\n[[c.d]]\nx = 1\n[[c.d]]\nx = 2\n[[c]]\n[[c.d]]\nx = 3", ("c", 1, "d", 0, "x"), 8),
        ("a = 1\r\n\r\nb = 2\r\n", ("b",), 3),
        ('"" = 1\n[x]\n"" = 2', ("x", ""), 3),
    ],
)
def test_a_key_is_found_on_its_line(text: str, path: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(text)
    assert key_lines(text).get(path) == line


def test_a_key_that_is_not_there_has_the_line_of_its_table() -> None:
    lines = key_lines("a = 1\n[t]\nb = 2")
    assert line_of(lines, ("t", "missing")) == 2
    assert line_of(lines, ("t", "b", "deeper", 3)) == 3


def test_a_missing_table_has_no_line() -> None:
    assert line_of(key_lines("a = 1"), ("missing", "b")) is None


@example('"\\1" = 2')
@example("a = " + "[" * 5000)
@given(st.text(alphabet="ab=.[]{}\"'#,\n 1\\", max_size=60))
def test_any_text_is_walked_without_an_error(text: str) -> None:
    lines = key_lines(text)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


KEYS = st.text(alphabet="abc .\"'\\é#=\n", min_size=0, max_size=5)
LEAVES = st.one_of(
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.text(alphabet="ab\n\"'#[]{}=,\\ é", max_size=12),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.randoms(use_true_random=False))
def test_lines_are_those_that_the_writer_of_a_text_counted(values: dict[str, Any], random: Any) -> None:
    writer = _Writer(random)
    writer.document(values)
    text = "".join(writer.parts)
    assert tomllib.loads(text) == values
    found = key_lines(text)
    assert {path: found.get(path) for path in writer.lines} == writer.lines


class _Writer:
    """Writes values as TOML, in a style of its mood, and notes the line of every key and element."""

    def __init__(self, random: Any) -> None:
        self.random = random
        self.parts: list[str] = []
        self.lines: dict[tuple[str | int, ...], int] = {}

    def write(self, text: str) -> None:
        self.parts.append(text)

    def note(self, path: tuple[str | int, ...]) -> None:
        self.lines[path] = "".join(self.parts).count("\n") + 1

    def document(self, values: dict[str, Any]) -> None:
        tables = {
            key: value
            for key, value in values.items()
            if isinstance(value, dict) and self.random.random() < 0.6
        }
        for key, value in values.items():
            if key not in tables:
                self.pair((), key, value)
                self.write("\n")
        for key, table in tables.items():
            self.blank()
            self.write("[ ")
            self.note((key,))
            self.write(f"{self.key(key)} ]\n")
            for inner, value in table.items():
                self.pair((key,), inner, value)
                self.write(" # a [comment] = {\n")

    def pair(self, table: tuple[str | int, ...], key: str, value: Any) -> None:
        self.note((*table, key))
        self.write(f"{self.key(key)} = ")
        self.value((*table, key), value)

    def value(self, path: tuple[str | int, ...], value: Any) -> None:
        if isinstance(value, dict):
            self.write("{ ")
            for index, (key, inner) in enumerate(value.items()):
                self.write(", " if index else "")
                self.pair(path, key, inner)
            self.write(" }")
        elif isinstance(value, list):
            self.write("[")
            for index, inner in enumerate(value):
                # Inside an inline table a new line may come only within an array.
                self.write(self.random.choice(["", "\n  ", " # so\n"]))
                self.note((*path, index))
                self.value((*path, index), inner)
                self.write(",")
            self.write(self.random.choice(["]", "\n]"]))
        elif isinstance(value, str):
            self.write(self.text(value))
        else:
            self.write(json.dumps(value))

    def text(self, value: str) -> str:
        styles = [self.basic(value)]
        if "'" not in value:
            styles.append(f"'''\n{value}'''")
            styles += [] if "\n" in value else [f"'{value}'"]
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        styles.append(f'"""\n{escaped}"""')
        return str(self.random.choice(styles))

    def key(self, key: str) -> str:
        bare = key.isascii() and key.isalnum()
        return key if bare and self.random.random() < 0.7 else self.basic(key)

    def basic(self, value: str) -> str:
        return json.dumps(value)

    def blank(self) -> None:
        self.write(self.random.choice(["", "\n", "# [no.table]\n", "  \n\n"]))
