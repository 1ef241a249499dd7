import math
from typing import Any

import phonenumbers
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dialer.base.errors import BadInput
from dialer.contacts import normalize
from dialer.contacts.texts import as_told

pytestmark = pytest.mark.usefixtures("way")

COLUMNS = [
    "phone",
    "phone_region",
    "phone_type",
    "phone_extension",
    "time_zones",
    "repaired",
    "other_phones",
    "column",
    "raw",
    "reason",
    "detail",
    "suggestion",
]


def one(text: object, region: str | None = "IN", **options: Any) -> dict[str, Any]:
    """Return the answer for a list of one cell."""
    return normalize(pl.DataFrame({"phone": [text]}), "phone", region, **options).row(0, named=True)


def test_the_answer_has_the_height_and_order_of_the_rows_and_only_text_columns():
    rows = pl.DataFrame({"phone": ["9876543210", None, "x", "+442079460018"], "name": list("abcd")})
    answer = normalize(rows, "phone", "IN")
    assert answer.columns == COLUMNS
    assert set(answer.dtypes) == {pl.String}
    assert answer["phone"].to_list() == ["+919876543210", None, None, "+442079460018"]
    assert answer["raw"].to_list() == rows["phone"].to_list()


def test_an_empty_list_gives_an_empty_answer():
    answer = normalize(pl.DataFrame({"phone": []}, schema={"phone": pl.String}), "phone", "IN")
    assert answer.columns == COLUMNS
    assert answer.height == 0


def test_a_number_comes_with_its_region_type_extension_and_all_its_time_zones():
    answer = one("+1 800 234 5678 ext. 12")
    assert answer["phone"] == "+18002345678"
    assert answer["phone_type"] == "toll_free"
    assert answer["phone_extension"] == "12"
    assert len(answer["time_zones"].split(",")) > 10
    assert one("+16502530000")["time_zones"] == "America/Los_Angeles"
    assert one("+80012345678")["phone_region"] == "001"


@pytest.mark.parametrize(
    ("text", "phone", "repaired"),
    [
        ("919876543210.0", "+919876543210", "spreadsheet .0 dropped"),
        ("+919876543210.00", "+919876543210", "spreadsheet .00 dropped"),
        ("919876543210,0", "+919876543210", "spreadsheet ,0 dropped"),
        ("9.19876543210E+11", "+919876543210", "scientific notation written out"),
        ("9,19876543210e11", "+919876543210", "scientific notation written out"),
        ("9.8765432100E+09", "+919876543210", "scientific notation written out"),
        ("'9876543210", "+919876543210", "leading apostrophe dropped"),
        ('="09876543210"', "+919876543210", 'spreadsheet formula ="..." opened'),
        ('"9876543210"', "+919876543210", "quotes dropped"),
        ("'919876543210.0", "+919876543210", "leading apostrophe dropped; spreadsheet .0 dropped"),
        ("98765\u200e43210", "+919876543210", "invisible characters dropped"),
        ("98765\t43210", "+919876543210", "invisible characters dropped"),
        ("9876543210/9123456780", "+919876543210", "1st number of the cell used"),
        ("12345 or 9876543210", "+919876543210", "2nd number of the cell used"),
        (
            "919876543210.0; 9123456780",
            "+919876543210",
            "spreadsheet .0 dropped; 1st number of the cell used",
        ),
        ("9876543210", "+919876543210", None),
        ("tel:+91-98765-43210", "+919876543210", None),
        ("9876543210, 123", "+919876543210", None),
    ],
)
def test_a_repair_is_made_where_nothing_is_lost_and_said(text, phone, repaired):
    answer = one(text)
    assert (answer["phone"], answer["repaired"], answer["raw"]) == (phone, repaired, text)


@pytest.mark.parametrize("separator", ["/", ";", ",", " or ", "\n", "|", " ; ", "\r\n", " / "])
def test_all_dialable_numbers_of_a_cell_are_kept(separator):
    answer = one(separator.join(["9876543210", "9123456780", "9876543210", "12"]))
    assert answer["phone"] == "+919876543210"
    assert answer["other_phones"] == "+919123456780"
    assert answer["phone_extension"] is None


def test_a_second_number_is_not_taken_for_an_extension():
    answer = one("055936098490; 055936096944", "BR")
    assert answer["phone"] == "+5555936098490"
    assert answer["other_phones"] == "+5555936096944"
    assert answer["phone_extension"] is None


