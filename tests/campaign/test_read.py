"""campaign.toml: what is read, what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from dialer.base.errors import BadInput
from dialer.base.settings import Settings
from dialer.campaign import Campaign, known_campaigns, read_campaign

MINIMAL = '[list]\nfiles = ["*.csv"]\n[call]\naccount = "unleashx"\nagent = "962"\n'

Reader = Callable[[str], Campaign]
Refusal = Callable[[str], list[str]]


def test_what_is_left_out_has_its_default(read: Reader, settings: Settings) -> None:
    campaign = read(MINIMAL)
    assert campaign.name == "spring"
    assert campaign.description == ""
    assert campaign.file == settings.campaigns / "spring" / "campaign.toml"
    assert campaign.folder == settings.campaigns / "spring"
    assert campaign.list.phone is None
    assert campaign.list.types == ("mobile", "fixed_line", "fixed_line_or_mobile", "voip")
    assert (campaign.list.region, campaign.list.metadata, campaign.list.again) == (None, (), "skip")
    assert (campaign.pace.calls_per_second, campaign.pace.calls_open_max, campaign.pace.priority) == (
        None,
        None,
        0,
    )
    assert (campaign.stop.failure_rate, campaign.stop.over_attempts) == (0.5, 50)
    assert campaign.on_unknown == "hold"


def test_everything_that_is_said_is_kept(read: Reader) -> None:
    campaign = read(
        """
