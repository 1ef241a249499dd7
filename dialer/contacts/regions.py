"""Which country a cell means: ISO codes in any case, names in many languages, the usual short forms.

A name in English is known by its words: `Korea, Republic of`, `Republic of Korea` and `Korea (the Republic
of)` are one name, and so are `U.K.` and `the UK`. What two countries could be called means neither.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import phonenumbers

from dialer.base.errors import BadInput
from dialer.contacts.country_names import ALIASES, ALPHA3, TITLES

_NEAR = 0.8
"""How like two names must be: 'Indai' and 'india' are, 'Atlantis' and 'irlanti' (0.67) are not."""

_SUGGESTED_MAX = 3

_FILLERS = frozenset({"the", "of", "and"})
_IN_FULL = {
    "fed": "federation",
    "rep": "republic",
    "dem": "democratic",
    "is": "islands",
    "isl": "islands",
    "island": "islands",
}
_APOSTROPHE = re.compile("['’‘ʼ`´]")
_INITIALS = re.compile(r"\b[^\W\d_](?: [^\W\d_]\b)+")
_BETWEEN = re.compile(r"[()\[\]/,;|]|\s[-–—]\s")


def region_of(text: str) -> str | None:
    """Return the ISO code that a person means by `text`, or None."""
    code = text.strip().upper()
    if code in phonenumbers.SUPPORTED_REGIONS:
        return code
    return _regions_by_name().get(_plain(text)) or _regions_by_words().get(_words(text)) or _agreed(text)


def require_region(text: str) -> str:
    """Return the ISO code of a default region.

    Raises:
        BadInput: no country is called so.
    """
    region = region_of(text)
    if region is None:
        raise BadInput(f"region = {text!r}: expected an ISO code such as 'IN' or 'GB'{suggest_region(text)}")
    return region


@lru_cache(maxsize=256)
def suggest_region(text: str) -> str:
    """Return ` (did you mean 'X' or 'Y'?)` for a name cut short or with a slip or two, or an empty text."""
    meant = _longer(text) or _near(text)
    names = " or ".join(f"'{name_of(region)}'" for region in meant)
    return f" (did you mean {names}?)" if 0 < len(meant) <= _SUGGESTED_MAX else ""


def _longer(text: str) -> list[str]:
    """Return the countries whose names have the words of `text` and more: both `Virgin Islands`."""
    words = _words(text)
    return sorted({region for longer, region in _regions_by_words().items() if words and words < longer})


def _near(text: str) -> list[str]:
    names = _regions_by_name()
    near = get_close_matches(_plain(text), names, n=1, cutoff=_NEAR) if len(text) > 3 else []
    return [names[name] for name in near]


def name_of(region: str | None) -> str:
    """Return a country's English name, its code where it has none."""
    if region is None:
        return "no country"
    names = _locales().get(region, {})
    return str(_follow(names, "en") or region)


def _follow(names: dict[str, str], language: str) -> str | None:
    name = names.get(language)
    # A star refers to the language whose name is the same.
    return names.get(name[1:]) if name is not None and name.startswith("*") else name


def _plain(text: str) -> str:
    """Return a name without accents, case and punctuation."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    letters = letters.replace("&", " and ")
    words = re.sub(r"[\W_]+", " ", letters).strip().split()
    return " ".join("saint" if word == "st" else word for word in words)


def _words(text: str) -> frozenset[str]:
    """Return the words of an English name, initials as one of them: `the U.S.` has the word `us` alone."""
    name = _INITIALS.sub(lambda initials: initials[0].replace(" ", ""), _plain(_APOSTROPHE.sub("", text)))
    return frozenset(_IN_FULL.get(word, word) for word in name.split()) - _FILLERS


def _agreed(text: str) -> str | None:
    """Return the country that each part of a text means: of `Burma / Myanmar (MM)`, not of `Georgia, US`."""
    first, *others = [part for part in _BETWEEN.split(text) if part.strip()] or [""]
    meant = region_of(first) if others else None
    return meant if meant and all(region_of(other) == meant for other in others) else None


@cache
def _locales() -> Any:
    """Return the names of countries that come with `phonenumbers`, by region and language."""
    # Only this module of the package, which reads the names of all towns otherwise: 20 ms against 300.
    file = Path(phonenumbers.__file__).with_name("geodata") / "locale.py"
    spec = spec_from_file_location("phonenumbers.geodata.locale", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LOCALE_DATA


@cache
def _regions_by_name() -> dict[str, str]:
    known: dict[str, set[str]] = {}
    for region, names in _locales().items():
        if region in phonenumbers.SUPPORTED_REGIONS:
            for name in names.values():
                if not name.startswith("*"):
                    known.setdefault(_plain(name), set()).add(region)
    # A name that two countries share in two languages means neither.
    meant = {name: next(iter(regions)) for name, regions in known.items() if len(regions) == 1}
    for region in phonenumbers.SUPPORTED_REGIONS:
        meant[_plain(name_of(region))] = region
    codes = ALPHA3.split()
    meant |= {alpha3.casefold(): alpha2 for alpha2, alpha3 in zip(codes[::2], codes[1::2], strict=True)}
    meant |= {_plain(alias): region for region, alias in _pairs(ALIASES)}
    return {name: region for name, region in meant.items() if name}


@cache
def _regions_by_words() -> dict[frozenset[str], str]:
    """Return the countries by the words of their English names, short and long, if only one is called so."""
    # A region without a name is shown by its code, which is no word: `A/C` is not Ascension.
    names = {
        region: {_words(name_of(region))} - {_words(region)} for region in phonenumbers.SUPPORTED_REGIONS
    }
    for region, alias in _pairs(ALIASES):
        names[region].add(_words(alias))
    known: dict[frozenset[str], set[str]] = {}
    for region, short in names.items():
        for words in short:
            known.setdefault(words, set()).add(region)
    for line in TITLES.strip().splitlines():
        title, *regions = line.split()
        for region in regions:
            for words in names.get(region, ()):
                known.setdefault(words | _words(title.replace("_", " ")), set()).add(region)
    return {words: next(iter(regions)) for words, regions in known.items() if len(regions) == 1}


def _pairs(table: str) -> Iterator[tuple[str, str]]:
    """Return each country with each of its names in a table that has the country at the head of a line."""
    for line in table.strip().splitlines():
        region, *names = line.split()
        if region in phonenumbers.SUPPORTED_REGIONS:
            yield from ((region, name.replace("_", " ")) for name in names)
