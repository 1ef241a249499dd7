"""Words beside a number: labels that say what it is for, and notes that may mean anything.

libphonenumber reads three letters behind a number as digits (`089 123456 home`), because of numbers such as
1-800-FLOWERS. Labels are dropped; what a note means (`do not call`, `3 rings`, a name) is nobody's to guess.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LABELS = """
home work office mobile mob cell cellular cellphone landline main direct primary secondary private personal
business phone tel telephone whatsapp evening evenings day daytime
privat handy mobil festnetz zuhause arbeit büro buero geschäftlich dienstlich telefon
casa trabajo oficina móvil movil celular fijo particular teléfono telefono
maison domicile travail bureau portable fixe perso téléphone
lavoro ufficio cellulare fisso thuis werk kantoor mobiel hem arbete jobb arbeid
trabalho escritório telemóvel domowy praca komórka dom işyeri ev iş cep
мобильный моб дом домашний рабочий раб тел
"""
LABELS = frozenset(_LABELS.split())
EXTENSION = r"(?:extn?|extension|xtn?|x|int|anexo|доб|[#＃~～])[:.．\s,-]{0,9}\d"

_FIRST_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_EXTENDS = re.compile(rf"(?i){EXTENSION}")
_OPEN_BRACKET = re.compile(r"[(\[{][^)\]}]*$")
_GROUPS = re.compile(r"\d+")
_SHORT_GROUP = 2


class Shortened(NamedTuple):
    """A text without the words behind its digits; `sure` where these were labels and no digit is theirs."""

    text: str
    sure: bool


def without_words(text: str) -> Shortened | None:
    """Return what stands before the words behind a number; None where there are none, or they extend it."""
    digit = _FIRST_DIGIT.search(text)
    words = _LETTERS.search(text, digit.end()) if digit else None
    if words is None or _EXTENDS.match(text, words.start()):
        return None
    before = text[: words.start()]
    kept = _OPEN_BRACKET.sub("", before)
    noted = _FIRST_DIGIT.search(before, len(kept)) is not None
    return Shortened(kept, are_labels(text[words.start() :]) and not noted and not _ends_in_note(kept))


def are_labels(words: str) -> bool:
    """Return whether a text holds labels and nothing else."""
    found = re.findall(r"[^\W_]+", words)
    return all(word.lower() in LABELS or (len(word) == 1 and word.isalpha()) for word in found)


def _ends_in_note(kept: str) -> bool:
    """Return whether the last digits before the words may be theirs: '089 1234567 3 rings', '8-17 h'."""
    groups = [len(group) for group in _GROUPS.findall(kept)]
    last = groups[-1]
    return last <= _SHORT_GROUP and len(groups) > 1 and groups[-2] > last
