"""The kernel says what Python says, of whatever comes in, and stands aside where it cannot be used."""

import importlib.util
import random
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dialer.base.compiled import compiled
from dialer.contacts import normalize, parse_numbers
from dialer.contacts.kernel import binding
from dialer.contacts.reading.reader import READER
from dialer.lists.arrow import VIEW, as_texts_of

HERE = Path(__file__).parent
needs_kernel = pytest.mark.skipif(READER.ready().kernel is None, reason="no kernel was compiled")


def module_at(path):
    """Return the module in a file that is no part of a package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


corpus = module_at(HERE / "corpus.py")

FRONT = ["'", '="', "\u200e", "\t", "“", "Tel ", "(", "`", "\u00a0"]
BEHIND = [
    ".0",
    '"',
    ",0",
    " or 9876543210",
    " AND 12",
    "; 12345",
    "E+11",
    "e5",
    " ,,77",
    "\n1",
    "&x",
    "/7",
    " é",
]
CELLS = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.text(alphabet="0123456789+-() ./x;,|&#~eEaAnNdDoOrR\u00a0–＋３٣ー\u200b'\"=\n", max_size=40),
    st.from_regex(re.compile(r"\+?[0-9]{5,22}( (or|and|/|;|&) ?\+?[0-9]{3,13}){0,9}"), fullmatch=True),
)


def damaged(random_, text):
    """Return a text as some spreadsheet or person would have left it."""
    if text is None or random_.random() < 0.5:
        return text
    other = random_.choice([random_.choice(BEHIND), f"/{text}", f"; {text}", f", {text[:-1]}", f" or {text}"])
    return random_.choice(["", random_.choice(FRONT)]) + text + other


def assert_same(both_ways, frame):
    """Assert that both ways give the same answers for the columns phone, second and country."""
    works = [
        lambda: parse_numbers(frame["phone"], frame["country"]),
        lambda: normalize(frame, "phone", None, "country"),
        lambda: normalize(frame, ["second", "phone"], "IN", None, ["mobile", "fixed_line_or_mobile"]),
    ]
    for work in works:
        answers = both_ways(work)
        assert_frame_equal(answers[0], answers[-1])


def frame_of(texts, seconds, regions):
    names = ("phone", "second", "country")
    return pl.DataFrame(
        dict(zip(names, (texts, seconds, regions), strict=True)), dict.fromkeys(names, pl.String)
    )


@needs_kernel
@pytest.mark.parametrize("kind", ["mixed_list", "conformance"])
def test_lists_and_corners_are_the_same_on_both_ways(both_ways, kind):
    random_ = random.Random(7)
    texts, regions = getattr(corpus.Corpus(601), kind)(3000)
    regions = [
        region if region in corpus.REGIONS else random_.choice(["Atlantis", None, " "]) for region in regions
    ]
    seconds = [damaged(random_, text) for text in reversed(texts)]
    assert_same(both_ways, frame_of([damaged(random_, text) for text in texts], seconds, regions))


@needs_kernel
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(CELLS, CELLS, st.sampled_from(["IN", "DE", "US", "GB", "India", None])), max_size=40)
)
def test_any_cells_are_the_same_on_both_ways(both_ways, rows):
    assert_same(both_ways, frame_of(*([list(column) for column in zip(*rows, strict=True)] or [[], [], []])))


@needs_kernel
def test_letters_in_disguise_are_the_same_on_both_ways(both_ways):
    letters = re.compile(r"[a-z]|[óдоб]", re.IGNORECASE)
    disguised = [chr(point) for point in range(0x80, 0x20000) if letters.fullmatch(chr(point))]
    assert {"\u0130", "\u0131", "\u017f", "\u212a"} < set(disguised)
    texts = [text for one in disguised for text in (f"+1 800{one}5551234", f"+1 415 555 2671 e{one}t. 12")]
    answers = both_ways(lambda: parse_numbers(pl.Series(texts), pl.Series(["GB"] * len(texts))))
    assert_frame_equal(answers[0], answers[-1])
    kelvin = answers[-1].row(texts.index("+1 800\u212a5551234"), named=True)
    assert kelvin["phone"] == "+18005551234"


TOKENS = [
    "12.03.2024",
    "2024-03-12",
    "0800-1600",
    "8.00-16.00",
    "08:00 - 16:00",
    "1)",
    "2)",
    "Tel",
    "home",
    "(work)",
    "ext 5",
    "x12",
    "oder",
    "y",
    "w/",
    "24/7",
    ".0",
    ",0",
    "E5",
    "1",
    "22",
    "089",
    "+44",
    "+",
]
BETWEEN = [
    "; ",
    ", ",
    " / ",
    "/",
    "//",
    " /",
    "|",
    "&",
    "\n",
    " or ",
    " oder ",
    ";;",
    ", ,",
    " ",
    "",
    ".",
    "-",
    ",,",
    "、",
    "\x0b",
    "\t",
]


@needs_kernel
def test_cells_of_several_numbers_are_the_same_on_both_ways(both_ways):
    """Goal: one rule in C and in Python. Method: numbers, dates, hours and words in any order."""
    random_, source = random.Random(11), corpus.Corpus(603)
    regions = random_.choices(["DE", "AT", "US", "IN", "FR", "SE", "DK", "CA", "JP", "NZ", "EG"], k=3000)
    cells = []
    for region in regions:
        pieces = random_.choices(TOKENS, k=random_.randint(0, 2)) + [
            source._digits(region) for _ in range(random_.randint(1, 3))
        ]
        random_.shuffle(pieces)
        cells.append("".join(piece + random_.choice(BETWEEN) for piece in pieces))
    assert_same(both_ways, frame_of(cells, [cell[1:] for cell in cells], regions))


@needs_kernel
def test_slices_chunks_and_long_texts_are_the_same_on_both_ways(both_ways):
    texts, regions = corpus.Corpus(602).mixed_list(700)
    texts[3], texts[5], texts[-1] = (
        "9" * 70_000,
        "é" * 251 + "123",
        "+44 20 7946 0018 ext 12345678901234567890",
    )
    frame = frame_of(texts, ["0 " * 130] * len(texts), regions)
    frame = pl.concat([frame, frame.slice(0, 11), frame.reverse()], rechunk=False)
    for some in (
        frame,
        frame.slice(13, 600),
        frame.slice(695, 30),
        frame.slice(4, 1),
        frame.filter(pl.col("phone") > "+"),
    ):
        assert_same(both_ways, some)


@needs_kernel
def test_bytes_that_are_no_text_are_left_open_and_harm_nobody():
    random_ = np.random.default_rng(5)
    views = np.zeros((200, VIEW), np.uint8)
    for row, view in enumerate(views):
        # A digit and the beginning of a character, cut off; from row 100 on, places that do not exist.
        size = 12 if row < 100 else 13 + row
        view[:4] = np.array([size], "<u4").view(np.uint8)
        view[4:] = [*random_.integers(0x30, 0x3A, 10), 0xE2, 0x80]
        view[8:12] = [7, 0, 0, 0] if row >= 100 else view[8:12]
    texts = as_texts_of(views.reshape(-1), len(views), [])
    nowhere = np.zeros(1, np.int64)
    found = READER.kernel.read(
        texts, np.zeros(len(views), np.int64), nowhere, nowhere, np.ones(9999, np.bool_)
    )
    assert found.rest.tolist() == list(range(200))
    assert (found.outcome < 0).all()


@needs_kernel
def test_regions_that_do_not_exist_are_left_open():
    texts, nowhere = pl.Series(["+442079460018"] * 3), np.zeros(1, np.int64)
    found = READER.kernel.read(texts, np.array([0, 1, -1]), nowhere, nowhere)
    assert found.rest.tolist() == [1, 2]
    assert found.value.tolist() == [442079460018, 0, 0]


@needs_kernel
def test_different_texts_are_told_apart_whatever_their_length():
    texts = pl.Series(
        ["IN", None, "", "IN", "x" * 12, "x" * 13, "x" * 12 + "y", "x" * 13, None, "I", "x" * 40]
    )
    which, first = READER.kernel.index(texts)
    assert texts.gather(first[which]).to_list() == texts.to_list()
    assert len(first) == 8
    assert READER.kernel.index(pl.Series(range(9000)).cast(pl.String)) is None


@needs_kernel
@pytest.mark.parametrize(
    "value", [1, 9, 10, 99_999_999, 100_000_000, 919876543210, 10**16 - 1, 10**16, 2**64 - 1]
)
def test_a_number_is_written_with_all_its_digits(value):
    fields = READER.outcomes.columns()
    shown = np.ones(1, np.bool_)
    (phone, *_), hidden = READER.kernel.columns(
        np.array([value], np.uint64), np.zeros(1, np.int32), shown, fields
    )
    assert phone.to_list() == [f"+{value}"]
    assert len(hidden) == 0


@pytest.fixture
def reloaded():
    """Forget what is loaded before and after the test."""
    for cached in (binding.load_library, compiled):
        cached.cache_clear()
    yield
    for cached in (binding.load_library, compiled):
        cached.cache_clear()


@pytest.fixture
def moved(reloaded, monkeypatch, tmp_path):
    """Give a copy of the source without a library."""
    for file in binding._SOURCE.parent.glob("kernel*.[ch]"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(binding, "_SOURCE", tmp_path / "kernel.c")
    return tmp_path


@needs_kernel
@pytest.mark.parametrize("changed", ["kernel.c", "kernel_odd.h"])
def test_a_kernel_of_other_source_is_not_loaded(moved, changed):
    shutil.copy(Path(binding.__file__).with_name("libkernel.so"), moved)
    with (moved / changed).open("a") as source:
        source.write("\n")
    assert binding.load_library() is None


def test_the_environment_turns_the_kernel_off(reloaded, monkeypatch):
    monkeypatch.setenv("DIALER_KERNEL", "off")
    assert binding.load_library() is None


@pytest.mark.parametrize("content", [None, "no library"])
def test_without_a_library_there_is_no_kernel(moved, content):
    if content is not None:
        (moved / "libkernel.so").write_text(content)
    assert binding.load_library() is None


class TestBuilding:
    """hatch_build.py, which needs hatchling only for its base class."""

    @pytest.fixture
    def build(self):
        pytest.importorskip("hatchling")
        return module_at(HERE.parent.parent / "hatch_build.py")

    def test_without_a_compiler_it_says_so_in_one_line(self, build, monkeypatch, tmp_path):
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        why_not = build.compile_kernel(binding._SOURCE, tmp_path / "libkernel.so")
        assert why_not == "no C compiler found (CC, cc, gcc, clang)"

    def test_a_compiler_that_fails_leaves_nothing_behind(self, build, monkeypatch, tmp_path):
        monkeypatch.setenv("CC", shutil.which("false"))
        assert "failed" in build.compile_kernel(binding._SOURCE, tmp_path / "libkernel.so")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
    def test_what_is_compiled_is_loaded(self, build, moved, monkeypatch):
        monkeypatch.delenv("DIALER_KERNEL", raising=False)
        monkeypatch.delenv("CC", raising=False)
        assert build.compile_kernel(binding._SOURCE, moved / "libkernel.so") is None
        assert binding.load_library() is not None