@pytest.mark.parametrize(
    ("text", "region", "reason"),
    [
        (None, "IN", "blank"),
        ("", "IN", "blank"),
        (" \u00a0 ", "IN", "blank"),
        ("unknown", "IN", "no_digits"),
        ("9.19877E+11", "IN", "spreadsheet_damage"),
        ("9.19877E11", "DE", "spreadsheet_damage"),
        ("4.915123E+12", "DE", "spreadsheet_damage"),
        ("98765432", "US", "too_short"),
        ("98765432109876", "IN", "too_long"),
        ("12345678901234567890123", "IN", "too_long"),
        ("9" * 70_000, "IN", "too_long"),
        ("0123456789", "US", "not_valid"),
        ("+999 123 456 789", "IN", "not_valid"),
        ("98765:43210", "IN", "not_possible"),
        ("98765\n43210", "IN", "not_possible"),
        ("9.87654321E+09", "IN", "spreadsheet_damage"),
        ("2079460018", None, "no_region"),
        ("911", "US", "emergency_or_short"),
        ("112", "DE", "emergency_or_short"),
        ("56161", "IN", "emergency_or_short"),
        ("2530000", "US", "too_short"),
    ],
)
def test_a_rejected_row_says_why_in_a_word_and_a_sentence(text, region, reason):
    answer = one(text, region)
    assert answer["reason"] == reason
    assert answer["phone"] is None
    assert len(answer["detail"]) > 10
    if reason in ("spreadsheet_damage", "no_region"):
        assert answer["suggestion"]


def test_a_country_code_without_plus_is_suggested():
    assert "+442079460018 (GB)" in one("442079460018", "US")["suggestion"]


def test_only_allowed_line_types_are_dialable():
    assert one("+442079460018", types=["mobile"])["reason"] == "type_not_allowed"
    assert one("+442079460018", types=["mobile", "fixed_line"])["reason"] is None
    answer = one("+442079460018 / 9876543210", types=["mobile"])
    assert answer["phone"] == "+919876543210"
    assert answer["other_phones"] is None


def test_the_first_dialable_column_wins_and_the_others_are_kept():
    rows = pl.DataFrame(
        {
            "mobile": ["9876543210", "911", None, "junk", " ", None],
            "landline": ["9123456780", "9123456780", "9123456780/9876543210", None, "x", None],
        }
    )
    answer = normalize(rows, ["mobile", "landline"], "IN")
    assert answer["phone"].to_list() == ["+919876543210", "+919123456780", "+919123456780", None, None, None]
    assert answer["other_phones"].to_list() == ["+919123456780", None, "+919876543210", None, None, None]
    assert answer["column"].to_list() == ["mobile", "landline", "landline", "mobile", "landline", "mobile"]
    assert answer["raw"].to_list()[1:5] == ["9123456780", "9123456780/9876543210", "junk", "x"]
    assert answer["reason"].to_list() == [None, None, None, "no_digits", "no_digits", "blank"]


def test_numbers_stored_as_numbers_lose_no_digit():
    rows = pl.DataFrame({"i": [919876543210, -9, None], "f": [919876543210.0, 1.5, math.nan]})
    integers, floats = normalize(rows, "i", "IN"), normalize(rows, "f", "IN")
    assert integers["phone"].to_list() == ["+919876543210", None, None]
    assert integers["reason"].to_list() == [None, "too_short", "blank"]
    assert floats["phone"].to_list() == ["+919876543210", None, None]
    assert floats["raw"].to_list() == ["919876543210", "1.5", None]
    assert floats["reason"].to_list() == [None, "too_short", "blank"]
    assert [one(cell)["reason"] for cell in (1e18, -1234, 123.4)] == ["spreadsheet_damage"] * 3
    assert one(math.inf)["reason"] == "no_digits"
    told = as_told(pl.DataFrame({"phone": [-1.0, 0.5, math.inf, -9876543119.0]}), ["phone"])
    assert told["phone"].to_list() == ["-1", "0.5", "inf", "-9.87654E+09"]


def test_numbers_in_floats_of_half_the_size_are_damaged_and_nobody_elses():
    rows = pl.DataFrame({"phone": pl.Series([919876543210, 16777215, None], dtype=pl.Float32)})
    answer = normalize(rows, "phone", "IN")
    assert answer["phone"].to_list() == [None, None, None]
    assert answer["reason"].to_list() == ["spreadsheet_damage", "not_valid", "blank"]


