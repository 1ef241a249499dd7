"""One walk over attempts and contacts that shows whether anybody's history needs a closer look.

Every contact's status and count of calls must be what its attempts say. To hold each contact against its
attempts one by one means to sort both tables; but counting is enough to know that all is well:

- Each attempt that may have been dialled has a number from 1 to its contact's count of calls, and no two of a
  contact have the same (`one_live_attempt_per_call`): so no contact shows more than it counts. If both add
  up to the same sum, each shows just what it counts.
- An accepted (unknown) attempt is its contact's last call and the contact is `calling` (`unknown`): so no
  two of them have one contact. If there are as many attempts as such contacts, each has just one. The same
  goes for refused contacts and the attempts that they name as their last.

Where anything differs, the audit looks at each contact, and names those that are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from dialer.attempts.match import CLOCK_MARGIN_US
from dialer.store.tables import LIVE, OPEN

CLOCKS_DIFFER_US = 1_000_000
"""How far the clocks of a worker and of the database may be apart."""

HOMELESS = "(c.contact_id IS NULL OR p.campaign_id IS NULL OR c.phone <> l.phone)"

INCOMPLETE = """((l.state IN ('refused', 'not_dialled')
        AND (l.execution_id IS NOT NULL OR l.outcome IS NOT NULL))
    OR (l.state IN ('accepted', 'ended') AND l.execution_id IS NULL)
    OR (l.state = 'ended') <> (l.outcome IS NOT NULL))"""

# Opened by the database's clock, sent and answered by the worker's; ended by the provider's, and for an
# attempt that was found later that may well lie before our answer: so it is held against the departure.
DISORDERED = f"""(l.sent_at_us < l.opened_at_us - {CLOCKS_DIFFER_US}
    OR l.answered_at_us < coalesce(l.sent_at_us, l.opened_at_us) - {CLOCKS_DIFFER_US}
    OR l.ended_at_us < coalesce(l.sent_at_us, l.opened_at_us) - {CLOCK_MARGIN_US})"""

AS_ITS_CONTACT_SAYS = """CASE l.state
    WHEN 'ended' THEN l.call_number BETWEEN 1 AND c.calls
    WHEN 'accepted' THEN c.status = 'calling' AND l.call_number = c.calls
    WHEN 'unknown' THEN c.status = 'unknown' AND l.call_number = c.calls
    WHEN 'sending' THEN c.status = 'leased' AND l.call_number = c.calls + 1 AND l.call_number <= {allowed}
    ELSE c.contact_id IS NOT NULL END"""

ATTEMPTS = f"""
    SELECT count(*) AS attempts, count(l.execution_id) AS bound,
        count(*) FILTER (WHERE {OPEN.replace("state", "l.state")}) AS open,
        count(*) FILTER (WHERE {LIVE.replace("state", "l.state")}) AS live,
        count(*) FILTER (WHERE l.state = 'sending') AS sending,
        count(*) FILTER (WHERE l.state = 'accepted') AS accepted,
        count(*) FILTER (WHERE l.state = 'unknown') AS unknown,
        count(*) FILTER (WHERE l.state = 'refused' AND c.last_attempt_id = l.attempt_id
            AND c.status = 'refused') AS refused,
        count(*) FILTER (WHERE {HOMELESS}) AS homeless,
        count(*) FILTER (WHERE c.campaign_id <> l.campaign_id) AS moved,
        count(*) FILTER (WHERE {INCOMPLETE}) AS incomplete,
        count(*) FILTER (WHERE {DISORDERED}) AS disordered,
        count(*) FILTER (WHERE NOT coalesce({AS_ITS_CONTACT_SAYS}, FALSE)) AS at_odds
    FROM ledger AS l
    LEFT JOIN contacts AS c ON c.contact_id = l.contact_id
    LEFT JOIN campaigns AS p ON p.campaign_id = l.campaign_id
    {{where}}"""

CONTACTS = """
    SELECT count(*) AS contacts, coalesce(sum(c.calls), 0) AS calls,
        count(*) FILTER (WHERE c.status = 'calling') AS contacts_calling,
        count(*) FILTER (WHERE c.status = 'unknown') AS contacts_unknown,
        count(*) FILTER (WHERE c.status = 'refused') AS contacts_refused,
        count(*) FILTER (WHERE c.calls > {allowed} OR (c.status = 'waiting' AND c.calls >= {allowed})
            OR (c.status = 'done' AND c.calls < 1)) AS beyond,
        (SELECT count(*) FROM loads AS d {where_loads}) AS loads
    FROM contacts AS c {where}"""


@dataclass
class Counts:
    """What the walk counted: of attempts, of contacts, and of rows that contradict a proof by themselves."""

    attempts: int
    bound: int
    open: int
    live: int
    sending: int
    accepted: int
    unknown: int
    refused: int
    homeless: int
    moved: int
    incomplete: int
    disordered: int
    at_odds: int
    contacts: int
    calls: int
    contacts_calling: int
    contacts_unknown: int
    contacts_refused: int
    beyond: int
    loads: int
    calls_shared: int = 0

    @property
    def agree(self) -> bool:
        """Each contact is what its attempts say; `calls_shared` attempts were found that share a call."""
        return (
            not (self.at_odds or self.beyond or self.calls_shared)
            and self.calls == self.live - self.sending
            and self.contacts_calling == self.accepted
            and self.contacts_unknown == self.unknown
            and self.contacts_refused == self.refused
        )


def count_rows(connection: Connection, campaign_id: int | None, calls_max: Mapping[int, int]) -> Counts:
    """Walk once over the attempts and once over the contacts (of the campaign)."""
    allowed = calls_allowed(calls_max)
    here = "" if campaign_id is None else f"WHERE c.campaign_id = {campaign_id:d}"
    attempts = ATTEMPTS.format(
        allowed=allowed, where=f"{here} OR l.campaign_id = {campaign_id:d}" if campaign_id is not None else ""
    )
    contacts = CONTACTS.format(allowed=allowed, where=here, where_loads=here.replace("c.", "d."))
    counted = [connection.execute(text(query)).one()._asdict() for query in (attempts, contacts)]
    return Counts(**counted[0], **counted[1])


def calls_allowed(calls_max: Mapping[int, int]) -> str:
    """Return the SQL for how often contact `c` may be called: its campaign's limit, and what was granted."""
    allowed = " ".join(f"WHEN {campaign:d} THEN {calls:d}" for campaign, calls in calls_max.items())
    return f"({f'CASE c.campaign_id {allowed} ELSE 1 END' if allowed else '1'} + c.calls_granted)"
