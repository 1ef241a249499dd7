"""Which number of a cell is dialled: one that somebody wrote, never a piece of one."""

import random
from itertools import product
from typing import Any

import phonenumbers
import polars as pl
import pytest
from phonenumbers import PhoneNumberFormat, format_number

from dialer.contacts import normalize
from dialer.contacts.several import split

pytestmark = pytest.mark.usefixtures("way")

REGIONS = [
    "DE",
    "AT",
    "CH",
    "IT",
    "FR",
    "GB",
    "HU",
    "RO",
    "TR",
    "US",
    "BR",
    "IN",
    "JP",
    "AU",
    "EG",
    "LB",
    "SE",
]


def one(text: str, region: str) -> dict[str, Any]:
    """Return the answer for a list of one cell."""
    return normalize(pl.DataFrame({"phone": [text]}), "phone", region).row(0, named=True)


@pytest.mark.parametrize(
    ("text", "region", "phone", "others"),
    [
        ("089/1234567; 0171/7654321", "DE", "+49891234567", "+491717654321"),
        ("089 / 1234567, 0171 / 7654321", "DE", "+49891234567", "+491717654321"),
        ("089/1234567/0171/7654321", "DE", "+49891234567", "+491717654321"),
        ("+49 171/2345678, +49 172/2345678", "DE", "+491712345678", "+491722345678"),
        ("0664/1234567, 0664/7654321", "AT", "+436641234567", "+436647654321"),
        ("01/5123456, 0664/1234567", "AT", "+4315123456", "+436641234567"),
        ("022/123 45 67; 079/123 45 67", "CH", "+41221234567", "+41791234567"),
        ("0171 2345678/0171 2345679", "DE", "+491712345678", "+491712345679"),
        ("0999 1234567; 0171 2345678", "DE", "+491712345678", None),
        ("Hotel 5, +4989123456", "DE", "+4989123456", None),
        ("12345 or 0171 2345678", "DE", "+491712345678", None),
        ("0171 2345678, 089, 1234567", "DE", "+491712345678", None),
        ("0171 2345678, 089, +43 664 1234567", "DE", "+491712345678", "+436641234567"),
        ("+14155552\x1f671, +14155552672", "US", "+14155552671", "+14155552672"),
        ("1) 0171 2345678; 2) 0172 2345678", "DE", "+491712345678", "+491722345678"),
        ("Tel 1 030 1234567; Tel 2 030 7654321", "DE", "+49301234567", "+49307654321"),
        ("1 030 1234567 / 2 030 7654321", "DE", "+49301234567", "+49307654321"),
        ("2) 0171 2345678; 3) 0172 3456789", "DE", "+491712345678", "+491723456789"),
        ("none; 2) 0171 2345678; 3) 089 1234567", "DE", "+491712345678", "+49891234567"),
        ("0911 12345; 2) 0171 2345678", "DE", "+4991112345", "+491712345678"),
        ("Mobil 0172 3456789, Tel.2 0171 2345678", "DE", "+491723456789", "+491712345678"),
        ("Handy2 0171 2345678; Festnetz 089 1234567", "DE", "+491712345678", "+49891234567"),
        ("1) 020 7946 0018; 2) 07911 123456", "GB", "+442079460018", "+447911123456"),
        ("2123-2145; 9123 4567", "HK", "+85221232145", "+85291234567"),
        ("089 1234567, 7654321 ext. 12", "DE", "+49891234567", None),
        ("Mobile: 0171 2345678; Home: 089 1234567", "DE", "+491712345678", "+49891234567"),
        ("+1 415 555 2671 (home); +1 415 555 2672 (work)", "US", "+14155552671", "+14155552672"),
        ("0171 2345678 oder 0172 2345678", "DE", "+491712345678", "+491722345678"),
        ("01 23 45 67 89 ou 06 12 34 56 78", "FR", "+33123456789", "+33612345678"),
        ("03-1234-5678、090-1234-5678", "JP", "+81312345678", "+819012345678"),
        ("03-1234-5678／090-1234-5678", "JP", "+81312345678", "+819012345678"),
        ("030 1234567\x0b040 5678901", "DE", "+49301234567", "+49405678901"),
        ("030 1234567\u2028040 5678901", "DE", "+49301234567", "+49405678901"),
        ("089/1234567, 7654321", "DE", "+49891234567", None),
        ("22334455; 33445566", "DK", "+4522334455", "+4533445566"),
        ("+1 415 555 2671 / 555 2672", "US", "+14155552671", None),
        ("919876543210.0; 919123456780.0", "IN", "+919876543210", "+919123456780"),
        ("919876543210,0; 919123456780,0", "IN", "+919876543210", "+919123456780"),
    ],
)
def test_of_several_numbers_the_first_is_dialled_and_the_others_are_kept(text, region, phone, others):
    answer = one(text, region)
    assert (answer["phone"], answer["other_phones"]) == (phone, others)
    assert "number of the cell used" in answer["repaired"]


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("0176/871633", "DE"),
        ("0999/1234567", "AT"),
        ("0171\n2345678", "DE"),
        ("0171,2345678", "DE"),
        ("0171;2345678", "DE"),
        ("+44; 2079460018", "US"),
        ("+44,2079460018", "US"),
        ("4,155,552,671", "US"),
        ("0171, 2345678, 0172 2345678", "DE"),
        ("0999/1234567, 7654321", "DE"),
        ("0999 1234567 or 7654321", "DE"),
        ("089 12345678901234; 7654321", "DE"),
        ("01512 358794, 7654321 x12", "DE"),
        ("24/7 support; 0171 2345678", "DE"),
        ("24/7 hotline, 030 1234567", "DE"),
        ("212 Park Ave, 415-555-2671", "US"),
        ("room 415 Kitchen; 415-555-2671", "US"),
        ("80331 Muenchen, 0171 2345678", "DE"),
        ("20240312 0664 / 1234567", "AT"),
        ("Kd 4711234 089 / 1234567", "DE"),
    ],
)
def test_a_piece_of_a_number_is_nobodys_number(text, region):
    answer = one(text, region)
    assert answer["phone"] is None
    assert answer["reason"] in ("not_possible", "not_valid", "too_long")