def test_a_region_column_holds_codes_and_names_and_falls_back_to_the_region():
    rows = pl.DataFrame(
        {
            "phone": ["2079460018"] * 5 + ["9876543210", "9876543210", "2079460018", "+442079460018"],
            "country": [
                "GB",
                "gb",
                "Great Britain",
                " UK ",
                "united kingdom",
                None,
                " ",
                "Untied Kingdom",
                "?",
            ],
        }
    )
    answer = normalize(rows, "phone", "India", "country")
    assert answer["phone"].to_list() == ["+442079460018"] * 5 + ["+919876543210"] * 2 + [
        None,
        "+442079460018",
    ]
    assert answer["reason"].to_list()[7] == "no_region"
    assert "United Kingdom" in answer["suggestion"].to_list()[7]


def test_wrong_arguments_are_refused_with_a_suggestion():
    rows = pl.DataFrame({"phone": ["9876543210"]})
    with pytest.raises(BadInput, match="did you mean 'phone'"):
        normalize(rows, "phnoe", "IN")
    with pytest.raises(BadInput, match="did you mean 'Germany'"):
        normalize(rows, "phone", "Germny")
    with pytest.raises(BadInput, match="did you mean 'mobile'"):
        normalize(rows, "phone", "IN", types=["mobil"])
    with pytest.raises(BadInput, match="at least one column"):
        normalize(rows, [], "IN")
    with pytest.raises(BadInput, match="expected text"):
        normalize(rows.with_columns(phone=pl.lit(True)), "phone", "IN")


def test_rows_of_several_chunks_keep_their_order(monkeypatch):
    rows = pl.DataFrame({"phone": ["9876543210", "911", "9123456780/9876543210", None, "9.1E+11"] * 3})
    whole = normalize(rows, "phone", "IN")
    monkeypatch.setattr("dialer.contacts.chunks._ROWS_MIN", 4)
    monkeypatch.setattr("dialer.contacts.chunks._ROWS_MAX", 4)
    assert_frame_equal(normalize(rows, "phone", "IN"), whole)


@pytest.mark.parametrize(
    ("mobile", "landline", "column", "reason"),
    [
        (None, "98765", "landline", "emergency_or_short"),
        ("ask her", "012 3456", "landline", "too_short"),
        ("98765", "020 7946 001", "landline", "not_valid"),
        ("+91 00000 00000", "9.19877E+11", "mobile", "not_valid"),
        ("12345 6789", "+1 900 234 5678", "landline", "type_not_allowed"),
        ("  ", "ask her", "landline", "no_digits"),
        (None, " ", "mobile", "blank"),
    ],
)
def test_of_several_columns_the_one_that_tells_most_says_why(mobile, landline, column, reason):
    rows = pl.DataFrame(
        {"mobile": [mobile], "landline": [landline]}, schema=dict.fromkeys(("mobile", "landline"), pl.String)
    )
    answer = normalize(rows, ["mobile", "landline"], "IN", types=["mobile"]).row(0, named=True)
    assert (answer["column"], answer["reason"]) == (column, reason)
    assert answer["raw"] == rows[column][0]


