from __future__ import annotations

from pathlib import Path

import pytest

from dialer.base.errors import BadInput
from dialer.base.toml import read_toml, shown


def refusal(content: str | bytes, folder: Path) -> str:
    file = folder / "some.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput) as refused:
        read_toml(file)
    return str(refused.value).removeprefix(str(folder))


def test_a_file_knows_where_its_keys_stand(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text("[pace]\n\ncalls_per_second = 1\n")
    toml = read_toml(file)
    assert toml.values == {"pace": {"calls_per_second": 1}}
    assert toml.where(("pace", "calls_per_second")) == f"{file}:3"
    assert toml.where(("pace", "not_there")) == f"{file}:1"
    assert toml.where(("not_there",)) == str(file)


def test_a_byte_order_mark_and_windows_line_ends_are_read_over(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_bytes("\ufeffa = 1\r\n\r\nb = 2\r\n".encode())
    assert read_toml(file).where(("b",)) == f"{file}:3"


def test_a_mistake_of_spelling_is_told_with_line_and_column(tmp_path: Path) -> None:
    assert refusal("a = 1\nb 2\n", tmp_path).startswith("/some.toml:2:3: not TOML: expected '='")


def test_a_text_without_an_end_is_told_at_the_end_of_the_file(tmp_path: Path) -> None:
    assert refusal('a = 1\nb = """open', tmp_path).startswith("/some.toml:2:12: not TOML: ")


def test_a_key_said_twice_is_refused(tmp_path: Path) -> None:
    assert refusal("a = 1\na = 2\n", tmp_path).startswith("/some.toml:2:")


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    assert refusal("a = 1\nb = 'caf\xe9'\n".encode("latin-1"), tmp_path).startswith(
        "/some.toml:2: is not UTF-8"
    )


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="cannot be read"):
        read_toml(tmp_path)


def test_a_file_below_this_folder_is_shown_as_one_would_type_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "campaigns" / "spring") == str(Path("campaigns", "spring"))
    assert shown(tmp_path.parent / "elsewhere") == str(tmp_path.parent / "elsewhere")
