"""How results look where nobody looks."""

from __future__ import annotations

import pytest

from dialer.cli.show import out, print_table


def test_scripts_read_lines_that_are_not_folded(capsys: pytest.CaptureFixture[str]) -> None:
    words = "spring: " + "so many submitted, " * 30
    out().print(words, markup=False)
    assert capsys.readouterr().out == words + "\n"
    print_table("", ("why", "calls"), [(words.strip(), 1)])
    assert f"│ {words.strip()} │     1 │" in capsys.readouterr().out