AROUND = [
    "\ufeff{}",
    "\u200b{}",
    "{}\u200b",
    "\u202a{}\u202c",
    "\x00{}",
    "{}\x00",
    "({})",
    "‹{}>",
    "[{}]",
    "{};",
    "{},",
    "{}|",
    "{}/",
    "{}-",
    "{}.",
    "={}",
    "tel:{}",
    "mobile {}",
    "-{}",
    '="{}"',
    "{} x5",
    " {} ",
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(
    "number",
    [
        "1512345678.0",
        "15123456789.0",
        "１５１２３４５６７８９.0",
        "١٥١٢٣٤٥٦٧٨٩٫٠",
        "15123456789．0",
        "15123456789.\u200b0",
    ],
)
def test_the_nought_of_a_float_is_no_digit_whatever_is_around_it(around, number):
    answer = one(around.format(number), "DE")
    if number == "1512345678.0":
        assert (answer["phone"], answer["reason"], answer["suggestion"]) == (None, "not_valid", None)
    else:
        assert answer["phone"] == "+4915123456789"
        assert "0 dropped" in answer["repaired"]


@pytest.mark.parametrize("around", [each for each in AROUND if "x5" not in each])
@pytest.mark.parametrize(
    "number", ["1.51234E+9", "1,51234E9", "1512345678E3", "١.٥١٢٣٤E+9", "１．５Ｅ＋９", "1.5\u200bE9"]
)
def test_a_rounded_number_is_damage_whatever_is_around_it(around, number):
    assert one(around.format(number), "DE")["reason"] == "spreadsheet_damage"


@pytest.mark.parametrize(
    ("text", "region", "phone"),
    [
        ("301234.0", "DE", "+49301234"),
        ("030 1234567.0", "DE", "+49301234567"),
        ("030/1234567.0", "DE", "+49301234567"),
        ("tel:+49-30-123456.0", "DE", "+4930123456"),
        ("Tel.: +49 30 1234567.0 x5", "DE", "+49301234567"),
        ("4930123456.0.0", "DE", "+4930123456"),
        ("4930123456.0 EUR", "DE", None),
        ("815.00.000", "NO", "+4781500000"),
        ("6789.0000", "SG", "+6567890000"),
        ("08.00.00.00.00", "FR", "+33800000000"),
        ("1234.0", "AT", None),
    ],
)
def test_a_fraction_is_no_digit_in_short_numbers_and_in_groups(text, region, phone):
    assert one(text, region)["phone"] == phone


@pytest.mark.parametrize(
    ("text", "region", "phone"),
    [
        ("089 123456 home", "DE", "+4989123456"),
        ("+49 89 123456 work", "DE", "+4989123456"),
        ("06 1234 casa", "IT", "+39061234"),
        ("+1 415 555 2671 (home)", "US", "+14155552671"),
        ("0171 2345678 дом", "DE", "+491712345678"),
        ("01 23 45 67 89 maison", "FR", "+33123456789"),
        ("089 123 45 67 privat", "DE", "+49891234567"),
        ("0171 2345678\nwork", "DE", "+491712345678"),
        ("0171 2345678 / privat", "DE", "+491712345678"),
    ],
)
def test_labels_behind_a_number_are_no_digits(text, region, phone):
    answer = one(text, region)
    assert (answer["phone"], answer["repaired"]) == (phone, "words behind the number dropped")


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("089 123456 w/ Anna", "DE"),
        ("0171 2345678 Zimmer 12", "DE"),
        ("415-555-2671, John Smith", "US"),
        ("+49 89 1234567 (2 Leitungen)", "DE"),
        ("089 1234567 3 mal versucht", "DE"),
        ("089 1234567 (8-17 Uhr)", "DE"),
        ("089 1234567 0,09 €/Min", "DE"),
        ("01 5805812 2. Stock", "AT"),
        ("917-555-0199 DNC", "US"),
        ("917-555-0199, DNC", "US"),
        ("917-555-0199 (do not call)", "US"),
        ("917-555-0199 wrong number", "US"),
        ("0171 2345678 nicht anrufen", "DE"),
    ],
)
def test_what_a_note_means_is_not_guessed(text, region):
    answer = one(text, region)
    assert (answer["phone"], answer["reason"]) == (None, "not_possible")
    assert "more than a number" in answer["detail"]


@pytest.mark.parametrize(
    ("text", "phone", "extension"),
    [
        ("1-800-FLOWERS", "+18003569377", None),
        ("1 800 FLOWERS", "+18003569377", None),
        ("+14155552671 ext 12", "+14155552671", "12"),
        ("+14155552671 extension 5", "+14155552671", "5"),
        ("+14155552671;ext=3;isub=home", "+14155552671", "3"),
    ],
)
def test_letters_that_are_the_number_or_name_its_extension_are_kept(text, phone, extension):
    answer = one(text, "US")
    assert (answer["phone"], answer["phone_extension"], answer["repaired"]) == (phone, extension, None)


@pytest.mark.parametrize("text", ["030.1234.0", "030.12345678.0", "987654321.5", "(030) 1234567.01"])
def test_a_point_that_somebody_wrote_is_what_libphonenumber_says(text):
    region = "DE" if text.count(".") + text.count(" ") > 1 else "IN"
    number = phonenumbers.parse(text, region)
    answer = one(text, region)
    assert answer["phone"] == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert answer["repaired"] is None


def test_a_suggestion_is_made_of_what_was_there_before_the_spreadsheet():
    assert one("1512345678.0", "DE")["suggestion"] is None
    assert "+442079460018 (GB)" in one("442079460018.0", "US")["suggestion"]
    assert one("4155552675.5", "US")["suggestion"] is None
