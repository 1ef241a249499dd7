"""Numbers as people write them, and as nobody does: a seeded mix over all regions.

`mixed_list` is what a list of customers looks like, `conformance` goes for the corners.
"""

from __future__ import annotations

import random

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType, format_number

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
_LIST = """
    US US US US US IN IN IN IN GB GB GB AE AE AU AU CA CA SG DE DE BR BR SA EG FR IT ES MX AR NL BE CH AT SE
    NO DK FI PL PT IE ZA NG KE PH ID MY TH VN JP KR CN HK TW TR RU IL
"""
LIST_REGIONS = _LIST.split()
_KINDS = [value for value in PhoneNumberType.values() if value != PhoneNumberType.UNKNOWN]
_SPACES = " \u00a0\u2009\u202f\u3000\u200b\u2060\t"
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d\u30fc~/."
_JUNK = "()[]*#+;,:xX/\\'\"=&|_~.abcABCſKéßдобext\n\r\x00\u200e\u202c\ufeff٣３²½①ー＃～：，…"
_DIGIT_SETS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "０１２３４５６７８９", "०१२३४५६७८९", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"]
_EXTENSIONS = [
    " ext. {}",
    " x{}",
    "x{}",
    ";ext={}",
    ", {}",
    ",{}",
    ",,{}#",
    ";{}",
    "#{}",
    " extension {}",
    " extn:{}",
    "~{}",
    " - {}#",
    " int {}",
    " anexo {}",
    " доб. {}",
    " ｅｘｔ{}",
    " доп {}",
    "\u00a0ext\u00a0{}",
    " #{}#",
    "/x{}",
    " x{}/x5",
    " Ext-{}",
    " extensió {}",
    "–{}#",
    " xt {}",
    " extensio\u0301n {}",
    " e xt {}",
    " ; {}",
]


def in_digits(text: str, digits: str) -> str:
    """Return the text with its digits in another script."""
    return text.translate(str.maketrans("0123456789", digits))