@pytest.mark.parametrize(
    ("text", "region", "phone"),
    [
        ("2024-03-12, 0171 2345678", "DE", "+491712345678"),
        ("12.03.2024, 0664 1234567", "AT", "+436641234567"),
        ("01.03.2024 0664 / 1234567", "AT", "+436641234567"),
        ("12.03.2024 (506) / 234-1421", "CA", "+15062341421"),
        ("0800-1600, 070-1234567", "SE", "+46701234567"),
        ("ID: 20171234; 0171 2345678", "DE", "+491712345678"),
        ("Fax 089 1234567; Tel. 089 1234568", "DE", "+49891234568"),
        ("0900-1700 Uhr; 030 1234567", "DE", "+49301234567"),
    ],
)
def test_dates_and_hours_are_no_numbers(text, region, phone):
    answer = one(text, region)
    assert (answer["phone"], answer["repaired"]) == (phone, "other words of the cell dropped")


@pytest.mark.parametrize(
    "cell",
    [";" * 40_000 + "ext", "/" * 40_000, " ;" * 20_000, ", 1" * 20_000, "\n" * 40_000, "12 / 3 /" * 12_500],
)
def test_a_long_cell_of_separators_takes_no_time_to_split(cell):
    """Goal: no pattern that looks at the same characters again and again: that would take minutes."""
    assert split(f"415 555 2671{cell}9")[0].text.startswith("415 555 2671")


def test_it_is_said_that_a_number_may_begin_elsewhere():
    answer = one("0171, 2345678", "DE")
    assert answer["detail"] == "the cell holds more than a number, and it is not sure what is meant"
    assert "semicolon" in answer["suggestion"]


@pytest.mark.parametrize(
    ("text", "region", "phone", "extension"),
    [
        ("0)09793)6/9598)660", "LB", "+979369598660", None),
        ("-06/37 5881 55, ANEXO.-106474990629270＃", "MC", "+377637588155", "106474990629270"),
        ("08~008~508997; 0044800853707", "EG", "+208008508997", "0044800853707"),
        ("9655999/8758 ДОБ -1249803998", "KW", "+96559998758", "1249803998"),
        ("0180012/3456  \u017fxt  7123229.", "AU", "+611800123456", "7123229"),
        ("+1 415 555 2671, ext. 1234567", "US", "+14155552671", "1234567"),
        ("+14155552671;ext=1234567", "US", "+14155552671", "1234567"),
        ("+14155552671,,1234567", "US", "+14155552671", "1234567"),
        ("089/1234567", "DE", "+49891234567", None),
    ],
)
def test_what_is_one_number_to_libphonenumber_is_one_here(text, region, phone, extension):
    answer = one(text, region)
    assert (answer["phone"], answer["phone_extension"], answer["repaired"]) == (phone, extension, None)


def written(random_: random.Random, region: str, valid: bool) -> tuple[str, str]:
    """Return a random number as area/number, and in E.164."""
    while True:
        number = phonenumbers.example_number_for_type(region, random_.choice([0, 1]))
        digits = str(number.national_number)
        kept = len(digits) - random_.choice([3, 4, 5, 6]) if valid else 0
        number.national_number = int(
            digits[:kept] + "".join(random_.choices("0123456789", k=len(digits) - kept))
        )
        groups = format_number(number, PhoneNumberFormat.NATIONAL).replace("-", " ").split()
        if phonenumbers.is_valid_number(number) is valid and len(groups) > 1:
            return f"{groups[0]}/{''.join(groups[1:])}", format_number(number, PhoneNumberFormat.E164)


def test_two_numbers_of_area_and_number_are_both_found_in_any_country():
    random_ = random.Random(17)
    cells = [
        (*written(random_, region, True), *written(random_, region, True), separator, region)
        for region, separator, _ in product(REGIONS, ("; ", ", ", " / ", "/", "\n"), range(5))
    ]
    rows = pl.DataFrame(
        [(a + separator + b, region) for a, _, b, _, separator, region in cells], ["phone", "r"], orient="row"
    )
    answer = normalize(rows, "phone", None, "r")
    assert answer["phone"].to_list() == [first for _, first, *_ in cells]
    others = [second if second != first else None for _, first, _, second, *_ in cells]
    assert answer["other_phones"].to_list() == others


def test_a_number_that_does_not_exist_never_becomes_another_one():
    random_ = random.Random(18)
    cells = [(*written(random_, region, False), region) for region in REGIONS for _ in range(60)]
    rows = pl.DataFrame([(text, region) for text, _, region in cells], ["phone", "r"], orient="row")
    for (text, _, region), phone in zip(cells, normalize(rows, "phone", None, "r")["phone"], strict=True):
        if phone is not None:
            assert phonenumbers.parse(text, region) == phonenumbers.parse(phone)