name = "renewals"
description = "Policy renewals"
on_unknown = "redial"
[list]
files = ["*.csv", "more/*.xlsx"]
phone = ["mobile", "landline"]
region = "IN"
region_column = "country"
id = "customer_id"
time_zone = "tz"
metadata = ["customer_id", "order_id"]
types = ["mobile", "voip"]
again = "skip"
[call]
account = "unleashx"
agent = "962"
from_numbers = ["+12025550143"]
metadata = { reason = "Follow-up", due = 2026-12-01, score = 0.5, tries = 2, vip = true }
[pace]
calls_per_second = 1
calls_open_max = 10
priority = 0
[stop]
failure_rate = 1.0
over_attempts = 20
"""
    )
    assert campaign.name == "renewals"
    assert campaign.on_unknown == "redial"
    assert campaign.list.files == ("*.csv", "more/*.xlsx")
    assert campaign.list.phone == ("mobile", "landline")
    assert (campaign.list.region, campaign.list.region_column) == ("IN", "country")
    assert (campaign.list.id, campaign.list.time_zone) == ("customer_id", "tz")
    assert campaign.list.types == ("mobile", "voip")
    assert campaign.call.from_numbers == ("+12025550143",)
    assert campaign.call.metadata == {
        "reason": "Follow-up",
        "due": "2026-12-01",
        "score": 0.5,
        "tries": 2,
        "vip": True,
    }
    assert (campaign.pace.calls_per_second, campaign.pace.calls_open_max) == (1.0, 10)
    assert (campaign.stop.failure_rate, campaign.stop.over_attempts) == (1.0, 20)


def test_one_phone_column_may_be_said_as_a_text(read: Reader) -> None:
    assert read(MINIMAL.replace("[call]", 'phone = "mobile"\n[call]')).list.phone == ("mobile",)


def test_an_agent_may_be_said_as_a_number(read: Reader) -> None:
    assert read(MINIMAL.replace('"962"', "962")).call.agent == "962"


def test_a_campaign_cannot_be_changed(read: Reader) -> None:
    with pytest.raises(ValidationError):
        read(MINIMAL).call.agent = "1"  # type: ignore[misc]


WHERE = {"": 1, "list": 3, "call": 6, "pace": 7, "stop": 7}
"""The line on which `MINIMAL` takes one more line of a section."""


def with_line(section: str, line: str) -> str:
    if section == "":
        return f"{line}\n{MINIMAL}"
    if section == "list":
        return MINIMAL.replace("[call]", f"{line}\n[call]")
    return f"{MINIMAL}{line}\n" if section == "call" else f"{MINIMAL}[{section}]\n{line}\n"


@pytest.mark.parametrize(
    ("section", "line", "message"),
    [
        ("", "on_unknwn = 'hold'", "on_unknwn is not a key (did you mean 'on_unknown'?)"),
        ("", "on_unknown = 'hodl'", "expected 'hold' or 'redial' (did you mean 'hold'?)"),
        ("", "name = '../x'", "expected a name without slashes"),
        ("", "name = ''", "expected a text that is not empty"),
        ("", f"name = '{'x' * 101}'", "expected at most 100 characters"),
        ("", "file = 'list.csv'", "file is not a key here; lists stand under [list] as files"),
        ("", "calls_per_second = 1", "calls_per_second is not a key here; it belongs under [pace]"),
        ("", "pace = 3", "pace = 3, expected a table"),
        ("", "pace = []", "pace = [], expected a table"),
        ("list", "phone = []", "list.phone = [], expected at least one"),
        ("list", "phone = 1", "list.phone = 1, expected a list in brackets"),
        ("list", "phone = ['a', 1]", "list.phone[1] = 1, expected a text in quotes"),
        ("list", "phon = 'm'", "list.phon is not a key (did you mean 'phone'?)"),
        ("list", "region = 'in'", "list.region = 'in', expected an ISO 3166 country code in capitals"),
        ("list", "region = 'in'", "(did you mean 'IN'?)"),
        ("list", "region = 'UK'", "(did you mean 'GB'?)"),
        ("list", "region = 'India'", "expected an ISO 3166 country code in capitals such as 'IN'"),
        ("list", "id = ' '", "list.id = ' ', expected a text that is not blank"),
        ("list", "types = []", "list.types = [], expected at least one"),
        ("list", "types = ['mobil']", "list.types[0] = 'mobil', expected one of mobile, fixed_line,"),
        ("list", "types = ['mobil']", "unknown (did you mean 'mobile'?)"),
        ("list", "again = 'often'", "list.again = 'often', expected 'skip', 'update' or 'call_again'"),
        ("call", "from_numbers = ['02025550143']", "call.from_numbers[0] = ***, expected a number with +"),
        ("call", "metadata = 'x'", "call.metadata = ***, expected a table"),
        ("call", "metadata = { a = { b = 1 } }", "call.metadata.a = {'b': 1}, expected one text, number,"),
        ("call", "metadata.a = [1]", "call.metadata.a = [1], expected one text, number, date, true or false"),
        ("call", "metadata.a = nan", "call.metadata.a = nan, expected one text, number,"),
        ("pace", "calls_per_second = 0", "pace.calls_per_second = 0, expected more than 0"),
        ("pace", "calls_per_second = inf", "pace.calls_per_second = inf, expected a finite number"),
        ("pace", "calls_per_second = '1'", "pace.calls_per_second = '1', expected a number"),
        ("pace", "calls_open_max = 0", "pace.calls_open_max = 0, expected more than 0"),
        ("pace", "priority = 0.5", "pace.priority = 0.5, expected a whole number"),
        ("stop", "failure_rate = 0", "stop.failure_rate = 0, expected more than 0"),
        ("stop", "failure_rate = 1.1", "stop.failure_rate = 1.1, expected at most 1"),
        ("stop", "over_attempts = 0", "stop.over_attempts = 0, expected at least 1"),
        ("stop", "over_attempts = true", "stop.over_attempts = true, expected a whole number"),
        ("stop", "name = 'x'", "stop.name is not a key of [stop]; it belongs above the first [section]"),
    ],
)
def test_a_mistake_is_told_with_file_line_key_value_and_what_was_expected(
    section: str, line: str, message: str, refusal: Refusal
) -> None:
    [told] = refusal(with_line(section, line))
    assert told.startswith(f":{WHERE[section]}: {key_of(section, line)}")
    assert message in told


def key_of(section: str, line: str) -> str:
    return ".".join(part for part in (section, line.split(" ")[0]) if part)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["*.csv"]', "[]", ":2: list.files = [], expected at least one"),
        ('["*.csv"]', '"*.csv"', ":2: list.files = '*.csv', expected a list in brackets"),
        ('["*.csv"]', '[\n"*.csv",\n 3]', ":4: list.files[1] = 3, expected a text in quotes"),
        ('"962"', "true", ":5: call.agent = true, expected a text in quotes"),
        ('"962"', '""', ":5: call.agent = '', expected a text that is not empty"),
    ],
)
def test_a_mistake_in_what_must_be_there_is_told_too(
    old: str, new: str, message: str, refusal: Refusal
) -> None:
    assert refusal(MINIMAL.replace(old, new)) == [message]


def test_what_is_missing_is_named_with_its_meaning(refusal: Refusal) -> None:
    assert refusal("[list]\nphone = 'mobile'\n[call]\nagent = '962'\n") == [
        ":1: list.files is missing: The list's files, relative to campaign.toml: "
        ".csv .tsv .txt .parquet .xlsx, plain or .gz/.zst.",
        ":3: call.account is missing: The account of dialer.toml that places the calls.",
    ]


def test_an_empty_file_misses_its_sections(refusal: Refusal) -> None:
    assert refusal("") == [": the section [call] is missing", ": the section [list] is missing"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(refusal: Refusal) -> None:
    lines = refusal("x = 1\n[hours]\n[list]\nfiles = []\n[call]\nagent = 1.5\naccount = 'a'\n[stop]\ny = 1\n")
    assert [line.split(":")[1] for line in lines] == ["1", "4", "6", "9"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[hours]\nstart = '25:00'", "hours.start = '25:00', expected a time such as"),
        ("[hours]\ndays = 'mon-fry'", "expected days such as"),
        (
            "[hours]\nstart = '18:00'\nend = '10:00'",
            ":6: [hours] is never open: start 18:00 is not before end 10:00",
        ),
        ("[hours]\nrules = 'automatic'", "'auto', 'own' or a list of rule ids"),
        (
            "[hours]\nrules = 'own'",
            "[hours] has rules = 'own' without hours of its own: add days, start or end",
        ),
        ("[hours]\ncron = '0 25 * * *'\ncron_time_zone = 'UTC'", "a cron expression such as"),
        ("[hours]\ncron = '0 0 30 2 *'\ncron_time_zone = 'UTC'", "Bad day-of-month"),
        ("[hours]\ncron = '0 10 * * *'", "[hours] has cron without cron_time_zone: say on whose clock"),
        ("[hours]\ncron_time_zone = 'Europe/Berlen'", "did you mean 'Europe/Berlin'"),
        ("[hours]\nstarts_at = 2026-12-01T00:00:00", "a moment with its offset"),
        (
            "[hours]\nstarts_at = 2026-12-02T00:00:00Z\nends_at = 2026-12-01T00:00:00Z",
            "[hours] is never open: ends_at is not after starts_at",
        ),
        ("[caps]\nper_number = ['3 a day']", "expected a cap such as"),
        (
            "[caps]\nper_number = ['0 per 24h']",
            "caps.per_number[0] = '0 per 24h': no call could ever be placed; expected 1 or more",
        ),
        ("[caps]\ncalls_total = 0", "more than 0"),
    ],
)
def test_hours_and_caps_that_cannot_be_meant_are_refused(more: str, said: str, refusal: Refusal) -> None:
    [line] = refusal(MINIMAL + more)
    assert said in line


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("calls_max = 0", ":7: redial.calls_max = 0, expected at least 1"),
        ("calls_max = 2\nbusy = '20'", ":8: redial.busy = '20', expected a length of time such as 20m"),
        ("busy = '20m'", ":7: redial.busy = '20m', expected 'never' while redial.calls_max is 1"),
        ("calls_max = 2\ncompleted = '1d'", ":8: redial.completed is not a key"),
    ],
)
def test_a_redial_that_cannot_be_meant_is_refused(more: str, said: str, refusal: Refusal) -> None:
    [line] = refusal(f"{MINIMAL}[redial]\n{more}")
    assert line.startswith(said)


def test_a_campaign_may_be_more_urgent_than_others(read: Reader) -> None:
    assert read(with_line("pace", "priority = 1")).pace.priority == 1


def test_on_unknown_counts_where_people_write_it_last_in_the_file(read: Reader) -> None:
    assert read(MINIMAL + "[stop]\nover_attempts = 20\n\non_unknown = 'redial'\n").on_unknown == "redial"


def test_on_unknown_cannot_be_said_twice_and_differently(refusal: Refusal) -> None:
    text = "on_unknown = 'hold'\n" + MINIMAL + "[stop]\non_unknown = 'redial'\n"
    assert refusal(text) == [":8: on_unknown is said twice, and differently"]


def test_a_malformed_file_is_told_with_line_and_column(refusal: Refusal) -> None:
    [line] = refusal("[list\n")
    assert line.startswith(":1:6: not TOML: ")


def test_a_campaign_is_found_by_name_folder_and_file(read: Reader, settings: Settings) -> None:
    campaign = read("name = 'renewals'\n" + MINIMAL)
    for reference in (
        "spring",
        "renewals",
        "campaigns/spring",
        "campaigns/spring/campaign.toml",
        campaign.file,
    ):
        assert read_campaign(reference, settings) == campaign


def test_a_campaign_outside_of_the_campaigns_folder_is_found_by_its_path(settings: Settings) -> None:
    Path("elsewhere").mkdir()
    Path("elsewhere", "campaign.toml").write_text(MINIMAL)
    assert read_campaign("elsewhere", settings).name == "elsewhere"


def test_a_name_means_a_campaign_and_a_path_means_a_path(read: Reader, settings: Settings) -> None:
    there = read(MINIMAL)
    Path("spring").mkdir()
    Path("spring", "campaign.toml").write_text("name = 'other'\n" + MINIMAL)
    assert read_campaign("spring", settings) == there
    assert read_campaign("./spring", settings).name == "other"


def test_an_unknown_campaign_is_refused_with_the_known_ones(read: Reader, settings: Settings) -> None:
    read(MINIMAL)
    with pytest.raises(BadInput) as refused:
        read_campaign("sprng", settings)
    assert str(refused.value) == (
        "sprng: there is no such campaign in campaigns, known are spring (did you mean 'spring'?)"
    )
    assert known_campaigns(settings) == ["spring"]


def test_without_any_campaign_the_way_to_one_is_told(settings: Settings) -> None:
    with pytest.raises(BadInput, match="there is none; `dialer init` writes an example"):
        read_campaign("spring", settings)


def test_a_folder_without_a_campaign_is_refused(settings: Settings) -> None:
    Path("empty").mkdir()
    with pytest.raises(BadInput, match=r"empty: this folder holds no campaign\.toml"):
        read_campaign("empty", settings)


def test_a_copied_folder_that_kept_its_name_is_refused(read: Reader, settings: Settings) -> None:
    text = "# copied\nname = 'renewals'\n" + MINIMAL
    read(text)
    (settings.campaigns / "summer").mkdir()
    (settings.campaigns / "summer" / "campaign.toml").write_text(text)
    with pytest.raises(BadInput) as refused:
        read_campaign("summer", settings)
    assert str(refused.value) == (
        "campaigns/summer/campaign.toml:2: name = 'renewals' is taken by campaigns/spring/campaign.toml; "
        "give it another"
    )


def test_a_broken_neighbour_does_not_stop_a_campaign(read: Reader, settings: Settings) -> None:
    (settings.campaigns / "broken").mkdir(parents=True)
    (settings.campaigns / "broken" / "campaign.toml").write_text("[[[")
    assert read(MINIMAL).name == "spring"


def test_the_account_is_the_one_of_the_settings(read: Reader, settings: Settings) -> None:
    assert read(MINIMAL).account(settings) is settings.accounts["unleashx"]


def test_an_unknown_account_is_refused_with_the_known_ones(read: Reader, settings: Settings) -> None:
    campaign = read(MINIMAL.replace("unleashx", "unleash"))
    with pytest.raises(BadInput) as refused:
        campaign.account(settings)
    assert str(refused.value) == (
        "campaigns/spring/campaign.toml:4: call.account = 'unleash' is not an account of dialer.toml, "
        "known are 'unleashx' (did you mean 'unleashx'?); add [accounts.unleash] there"
    )


def test_a_campaign_says_where_its_keys_stand(read: Reader) -> None:
    campaign = read(MINIMAL)
    assert campaign.where("call", "agent") == "campaigns/spring/campaign.toml:5"
    assert campaign.where("list", "phone") == "campaigns/spring/campaign.toml:1"
    assert campaign.where("pace") == "campaigns/spring/campaign.toml"
