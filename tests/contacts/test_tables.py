import numpy as np
import phonenumbers
import pytest

from dialer.contacts.numbers import Outcome, Outcomes, Verdict
from dialer.contacts.plans import contexts, kinds, tables
from dialer.contacts.plans.patterns import UnknownSyntax
from dialer.contacts.reading import toolong


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Give a cache folder of its own to tables that are loaded anew."""
    monkeypatch.setenv("DIALER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(tables, "_SHIPPED", tmp_path / "absent.npz")
    tables.load_tables.cache_clear()
    yield tmp_path
    tables.load_tables.cache_clear()


def same(first, second):
    """Say whether two sets of tables are equal."""
    return all(
        np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other
        for one, other in zip(first, second, strict=True)
    )


def test_the_shipped_tables_are_those_of_the_installed_phonenumbers():
    """Compiles all regions anew; `python -m dialer.contacts.plans.tables` mends it after an update."""
    shipped = tables._read(tables._SHIPPED)
    assert shipped is not None, "dialer/contacts/plans/tables.npz is of another version of phonenumbers"
    assert same(shipped, tables.compile_tables())


def test_the_shipped_file_is_small():
    assert tables._SHIPPED.stat().st_size < 3 * 1024 * 1024


def test_keys_are_sorted_and_differ():
    known = tables.load_tables()
    assert (known.plan_key[1:] > known.plan_key[:-1]).all()
    assert (known.kind_key[1:] > known.kind_key[:-1]).all()
    assert set(known.places) == {"", "+", *phonenumbers.SUPPORTED_REGIONS}


def test_compiled_tables_are_kept_and_read_again(fresh, monkeypatch):
    known = tables._read(tables.Path(tables.__file__).with_name("tables.npz"))
    compiled = []
    monkeypatch.setattr(tables, "compile_tables", lambda: compiled.append(1) or known)
    assert same(tables.load_tables(), known)
    tables.load_tables.cache_clear()
    assert same(tables.load_tables(), known)
    assert len(compiled) == 1
    assert [file.name for file in (fresh / "cache").iterdir()] == [tables.cache_file().name]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", None])
def test_a_torn_or_old_cache_is_compiled_anew(fresh, monkeypatch, content):
    known = tables._read(tables.Path(tables.__file__).with_name("tables.npz"))
    monkeypatch.setattr(tables, "compile_tables", lambda: known)
    file = tables.cache_file()
    file.parent.mkdir()
    if content is None:
        with monkeypatch.context() as older:
            older.setattr(tables, "COMPILER", 0)
            content = tables.as_bytes(known)
    file.write_bytes(content)
    assert same(tables.load_tables(), known)
    assert same(tables._read(file), known)


def test_a_folder_that_cannot_be_written_costs_no_answer(fresh, monkeypatch):
    known = tables._read(tables.Path(tables.__file__).with_name("tables.npz"))
    monkeypatch.setattr(tables, "compile_tables", lambda: known)
    (fresh / "cache").write_text("a file where a folder should be")
    assert same(tables.load_tables(), known)


def test_new_syntax_sends_a_country_to_phonenumbers_instead_of_failing(monkeypatch):
    def unknown(pattern):
        raise UnknownSyntax(pattern)

    monkeypatch.setattr(contexts, "_paths", unknown)
    monkeypatch.setattr(kinds, "language", unknown)
    plan = contexts.compile_region("IN", 11)
    assert plan.action.tolist() == [contexts.ASK]
    assert contexts.ASK in contexts.compile_international(12).action
    assert kinds.ASK_KIND in kinds.compile_kinds(Outcomes([Outcome(Verdict.VALID)]), 12).outcome
    monkeypatch.setattr(toolong, "parse_pattern", unknown)
    never = toolong.TooLong().surely(
        np.array([9999]), np.array([False]), np.array([25], np.uint8), np.array([0]), ["IN"]
    )
    assert not never.any()
