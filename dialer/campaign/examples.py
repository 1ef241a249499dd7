"""What `dialer init` writes: a dialer.toml, a campaign and a list, with a comment on every key."""

from __future__ import annotations

SETTINGS = """\
# One file per deployment. Every key is also a variable and the variable wins: DIALER_DATABASE_URL,
# DIALER_ACCOUNTS__UNLEASHX__CALLS_PER_SECOND. Paths are relative to this file.

database_url = "sqlite:///dialer.db"       # or "postgresql://user@host/name", for several machines
campaigns = "campaigns"                    # one folder per campaign
# rules = "rules.toml"                     # calling rules of your own, which win over the built-in ones

# An account: one set of credentials at one provider, with its limits. Two accounts at one provider
# are two tables, [accounts.north] and [accounts.south], each with its `provider`.
[accounts.unleashx]
provider = "unleashx"                      # default: the account's name
token = "env:UNLEASHX_TOKEN"               # or "file:/run/secrets/unleashx"; never the token itself
# base_url = "https://www.tryunleashx.com" # default: the provider's documented address

calls_per_second = 1.5                     # in any sliding second, over all campaigns and workers
requests_per_minute = 100                  # of any kind, asking for outcomes too
requests_in_flight_max = 64                # submissions waiting for an answer
calls_open_max = 20                        # accepted calls that are not over yet
timeout_s = 30                             # a submission without an answer for so long becomes `unknown`

poll_s = 10                                # how often the provider is asked what came of the calls
listing_delay_s = 120                      # a placed call shows in the provider's list by then
outcome_wait_s = 60                        # `dialer run` leaves when no outcome came for so long
call_expires_s = 21600                     # an accepted call without an outcome is `expired` by then
"""

CAMPAIGN = """\
#:schema ../campaign.schema.json
# `dialer check example` says what this file and its list come to; it calls nobody and writes nothing.
# Keys that stand in no section come first: below a [section] they would belong to it.

name = "example"                           # default: the folder's name
description = "Policy renewals, first call"

# A call may be placed although its answer was lost. The provider is then asked; if it does not know
# the call either, "hold" leaves the contact to a person, "redial" calls again.
on_unknown = "hold"

[list]
files = ["*.csv"]                          # beside this file; .csv .tsv .txt .parquet .xlsx, also .gz .zst
# encoding = "cp1250"                      # of a text file whose letters come out wrong; left out: found
# sheets = ["May", "June"]                 # of a workbook; left out: every visible one with a phone column
phone = ["mobile", "landline"]             # tried in order; the first dialable number wins
region = "IN"                              # for numbers without a country code
region_column = "country"                  # wins over `region`: an ISO code or a country's name
id = "customer_id"                         # your own key, kept with every result
# time_zone = "tz"                         # a column with IANA names such as Asia/Kolkata
# state = "state"                          # a column with the address's state: its rules bind, too
# postal_code = "zip"                      # a column with the address's postal code: the same, and its zone
metadata = ["customer_id", "order_id"]     # columns that travel with the call
types = ["mobile", "fixed_line", "fixed_line_or_mobile", "voip"]   # lines that may be called
again = "skip"                             # a number that this campaign already has

[call]
account = "unleashx"                       # [accounts.unleashx] in dialer.toml
agent = "962"                              # the agent's id at the provider
from_numbers = []                          # caller ids, where the provider takes one
metadata = { call_reason = "Follow-up" }   # the same for every call

[pace]                                     # never above the account's own limits
calls_per_second = 1.0
calls_open_max = 10
priority = 0                               # each step doubles its share of a shared account

[hours]                                    # left out: the rules of each contact's own region (auto)
rules = "auto"                             # or rule ids (dialer rules list), or "own", or [] for none at all
days = "mon-fri"                           # your own hours, on the contact's clock; they narrow the rules
start = "10:00"
end = "18:00"
holidays = true                            # public holidays of the contact's region are kept
unknown_zone = "strictest"                 # where no hours are known: the strictest of all, or "hold"
margin_s = 300                             # nobody is called in the last five minutes before closing
consent = false                            # true: everybody consented to calls with an artificial voice
# starts_at = 2026-12-01T00:00:00Z
# ends_at = 2026-12-20T00:00:00Z
# cron = "0 10 * * mon-fri"                # when runs begin, for `dialer due` and `dialer worker`
# cron_time_zone = "Asia/Kolkata"
# late_start = "run"                       # or "skip": a run that is later than `late_after`
# late_after = "30m"

[caps]                                     # left out: the caps of the rules, and no budget
per_number = ["3 per 24h"]                 # in any 24 hours, over all campaigns of the database
# calls_total = 50000                      # budget: calls, and money in the provider's currency
# cost_total = 400.0
# cost_per_call = 0.10                     # reserved until the cost is known; left out: the dearest so far

[redial]                                   # left out: everybody is called once
calls_max = 3                              # per contact, all outcomes together
no_answer = "4h"                           # so long after the outcome, or "never"
busy = "20m"
voicemail = "1d"
failed = "never"

[stop]                                     # a run of failures stops the campaign, which can be resumed
failure_rate = 0.5
over_attempts = 50
"""

# Numbers that nobody has: 98765 43210 is everybody's example, 555-01xx is kept for fiction.
CONTACTS = """\
customer_id,name,mobile,landline,country,order_id
C001,Asha Example,98765 43210,,IN,R-1001
C002,Robin Sample,(202) 555-0143,,United States,R-1002
C003,Kim Placeholder,call office,+44 20 7946 0018,GB,R-1003
"""


def example_settings() -> str:
    """Return a dialer.toml with every key, commented."""
    return SETTINGS


def example_campaign() -> str:
    """Return a campaign.toml with every key that is supported, commented, for the list below."""
    return CAMPAIGN


def example_list() -> str:
    """Return a list of three for the example campaign, as CSV."""
    return CONTACTS
