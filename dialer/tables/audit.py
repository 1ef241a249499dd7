"""Prove from the database alone what dialer promises: never twice, never lost, never over the limit."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from sqlalchemy import Connection, text

from dialer.rules.rulebook import RuleBook, read_rulebook
from dialer.store.database import Store
from dialer.tables.audit_counts import count_rows
from dialer.tables.audit_report import NAMED_MAX, AuditReport, Check, Offending
from dialer.tables.law_proof import check_caps, check_windows
from dialer.tables.pace_proof import Limits, check_pace
from dialer.tables.proofs import PROOFS, searches
from dialer.tables.query import campaign_id_of

FIRST_OF_EACH = f"""
    SELECT name, id, what, total FROM (
        SELECT name, id, what, count(*) OVER (PARTITION BY name) AS total,
            row_number() OVER (PARTITION BY name ORDER BY id) AS place
        FROM ({{query}}) AS found
    ) AS numbered
    WHERE place <= {NAMED_MAX} ORDER BY name, place"""


def audit(
    store: Store,
    campaign: str | None = None,
    *,
    limits: Mapping[str, Limits] | None = None,
    rules: RuleBook | None = None,
) -> AuditReport:
    """Return what the database proves and what contradicts it; the tables are read in one state.

    `rules` are the deployment's; the built-in ones where they are not given.
    `limits` has each account's calls per second and requests per minute. The pace of an account that is
    not in it is not checked, and the report says so.

    Raises:
        BadInput: the database has no such campaign.
    """
    checks = {proof.name: Check(proof.name, proof.sentence, proof.about) for proof in PROOFS}
    with store.read() as connection:
        _hold_still(store, connection)
        campaign_id = campaign_id_of(connection, campaign)
        calls_max = _calls_max(connection)
        counts = count_rows(connection, campaign_id, calls_max)
        for proof in PROOFS:
            checks[proof.name].rows = getattr(counts, proof.rows)
        for search in searches(campaign_id, calls_max):
            if search.worthwhile(counts):
                _search(connection, search.query, checks)
            counts.calls_shared = checks["one_live_attempt_per_call"].found
        accounts = _accounts(connection, campaign_id)
    pace = Check("pace_within_limits", "No account was ever faster than its limit", "attempt")
    check_pace(store, accounts, limits or {}, pace)
    law = [check_windows(store, rules or read_rulebook(), campaign_id), check_caps(store, campaign_id)]
    notes = []
    if counts.unknown:
        notes.append(f"unknown attempts, which may have been dialled and are not redialled: {counts.unknown}")
    return AuditReport(campaign, [*checks.values(), *law, pace], notes)


def _search(connection: Connection, query: str, checks: Mapping[str, Check]) -> None:
    for name, row_id, what, found in connection.execute(text(FIRST_OF_EACH.format(query=query))):
        checks[name].found = found
        checks[name].offending.append(Offending(row_id, what))


def _hold_still(store: Store, connection: Connection) -> None:
    """Let every query of the transaction see one state; SQLite's transactions do that by themselves."""
    if not store.is_sqlite:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        connection.execute(text("SET LOCAL work_mem = '128MB'"))


def _calls_max(connection: Connection) -> dict[int, int]:
    """Return how often a contact may be called, for the campaigns that allow more than once."""
    allowed = {}
    for campaign_id, spec in connection.execute(text("SELECT campaign_id, spec FROM campaigns")):
        redial = orjson.loads(spec).get("redial") or {}
        allowed[campaign_id] = int(redial.get("calls_max") or 1)
    return {campaign_id: calls for campaign_id, calls in allowed.items() if calls > 1}


def _accounts(connection: Connection, campaign_id: int | None) -> list[str]:
    """Return the accounts that placed calls: a limit is the account's, whichever campaign it dialled for."""
    where = "" if campaign_id is None else f"WHERE campaign_id = {campaign_id:d}"
    return list(connection.scalars(text(f"SELECT DISTINCT account FROM ledger {where} ORDER BY account")))
