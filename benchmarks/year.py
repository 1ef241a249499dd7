"""Is anybody called outside the law within a year, or kept waiting though the law is open?

A hundred thousand people of sixty jurisdictions in forty zones fall due at random moments of a year, in
random campaigns; a clock that jumps walks through it. Whom to call is decided as in a lane: windows, claims,
the ledger's last look, caps, outcomes, redials. `naive_law`, which shares no line with dialer, then reads
each attempt again: its local time, its rules, its caps, and how long it waited while it might have left.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
from sqlalchemy import event, text

from benchmarks.naive_law import NEVER_WITHOUT_CONSENT, caps_of, is_open
from dialer.attempts import settle, unsettled, workers
from dialer.attempts.answers import answer_for
from dialer.attempts.ledger import Desk, Opening, Wanted, ensure_account, exchange
from dialer.base.clock import ManualClock
from dialer.base.ids import new_attempt_id
from dialer.calls import groups
from dialer.calls.allowed import Allowed
from dialer.calls.claim import Asked, Call, Returned, next_due_by_group
from dialer.campaign.caps import read_cap
from dialer.campaign.hours import read_week
from dialer.providers.provider import Accepted, Execution
from dialer.rules.places import group_keys
from dialer.rules.rulebook import read_rulebook
from dialer.rules.windows import HoursPolicy, Windows
from dialer.store.database import Store
from dialer.store.migrate import prepare

BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
YEAR_S = 365 * 86_400
TICK_S = 60.0
"""The pace: everything that is due and open leaves in one tick of the clock, the next is so much later."""
GUARD_S = 60.0
ACCOUNT = "north"

NY, CHI, DEN, LA = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
AREAS = {
    "AL": (205, CHI), "AK": (907, "America/Anchorage"), "AZ": (602, "America/Phoenix"), "CA": (213, LA),
    "CO": (303, DEN), "CT": (860, NY), "FL": (305, NY), "GA": (404, NY), "HI": (808, "Pacific/Honolulu"),
    "IL": (312, CHI), "IN": (317, "America/Indiana/Indianapolis"), "KY": (502, NY), "LA": (504, CHI),
    "ME": (207, NY), "MD": (410, NY), "MA": (617, NY), "MI": (313, "America/Detroit"), "MN": (612, CHI),
    "MS": (601, CHI), "NC": (704, NY), "NE": (402, CHI), "NV": (702, LA), "NJ": (201, NY), "NM": (505, DEN),
    "NY": (212, NY), "OH": (614, NY), "OK": (405, CHI), "OR": (503, LA), "PA": (215, NY), "RI": (401, NY),
    "SD": (605, CHI), "TN": (615, CHI), "TX": (512, CHI), "UT": (801, DEN), "VA": (703, NY), "WA": (206, LA),
    "WY": (307, DEN),
}  # fmt: skip
PROVINCES = {
    "ON": (416, "America/Toronto"), "QC": (514, "America/Toronto"), "BC": (604, "America/Vancouver"),
    "MB": (204, "America/Winnipeg"), "SK": (306, "America/Regina"), "NS": (902, "America/Halifax"),
    "NL": (709, "America/St_Johns"), "AB": (403, "America/Edmonton"),
}  # fmt: skip
COUNTRIES = {
    "GB": ("+447400", "Europe/London"), "IN": ("+919800", "Asia/Kolkata"), "AE": ("+971501", "Asia/Dubai"),
    "FR": ("+336120", "Europe/Paris"), "DE": ("+491511", "Europe/Berlin"), "ES": ("+346120", "Europe/Madrid"),
    "IT": ("+393120", "Europe/Rome"), "ZA": ("+277110", "Africa/Johannesburg"),
    "SG": ("+658123", "Asia/Singapore"), "NL": ("+316120", "Europe/Amsterdam"),
    "CZ": ("+420601", "Europe/Prague"), "FI": ("+358412", "Europe/Helsinki"),
    "NP": ("+977984", "Asia/Kathmandu"), "CL": ("+569612", "America/Santiago"),
    "JP": ("+819012", "Asia/Tokyo"), "MX": ("+521222", "America/Mexico_City"),
}  # fmt: skip
SEVERAL_ZONES = {
    "AU": ("+614120", ("Australia/Sydney", "Australia/Perth", "Australia/Adelaide", "Australia/Darwin",
                       "Australia/Brisbane", "Australia/Hobart", "Australia/Lord_Howe")),
    "NZ": ("+642110", ("Pacific/Auckland", "Pacific/Chatham")),
    "BR": ("+551191", ("America/Sao_Paulo", "America/Manaus", "America/Noronha")),
}  # fmt: skip


class Person(NamedTuple):
    """Somebody as a list has them, and who may be called when, by hand: all zones and places bind."""

    phone: str
    region: str
    kind: str
    number_zones: str
    own_zone: str | None
    state: str | None
    zones: tuple[str, ...]
    places: tuple[str, ...]


@dataclass
class Played:
    """A campaign, its people and its due moments."""

    campaign_id: int
    policy: HoursPolicy
    week: tuple[set[int], float, float] | None
    allowed: Allowed
    people: dict[int, Person] = field(default_factory=dict)
    ahead_us: int = 0


class Attempt(NamedTuple):
    """One call as it was made: when its contact fell due, and when it left."""

    campaign: Played
    person: Person
    due_us: int
    at_us: int


@dataclass
class Verdict:
    """What the naive reading found."""

    attempts: int = 0
    outside: list[str] = field(default_factory=list)
    over_caps: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    longest_wait_s: float = 0.0
    zones: int = 0
    places: int = 0


def person(random: Random, number: int) -> Person:
    """Return somebody; every fifth American has an address in another state, every tenth no known state."""
    tail = f"{number % 10_000_000:07d}"
    which = random.random()
    if which < 0.5:
        state = random.choice(list(AREAS))
        area, zone = AREAS[state]
        phone, kind = f"+1{area}{tail}", "fixed_line_or_mobile"
        if random.random() < 0.1:
            return Person(f"+1800{tail}", "US", kind, zone, None, None, (zone,), ("US", "US-*"))
        if state == "FL" and random.random() < 0.5:
            both = f"{NY},{CHI}"
            return Person(f"+1850{tail}", "US", kind, both, None, None, (NY, CHI), ("US", "US-FL"))
        if random.random() < 0.2:
            other = random.choice(["NY", "GA", "CA", "CO", "LA", "PA", "MD", "UT", "RI"])
            places = tuple(sorted({"US", f"US-{state}", f"US-{other}"}))
            return Person(phone, "US", kind, zone, None, other, (AREAS[other][1],), places)
        return Person(phone, "US", kind, zone, None, None, (zone,), ("US", f"US-{state}"))
    if which < 0.6:
        province = random.choice(list(PROVINCES))
        area, zone = PROVINCES[province]
        kind = "fixed_line_or_mobile"
        return Person(f"+1{area}{tail}", "CA", kind, zone, None, None, (zone,), ("CA", f"CA-{province}"))
    if which < 0.7:
        region = random.choice(list(SEVERAL_ZONES))
        prefix, zones = SEVERAL_ZONES[region]
        if random.random() < 0.7:
            own = random.choice(zones)
            return Person(prefix + tail, region, "mobile", ",".join(zones), own, None, (own,), (region,))
        return Person(prefix + tail, region, "mobile", ",".join(zones), None, None, zones, (region,))
    region = random.choice(list(COUNTRIES))
    prefix, zone = COUNTRIES[region]
    return Person(prefix + tail, region, "mobile", zone, None, None, (zone,), (region,))


class Year:
    """A year of campaigns in a fresh SQLite file; `play` walks through it, `judge` reads what happened."""

    def __init__(self, folder: Path, contacts: int, campaigns: int, batches: int, seed: int) -> None:
        self.clock = ManualClock(_us(BEGIN))
        self.store = Store(f"sqlite:///{folder / 'year.db'}", self.clock)
        event.listen(self.store.engine, "connect", _trust_the_machine)
        prepare(self.store)
        ensure_account(self.store, ACCOUNT)
        workers.enter(self.store, "w", 2.0 * YEAR_S)
        self.desk = Desk(self.store, "w", ACCOUNT, "unleashx")
        self.random = Random(seed)
        self.attempts: list[Attempt] = []
        self.looked_s: list[float] = []
        self._numbers = count(1)
        moments = sorted(self.random.randrange(YEAR_S - 40 * 86_400) for _ in range(batches))
        self.campaigns = [
            self._campaign(number, contacts // campaigns, moments) for number in range(campaigns)
        ]

    def _campaign(self, number: int, contacts: int, moments: Sequence[int]) -> Played:
        random = self.random
        week = random.choice([None, ({0, 1, 2, 3, 4}, 9.0, 19.0), ({0, 1, 2, 3, 4, 5, 6}, 0.0, 24.0), None])
        policy = HoursPolicy(
            week=None if week is None else _read(week),
            margin_us=random.choice([0, 300, 900]) * 1_000_000,
            consent=number % 2 == 0,
            caps=(read_cap("2 per 24h", "campaign"),) if number % 3 == 0 else (),
        )
        spec = '{"redial": {"calls_max": 3, "no_answer": "2h", "busy": "20m", "voicemail": "1d"}}'
        with self.store.write() as connection:
            campaign_id = connection.scalar(
                text(
                    "INSERT INTO campaigns (name, account, state, spec, created_at_us, changed_at_us)"
                    " VALUES (:name, 'north', 'running', :spec, 0, 0) RETURNING campaign_id"
                ),
                {"name": f"c{number}", "spec": spec},
            )
        # A tenth of the people of the campaign before are in this one too: caps count over both.
        before = list(self.campaigns[-1].people.values()) if getattr(self, "campaigns", None) else []
        people = [
            random.choice(before) if before and random.random() < 0.1 else person(random, next(self._numbers))
            for _ in range(contacts)
        ]
        people = list({one.phone: one for one in people}.values())
        due = [_us(BEGIN) + random.choice(moments) * 1_000_000 for _ in people]
        ids = self._load(campaign_id, people, due)
        with self.store.read() as connection:
            known = groups.groups_of(self.store, connection, campaign_id)
        played = Played(campaign_id, policy, week, Allowed(Windows(read_rulebook(), policy), known))
        played.people = dict(zip(ids, people, strict=True))
        refused = {one: rule.id for one, rule in played.allowed.refusals(self.clock.now_us()).items()}
        groups.set_aside(self.store, campaign_id, refused)
        return played

    def _load(self, campaign_id: int, people: list[Person], due: list[int]) -> list[int]:
        frame = pl.DataFrame(
            [one[:6] for one in people],
            schema=["phone", "phone_region", "phone_type", "time_zones", "own_zone", "state"],
            orient="row",
        ).cast(pl.String)
        keys = group_keys(frame, own_zone="own_zone", state="state").alias("window_key")
        numbered = groups.Numbered(self.store, campaign_id).groups(frame.with_columns(keys))
        with self.store.write() as connection:
            first = (connection.scalar(text("SELECT max(contact_id) FROM contacts")) or 0) + 1
            rows = [
                (first + place, campaign_id, row["phone"], row["phone_region"], row["window_group"], at_us)
                for place, (row, at_us) in enumerate(zip(numbered.iter_rows(named=True), due, strict=True))
            ]
            connection.exec_driver_sql(
                "INSERT INTO contacts (contact_id, campaign_id, load_id, list_row, phone, phone_region,"
                " window_group, next_call_at_us) VALUES (?, ?, 1, 1, ?, ?, ?, ?)",
                rows,
            )
        return [row[0] for row in rows]

    def play(self) -> None:
        """Walk through the year, from one moment at which something may be called to the next."""
        end_us = _us(BEGIN) + YEAR_S * 1_000_000
        next_us = {place: self._next_us(one) for place, one in enumerate(self.campaigns)}
        while (now_us := max(self.clock.now_us(), min(next_us.values()))) < end_us:
            self.clock.move((now_us - self.clock.now_us()) / 1e6)
            for place in [place for place, at_us in next_us.items() if at_us <= now_us]:
                self._tick(self.campaigns[place])
                next_us[place] = self._next_us(self.campaigns[place])
            self.clock.move(TICK_S)

    def _next_us(self, one: Played) -> int:
        with self.store.read() as connection:
            due = next_due_by_group(self.store, connection, one.campaign_id, one.allowed.groups)
        next_us = one.allowed.next_at_us(due, self.clock.now_us())
        return 2**62 if next_us is None else next_us

    def _tick(self, one: Played) -> None:
        """Call everybody of the campaign who is due and may be called."""
        now_us = self.clock.now_us()
        if now_us - one.ahead_us > 1_200_000_000:
            one.allowed.look_ahead(now_us)  # which a thread beside the lane does
            one.ahead_us = now_us
        began = time.thread_time()
        asked = [Asked(found.group_id) for found in one.allowed.open_groups(now_us)]
        self.looked_s.append(time.thread_time() - began)
        wanted = [Wanted(one.campaign_id, 100_000, asked)]
        calls = exchange(self.desk, [one.campaign_id], wanted=wanted).claimed[0]
        if not calls:
            return
        openings = [self._opening(one, call, now_us) for call in calls]
        found = exchange(self.desk, [one.campaign_id], openings=openings)
        answers, returned = [], []
        for opened, call in zip(openings, calls, strict=True):
            if opened.attempt_id in found.opened:
                self.attempts.append(Attempt(one, one.people[call.contact_id], call.next_call_at_us, now_us))
                answers.append(
                    answer_for(
                        opened.attempt_id,
                        call,
                        Accepted(f"x-{opened.attempt_id}", 200),
                        sent_at_us=now_us,
                        answered_at_us=now_us,
                        retry_wait_s=lambda tries: 10.0,
                    )
                )
            else:
                kept = found.kept[opened.attempt_id]
                assert kept.reason == "cap", kept
                returned.append(Returned(call.contact_id, kept.reason, kept.again_at_us))
        exchange(self.desk, [one.campaign_id], answers=answers, returned=returned)
        self._end()

    def _opening(self, one: Played, call: Call, now_us: int) -> Opening:
        return Opening(
            new_attempt_id(now_us),
            call.campaign_id,
            call.contact_id,
            call.call_number,
            call.attempt_number,
            "962",
            None,
            one.allowed.grounds(call.window_group, now_us),
            one.allowed.until_us(call.window_group, now_us),
        )

    def _end(self) -> None:
        """Let every open call end at once, with an outcome that asks for another one half of the time."""
        findings = []
        for pending in unsettled.open_attempts(self.store, ACCOUNT):
            outcome = self.random.choice(["completed", "completed", "no_answer", "busy", "voicemail"])
            record = Execution(f"r-{pending.attempt_id}", pending.phone, "962", "over", outcome)
            findings.append(settle.Finding(pending, record))
        settle.bind(self.store, findings)

    # -- the naive reading ---------------------------------------------------------------------------

    def judge(self, idle_every: int = 1) -> Verdict:
        """Read every attempt again; of every `idle_every`-th also how long it waited."""
        verdict = Verdict(attempts=len(self.attempts))
        by_phone: dict[str, list[int]] = defaultdict(list)
        zones: set[str] = set()
        places: set[str] = set()
        for number, (campaign, who, due_us, at_us) in enumerate(self.attempts):
            zones.update(who.zones)
            places.update(who.places)
            at = _datetime(at_us)
            what = f"{at.isoformat()} {who.zones} {who.places}"
            never = not campaign.policy.consent and set(NEVER_WITHOUT_CONSENT) & set(who.places)
            if never or not self._may(campaign, who, at):
                verdict.outside.append(what)
            before = by_phone[who.phone]
            if self._capped_until_us(campaign, who, before, at_us, guard_s=0.0):
                verdict.over_caps.append(what)
            if number % idle_every == 0:
                waited_s = (at_us - self._first_legal_us(campaign, who, before, due_us)) / 1e6
                verdict.longest_wait_s = max(verdict.longest_wait_s, waited_s)
                if waited_s > TICK_S:
                    verdict.idle.append(f"{what} waited {waited_s:g} s")
            before.append(at_us)
        verdict.zones, verdict.places = len(zones), len(places)
        return verdict

    def _may(self, campaign: Played, who: Person, at: datetime) -> bool:
        margin_s = campaign.policy.margin_us / 1e6
        return is_open(who.places, who.zones, at, margin_s) and all(
            _in_week(campaign.week, at.astimezone(ZoneInfo(zone)), margin_s) for zone in who.zones
        )

    def _capped_until_us(
        self, campaign: Played, who: Person, before: Sequence[int], at_us: int, guard_s: float
    ) -> int:
        """Return until when a cap keeps the person back; 0 where none does."""
        caps = caps_of(who.places) + ([(2, 24)] if campaign.policy.caps else [])
        until_us = 0
        for calls, hours in caps:
            if len(before) >= calls:
                free_us = before[-calls] + round((hours * 3600 + guard_s) * 1e6)
                until_us = max(until_us, free_us if free_us > at_us else 0)
        return until_us

    def _first_legal_us(self, campaign: Played, who: Person, before: Sequence[int], due_us: int) -> int:
        """Return the first moment from the due one on at which the person might have been called."""
        at_us = max(due_us, _us(BEGIN))
        quarter_us = 900_000_000
        while True:
            if not self._may(campaign, who, _datetime(at_us)):
                at_us = (at_us // quarter_us + 1) * quarter_us
            elif until_us := self._capped_until_us(campaign, who, before, at_us, GUARD_S):
                at_us = until_us
            else:
                return at_us


def _trust_the_machine(connection: Any, _: object) -> None:
    """A year that a power cut takes away is played once more."""
    connection.execute("PRAGMA synchronous=OFF")


def _in_week(week: tuple[set[int], float, float] | None, local: datetime, margin_s: float) -> bool:
    if week is None:
        return True
    days, begin, end = week
    hour = local.hour + local.minute / 60 + local.second / 3600 + local.microsecond / 3.6e9
    margin_h = 0.0 if (begin, end) == (0.0, 24.0) else margin_s / 3600
    return local.weekday() in days and begin <= hour and hour + margin_h < end


def _read(week: tuple[set[int], float, float]) -> object:
    days, begin, end = week
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return read_week({names[day]: f"{int(begin):02d}:00-{int(end):02d}:00" for day in sorted(days)})


def _us(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000


def _datetime(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--contacts", type=int, default=100_000)
    words.add_argument("--campaigns", type=int, default=8)
    words.add_argument("--batches", type=int, default=1_500)
    words.add_argument("--seed", type=int, default=2026)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        year = Year(Path(folder), asked.contacts, asked.campaigns, asked.batches, asked.seed)
        year.play()
        played_s = time.perf_counter() - began
        verdict = year.judge(idle_every=max(1, len(year.attempts) // 40_000))
        year.store.close()
    places = f"{verdict.places} jurisdictions, {verdict.zones} zones"
    print(f"{verdict.attempts:,} attempts, {places}: {played_s:.0f} s")
    print(f"outside the law: {len(verdict.outside)} (to reach: 0) {verdict.outside[:3]}")
    print(f"over a cap: {len(verdict.over_caps)} (to reach: 0) {verdict.over_caps[:3]}")
    print(f"longest wait while legal and due: {verdict.longest_wait_s:g} s (to reach: {TICK_S:g})")
    print(f"waited longer: {len(verdict.idle)} (to reach: 0) {verdict.idle[:3]}")
    print(f"longest look at windows in a lane: {max(year.looked_s) * 1000:.1f} ms (to reach: 20)")


if __name__ == "__main__":
    main()
