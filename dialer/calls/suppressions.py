"""Do-not-call: numbers and prefixes that must not be called, kept apart from every list.

They are looked at when a call is about to be placed, so that a number that comes back with the next list,
or was suppressed a second ago, is not called. A suppression holds for all campaigns, for one, or for
one account, until it expires.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import polars as pl
from sqlalchemy import Connection

from dialer.base.errors import BadInput
from dialer.store.bulk import append
from dialer.store.database import Dialects, Store, as_rows

ROWS_AT_ONCE = 200_000
PREFIX = re.compile(r"\+[1-9][0-9]{0,13}")

HOLDS = """(s.campaign = '' OR s.campaign = {campaign}) AND (s.account = '' OR s.account = {account})
        AND (s.expires_at_us IS NULL OR s.expires_at_us > :now_us)"""


def suppressed(phone: str, campaign: str, account: str) -> str:
    """Return an SQL condition: the number in expression `phone` must not be called.

    `campaign` and `account` are expressions for their names; `:now_us` is the present. A number costs
    one look into an index, however many numbers are suppressed, and a comparison per prefix.
    """
    holds = HOLDS.format(campaign=campaign, account=account)
    return f"""(
        EXISTS (SELECT 1 FROM suppressions s WHERE s.value = {phone} AND s.kind = 'number' AND {holds})
        OR EXISTS (SELECT 1 FROM suppressions s WHERE s.kind = 'prefix'
            AND substr({phone}, 1, length(s.value)) = s.value AND {holds}))"""


ADD = Dialects(
    """
    INSERT INTO suppressions (value, kind, campaign, account, reason, source, added_at_us, expires_at_us)
    SELECT r.value, r.kind, :campaign, :account, :reason, :source, :now_us, CAST(:expires_at_us AS bigint)
    FROM ROWS(value text, kind text) AS r
    WHERE 1 = 1
    ON CONFLICT (value, kind, campaign, account) DO UPDATE
    SET reason = excluded.reason, source = excluded.source, expires_at_us = excluded.expires_at_us"""
)

ADD_ONCE = Dialects(
    """
    INSERT INTO suppressions (value, kind, campaign, account, reason, source, added_at_us, expires_at_us)
    SELECT r.value, 'number', '', '', r.reason, r.source, :now_us, NULL
    FROM ROWS(value text, reason text, source text) AS r
    WHERE 1 = 1
    ON CONFLICT (value, kind, campaign, account) DO UPDATE
    SET reason = excluded.reason, source = excluded.source, expires_at_us = NULL
    WHERE suppressions.expires_at_us IS NOT NULL"""
)

# 10 M numbers: staged by COPY on PostgreSQL; SQLite takes them through one prepared statement.
ADD_STAGED = Dialects(
    """
    INSERT INTO suppressions (value, kind, campaign, account, reason, source, added_at_us, expires_at_us)
    SELECT value, kind, :campaign, :account, :reason, :source, :now_us, CAST(:expires_at_us AS bigint)
    FROM suppressions_staged
    WHERE 1 = 1
    ON CONFLICT (value, kind, campaign, account) DO UPDATE
    SET reason = excluded.reason, source = excluded.source, expires_at_us = excluded.expires_at_us"""
)

THERE_ALREADY = Dialects(
    """
    SELECT count(*) FROM suppressions_staged AS staged JOIN suppressions AS s
        ON s.value = staged.value AND s.kind = staged.kind
    WHERE s.campaign = :campaign AND s.account = :account"""
)

REMOVE = Dialects(
    """
    DELETE FROM suppressions
    WHERE value = :value AND (:kind = '*' OR kind = :kind) AND (:campaign = '*' OR campaign = :campaign)
        AND (:account = '*' OR account = :account)
    RETURNING campaign, account"""
)

FOUND = Dialects(
    """
    SELECT value, kind, campaign, account, reason, source, added_at_us, expires_at_us
    FROM suppressions s
    WHERE (value = :phone AND kind = 'number')
        OR (kind = 'prefix' AND substr(:phone, 1, length(value)) = value)
    ORDER BY suppression_id"""
)

LISTED = Dialects(
    """
    SELECT value, kind, campaign, account, reason, source, added_at_us, expires_at_us
    FROM suppressions
    WHERE (:campaign = '*' OR campaign = :campaign)
    ORDER BY suppression_id DESC LIMIT :most"""
)

AMONG = Dialects(
    f"""
    SELECT count(*) FROM ROWS(phone text) AS r WHERE {suppressed("r.phone", ":campaign", ":account")}"""
)

COUNTED = Dialects(
    """
    SELECT kind, campaign, account, count(*) FROM suppressions
    GROUP BY kind, campaign, account ORDER BY 1, 2, 3"""
)


class Suppression(NamedTuple):
    """One entry: a number or prefix, for whom it holds ('' means everybody), why, from where, how long."""

    value: str
    kind: str
    campaign: str
    account: str
    reason: str | None
    source: str | None
    added_at_us: int
    expires_at_us: int | None

    def holds(self, campaign: str, account: str, now_us: int) -> bool:
        """Return whether it keeps a campaign of an account from calling: HOLDS, for one entry."""
        ours = self.campaign in ("", campaign) and self.account in ("", account)
        return ours and (self.expires_at_us is None or self.expires_at_us > now_us)


class Terms(NamedTuple):
    """For whom entries hold, why, where they come from, and until when (None: for ever)."""

    campaign: str = ""
    account: str = ""
    reason: str | None = None
    source: str | None = None
    expires_at_us: int | None = None


def add(
    store: Store, connection: Connection, values: Iterable[tuple[str, str]], terms: Terms, now_us: int
) -> None:
    """Add (value, kind) entries; one that is there already takes the new reason, source and expiry."""
    rows = sorted(set(values))
    if rows:
        store.execute(connection, ADD, rows=as_rows(rows), now_us=now_us, **terms._asdict())


def add_once(
    store: Store, connection: Connection, entries: Iterable[tuple[str, str | None, str]], now_us: int
) -> None:
    """Add (number, reason, source) entries for everybody and for ever; one that is so already stays."""
    rows = sorted({number: (number, *why) for number, *why in entries}.values(), key=str)
    if rows:
        store.execute(connection, ADD_ONCE, rows=as_rows(rows), now_us=now_us)


def add_numbers(
    store: Store, numbers: pl.Series, terms: Terms, prefixes: Iterable[str] = ()
) -> tuple[int, int]:
    """Add every number (String, E.164) and every prefix in one transaction.

    Returns how many different entries there were, and how many of them were there already.
    """
    unique = numbers.drop_nulls().unique().sort()
    starts = pl.Series("value", sorted(set(prefixes)), pl.String)
    with store.write() as connection:
        now_us = store.now_us(connection)
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE suppressions_staged (value text NOT NULL, kind text NOT NULL)"
        )
        for start in range(0, len(unique), ROWS_AT_ONCE):
            part = unique.slice(start, ROWS_AT_ONCE).to_frame("value")
            append(connection, "suppressions_staged", part.with_columns(pl.lit("number").alias("kind")))
        if len(starts):
            part = starts.to_frame().with_columns(pl.lit("prefix").alias("kind"))
            append(connection, "suppressions_staged", part)
        for_whom = {"campaign": terms.campaign, "account": terms.account}
        there: int = store.execute(connection, THERE_ALREADY, **for_whom)[0][0]
        store.execute(connection, ADD_STAGED, now_us=now_us, **terms._asdict())
        connection.exec_driver_sql("DROP TABLE suppressions_staged")
    return len(unique) + len(starts), there


def remove(
    store: Store, value: str, campaign: str = "*", account: str = "*", *, kind: str = "*"
) -> list[tuple[str, str]]:
    """Take a number's or prefix's entries away, `*` those of every campaign or account.

    Returns the campaign and account of each that was there ('' means all of them).
    """
    with store.write() as connection:
        named = {"value": value, "campaign": campaign, "account": account, "kind": kind}
        return [(row[0], row[1]) for row in store.execute(connection, REMOVE, **named)]


def found(store: Store, phone: str) -> list[Suppression]:
    """Return every entry that speaks of the number (E.164), also those that have expired."""
    with store.read() as connection:
        return [Suppression(*row) for row in store.execute(connection, FOUND, phone=phone)]


def among(store: Store, connection: Connection, phones: pl.Series, campaign: str, account: str) -> int:
    """Return how many of the numbers (E.164) a campaign and its account must not call."""
    rows = as_rows([one] for one in phones.to_list())
    now_us = store.now_us(connection)
    found = store.execute(connection, AMONG, rows=rows, campaign=campaign, account=account, now_us=now_us)
    return int(found[0][0])


def listed(store: Store, campaign: str = "*", most: int = 100) -> list[Suppression]:
    """Return the newest entries, of one campaign or of all (`*`)."""
    with store.read() as connection:
        rows: list[Any] = store.execute(connection, LISTED, campaign=campaign, most=most)
        return [Suppression(*row) for row in rows]


def counted(store: Store) -> list[tuple[str, str, str, int]]:
    """Return how many entries there are by kind, campaign and account."""
    with store.read() as connection:
        return [(row[0], row[1], row[2], row[3]) for row in store.execute(connection, COUNTED)]


def prefix_of(text: str) -> str:
    """Return the prefix that `+4930*` or `+4930` means.

    Raises:
        BadInput: it is none.
    """
    prefix = text.strip().removesuffix("*").replace(" ", "")
    if PREFIX.fullmatch(prefix) is None:
        raise BadInput(f"'{text}' is no prefix, expected + and the first digits of numbers, such as +4930")
    return prefix