class Corpus:
    """A source of texts with one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.examples: dict[str, list[phonenumbers.PhoneNumber]] = {}

    def example(self, region: str) -> phonenumbers.PhoneNumber:
        """Return one of the region's example numbers with its last digits changed."""
        if region not in self.examples:
            found = [phonenumbers.example_number_for_type(region, kind) for kind in _KINDS]
            self.examples[region] = [number for number in found if number]
        number = phonenumbers.PhoneNumber()
        number.merge_from(self.random.choice(self.examples[region]))
        keep = self.random.choice([0, 2, 4, 5, 6, 7])
        text = str(number.national_number)
        changed = text[: len(text) - keep] + "".join(
            self.random.choices("0123456789", k=min(keep, len(text)))
        )
        number.national_number = int(changed or "0")
        return number

    def mixed_list(self, rows: int) -> tuple[list[str | None], list[str | None]]:
        """Return texts and regions as a list of customers has them."""
        pairs = [self._list_row() for _ in range(rows)]
        return [text for text, _ in pairs], [region for _, region in pairs]

    def _list_row(self) -> tuple[str | None, str | None]:
        choose = self.random.choice
        region = choose(LIST_REGIONS)
        number = self.example(region)
        e164 = format_number(number, PhoneNumberFormat.E164)
        roll = self.random.random()
        if roll < 0.30:
            text = e164
        elif roll < 0.45:
            text = format_number(number, PhoneNumberFormat.NATIONAL)
        elif roll < 0.57:
            text = format_number(number, PhoneNumberFormat.INTERNATIONAL)
        elif roll < 0.69:
            text = phonenumbers.national_significant_number(number)
        elif roll < 0.77:
            text = e164[1:]
        elif roll < 0.82:
            text = choose(["00", "011", "+ ", "0011 ", "00 "]) + e164[1:]
        elif roll < 0.86:
            text = format_number(number, PhoneNumberFormat.NATIONAL).replace(" ", choose(".-/"))
        elif roll < 0.88:
            text = choose(["Tel: ", "mob ", "M. ", "Phone "]) + format_number(
                number, PhoneNumberFormat.INTERNATIONAL
            )
        elif roll < 0.90:
            text = format_number(number, PhoneNumberFormat.NATIONAL) + choose(
                [" ext 12", " x123", " ext. 4", ",77"]
            )
        elif roll < 0.91:
            text = "tel:" + choose([e164, format_number(number, PhoneNumberFormat.RFC3966)[4:]])
        elif roll < 0.925:
            text = choose(["\u00a0", "\u200b", "\u202a", " "]) + e164 + choose(["\u00a0", "\u202c", ""])
        elif roll < 0.935:
            text = e164.replace("-", "\u2013").translate(str.maketrans("0123456789", choose(_DIGIT_SETS)))
        elif roll < 0.945:
            text = format_number(number, PhoneNumberFormat.INTERNATIONAL).replace(
                " ", choose("\u2013\u00a0\u2011")
            )
        elif roll < 0.955:
            text = choose(["", " ", "-", "n/a", "none", "unknown", "0", "12345", "911", "999999999999"])
        elif roll < 0.957:
            text = e164[1:] + choose([" ", " / ", ", ", "; "]) + e164[1:]
        elif roll < 0.965:
            text = "(" + e164 + ")"
        else:
            text = e164[1 : -choose([1, 2, 3])] + choose(["", "", "1", "1234"])
        return text, (None if self.random.random() < 0.07 else region)

    def conformance(self, rows: int) -> tuple[list[str | None], list[str | None]]:
        """Return texts and regions from all corners."""
        pairs = [self._corner() for _ in range(rows)]
        return [text for text, _ in pairs], [region for _, region in pairs]

    def _corner(self) -> tuple[str | None, str | None]:
        choose, roll = self.random.choice, self.random.random
        region = choose(REGIONS)
        text = self._digits(region)
        for _ in range(choose([0, 0, 1, 1, 2, 3])):
            text = self._touch(text, region)
        where = region if roll() < 0.8 else choose([*REGIONS, None, "us", "001", "XX", "", "ZZ", "gb"])
        return text[: choose([300, 300, 30])], where

    def _digits(self, region: str) -> str:
        choose = self.random.choice
        number = self.example(region)
        metadata = PhoneMetadata.metadata_for_region(region, None)
        national = phonenumbers.national_significant_number(number)
        code = str(metadata.country_code)
        idd = choose(
            ["00", "011", "0011", "8~10", "810", "009", "0015", "14880011", "00 ", "119", "010", "1770", "99"]
        )
        prefix = metadata.national_prefix or choose(["0", "1", "8"])
        carrier = choose(
            ["15", "31", "18314", "12345", "17900", "08531", "0441", "1550", "10288", "456", "9", "1611"]
        )
        return choose(
            [
                national,
                prefix + national,
                "+" + code + national,
                code + national,
                idd + code + national,
                "+" + code + prefix + national,
                code + prefix + national,
                prefix + carrier + national,
                "0" + carrier + national,
                code + carrier + national,
                "+" + code + "0" + carrier + national,
                "+" + idd + code + national,
                "+0" + code + national,
                code + code + national,
                prefix + prefix + national,
                format_number(number, choose([0, 1, 2, 3])),
                "".join(self.random.choices("0123456789", k=self.random.randrange(1, 24))),
                "+" + "".join(self.random.choices("0123456789", k=self.random.randrange(1, 24))),
                national + choose([" ", "/", ""]) + national,
                national[-7:],
                national[-6:],
                idd + national,
                choose(["800", "808", "870", "878", "881", "882", "883", "888", "979"]) + national[:9],
                "+" + choose(["800", "808", "870", "878", "881", "882", "883", "888", "979"]) + national[:9],
            ]
        )

    def _touch(self, text: str, region: str) -> str:
        choose = self.random.choice
        place = self.random.randrange(len(text) + 1)
        other = "".join(
            self.random.choices("0123456789", k=choose([1, 2, 3, 4, 6, 7, 9, 10, 15, 16, 20, 21]))
        )
        return choose(
            [
                lambda: text[:place] + choose(_JUNK) + text[place:],
                lambda: text[:place] + choose(_SPACES) + text[place:],
                lambda: text[:place] + choose(_DASHES) + text[place:],
                lambda: text[:place] + text[place + 1 :],
                lambda: text[:place] + choose("0123456789") + text[place:],
                lambda: " ".join([text[:place], text[place:]]),
                lambda: text + choose(_EXTENSIONS).format(other),
                lambda: text + choose(_EXTENSIONS).format(in_digits(other, _DIGIT_SETS[1])),
                lambda: text.translate(str.maketrans("0123456789", choose(_DIGIT_SETS))),
                lambda: text.replace("+", choose(["＋", "++", "+ +", "(+)", "+("])),
                lambda: text.translate(str.maketrans("2345", choose(["ADGJ", "adgj", "2DGJ"]))),
                lambda: choose(["tel:", "Tel ", "T. +", "(", "x", "1x", "é", " \u202a", "№"]) + text,
                lambda: (
                    text
                    + choose(
                        [")", " home", " (w)", "é", "\u202c", ".", "  ", " #", "#", "_", "\n", ".0", "E+11"]
                    )
                ),
                lambda: (
                    "tel:"
                    + text
                    + choose([";ext=", ";isub=", ";phone-context=+44", ";phone-context=a.b"])
                    + other
                ),
                lambda: (
                    text
                    + choose([";phone-context=+", ";phone-context=", ";isub="])
                    + choose(["1", "44", "x", "", "a-b.c"])
                ),
                lambda: choose("\t\n \u00a0") + text,
                lambda: text + choose([" / ", "/", " or ", ";", ", "]) + self._digits(region),
            ]
        )()
