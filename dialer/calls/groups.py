"""Window groups in the database: contacts that may be called at the same moments share a group's id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import polars as pl
from sqlalchemy import Connection

from dialer.rules.local_time import zone_names
from dialer.rules.places import Group, group_keys
from dialer.store.database import Dialects, Store, as_rows

UNGROUPED = 0
"""The group of contacts that were loaded before there were groups; `regroup` gives them theirs."""
ROWS_AT_ONCE = 50_000

ADD = Dialects(
    """
    INSERT INTO window_groups (key) SELECT r.key FROM ROWS(key text) AS r WHERE 1 = 1
    ORDER BY r.key ON CONFLICT DO NOTHING"""
)

FIND = Dialects(
    "SELECT key, group_id FROM window_groups WHERE key IN (SELECT r.key FROM ROWS(key text) AS r)"
)

ADD_TO_CAMPAIGN = Dialects(
    """
    INSERT INTO campaign_groups (campaign_id, group_id)
    SELECT :campaign_id, r.group_id FROM ROWS(group_id bigint) AS r WHERE 1 = 1
    ORDER BY r.group_id ON CONFLICT DO NOTHING"""
)

OF_CAMPAIGN = Dialects(
    """
    SELECT window_groups.group_id, window_groups.key
    FROM campaign_groups JOIN window_groups ON window_groups.group_id = campaign_groups.group_id
    WHERE campaign_groups.campaign_id = :campaign_id ORDER BY window_groups.group_id"""
)

# The index contacts_waiting has the group second, so that a campaign without such contacts costs nothing.
UNGROUPED_CONTACTS = Dialects(
    """
    SELECT contact_id, phone, phone_region, phone_type, time_zones FROM contacts
    WHERE campaign_id = :campaign_id AND window_group = 0 AND status = 'waiting' LIMIT :most"""
)

REGROUP = Dialects(
    """
    UPDATE contacts SET window_group = r.group_id FROM ROWS(contact_id bigint, group_id bigint) AS r
    WHERE contacts.contact_id = r.contact_id"""
)


# In blocks, so that nobody waits long for the contacts' locks.
SET_ASIDE = Dialects(
    """
    UPDATE contacts SET status = 'suppressed', reason = :reason
    WHERE contact_id IN (
        SELECT contact_id FROM contacts
        WHERE campaign_id = :campaign_id AND window_group = :group_id AND status = 'waiting' LIMIT :most)
    RETURNING contact_id"""
)

TAKE_BACK = Dialects(
    """
    UPDATE contacts SET status = 'waiting', reason = NULL
    WHERE campaign_id = :campaign_id AND status = 'suppressed' AND reason LIKE 'rule %'
        AND window_group NOT IN (SELECT r.group_id FROM ROWS(group_id bigint) AS r)
    RETURNING contact_id"""
)


class Numbered:
    """Turns the keys of a campaign's contacts into ids; keys that are new are written at once, small."""

    def __init__(self, store: Store, campaign_id: int) -> None:
        self._store = store
        self._campaign_id = campaign_id
        self._known: dict[str, int] = {}

    def groups(self, contacts: pl.DataFrame) -> pl.DataFrame:
        """Return the contacts with `window_group` (Int64) in place of `window_key`."""
        new = [key for key in contacts["window_key"].unique().to_list() if key not in self._known]
        if new:
            with self._store.write() as connection:
                self._known.update(_ids(self._store, connection, self._campaign_id, new))
        ids = pl.col("window_key").replace_strict(self._known, return_dtype=pl.Int64).alias("window_group")
        return contacts.with_columns(ids).drop("window_key")


def groups_of(store: Store, connection: Connection, campaign_id: int) -> dict[int, Group]:
    """Return the groups that contacts of the campaign are in, by id."""
    rows = store.execute(connection, OF_CAMPAIGN, campaign_id=campaign_id)
    return {row[0]: _with_zones_of_here(Group.of_key(row[1])) for row in rows}


def _with_zones_of_here(group: Group) -> Group:
    """Return the group; where this machine's zone database lacks a zone of it, none is known."""
    return group if zone_names().issuperset(group.zones) else replace(group, zones=())


def regroup(store: Store, campaign_id: int) -> int:
    """Give waiting contacts without a group theirs, by number alone; return how many. Twice equals once."""
    done = 0
    while True:
        with store.read() as connection:  # nearly always there is nothing to write
            if not store.execute(connection, UNGROUPED_CONTACTS, campaign_id=campaign_id, most=1):
                return done
        with store.write() as connection:
            found = store.execute(connection, UNGROUPED_CONTACTS, campaign_id=campaign_id, most=ROWS_AT_ONCE)
            if not found:
                return done
            names = ("contact_id", "phone", "phone_region", "phone_type", "time_zones")
            rows = pl.DataFrame([tuple(row) for row in found], schema=names, orient="row")
            rows = rows.with_columns(pl.col(names[1:]).cast(pl.String))
            keys = group_keys(rows)
            known = _ids(store, connection, campaign_id, keys.unique().to_list())
            ids = keys.replace_strict(known, return_dtype=pl.Int64)
            pairs = zip(rows["contact_id"].to_list(), ids.to_list(), strict=True)
            store.execute(connection, REGROUP, rows=as_rows(sorted(pairs)))
            done += rows.height


def set_aside(store: Store, campaign_id: int, refusals: Mapping[int, str]) -> int:
    """Suppress waiting contacts of groups that a rule refuses; take back those that it no longer does.

    `refusals` are the rules' ids by group. Twice equals once; returns how many were set aside.
    """
    done = 0
    with store.write() as connection:
        rows = as_rows([one] for one in sorted(refusals))
        store.execute(connection, TAKE_BACK, campaign_id=campaign_id, rows=rows)
    for group_id, rule_id in sorted(refusals.items()):
        while True:
            with store.write() as connection:
                found = store.execute(
                    connection,
                    SET_ASIDE,
                    campaign_id=campaign_id,
                    group_id=group_id,
                    reason=f"rule {rule_id}",
                    most=ROWS_AT_ONCE,
                )
            done += len(found)
            if len(found) < ROWS_AT_ONCE:
                break
    return done


def _ids(store: Store, connection: Connection, campaign_id: int, keys: Iterable[str]) -> dict[str, int]:
    rows = as_rows([key] for key in keys)
    store.execute(connection, ADD, rows=rows)
    known = {row[0]: row[1] for row in store.execute(connection, FIND, rows=rows)}
    store.execute(
        connection,
        ADD_TO_CAMPAIGN,
        campaign_id=campaign_id,
        rows=as_rows([one] for one in sorted(known.values())),
    )
    return known
