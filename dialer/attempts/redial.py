"""Whether an outcome makes the contact wait for a further call, and from when on.

What the campaign's file said when it was registered last decides, from the database alone, so that whoever
learns of an outcome (a run, the receiver of webhooks, `dialer reconcile`) decides the same. How many calls a
contact has had is counted where it is written down, in its own row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from dialer.base.durations import parse_duration
from dialer.campaign.values import NEVER
from dialer.store.database import Dialects, Store, as_rows

REDIALED = ("no_answer", "busy", "voicemail", "failed")
"""Outcomes after which a campaign may call again."""

DO_NOT_CALL = re.compile(
    r"do_?not_?(call|contact|disturb)|dont_call|dnc|opt(ed)?_?out|stop_calling|unsubscribe"
)
"""Dispositions that end a contact whatever the campaign says: free text of the agent, in one spelling."""

SPECS = Dialects(
    """
    SELECT campaign_id, spec FROM campaigns
    WHERE campaign_id IN (SELECT r.campaign_id FROM ROWS(campaign_id bigint) AS r) AND state <> 'canceled'"""
)


class Redial(NamedTuple):
    """A campaign's rules: calls to one contact at most, and seconds to wait after each outcome.

    `do_not_call` are the dispositions that its file says mean that nobody may call again, in one spelling.
    """

    calls_max: int
    waits_s: Mapping[str, float]
    do_not_call: frozenset[str] = frozenset()

    def again_at_us(self, outcome: str | None, disposition: str | None, now_us: int) -> int | None:
        """Return from when on the contact may be called again; None where this outcome ends it."""
        wait_s = self.waits_s.get(outcome or "")
        if wait_s is None or self.forbids(disposition):
            return None
        return now_us + round(wait_s * 1e6)

    def forbids(self, disposition: str | None) -> bool:
        """Return whether the person wants no further call, by the file's words or by the usual ones."""
        return _spelling(disposition) in self.do_not_call or is_do_not_call(disposition)


NOBODY = Redial(1, {})
"""No contact is called again."""


def redials(store: Store, connection: Connection, campaign_ids: Iterable[int]) -> dict[int, Redial]:
    """Return the rules of each of the campaigns; one that was canceled calls nobody again."""
    rows = as_rows([[one] for one in sorted(set(campaign_ids))])
    found = {row[0]: read_redial(row[1]) for row in store.execute(connection, SPECS, rows=rows)}
    return {one: found.get(one, NOBODY) for one in campaign_ids}


def read_redial(spec: str) -> Redial:
    """Return the rules of a registered campaign file."""
    said: Mapping[str, Any] = orjson.loads(spec).get("redial") or {}
    waits = {outcome: str(said.get(outcome) or NEVER) for outcome in REDIALED}
    return Redial(
        int(said.get("calls_max") or 1),
        {outcome: parse_duration(wait) for outcome, wait in waits.items() if wait != NEVER},
        frozenset(_spelling(word) for word in said.get("do_not_call") or ()),
    )


def is_do_not_call(disposition: str | None) -> bool:
    """Return whether the agent noted that the person wants no further call."""
    return DO_NOT_CALL.search(_spelling(disposition)) is not None


def _spelling(disposition: str | None) -> str:
    return re.sub(r"[\s\-'’]+", "_", (disposition or "").strip().casefold()).replace("don_t", "dont")
