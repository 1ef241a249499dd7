"""Contacts that a later list brings again: updated, or called once more (`again` in campaign.toml).

Nothing of a contact changes while one of its calls is open or about to leave. Called once more is who is
`done`, within `redial.calls_max` where the campaign says it; where it does not, each list may ask for one
further call. Who was refused by the provider, is suppressed or canceled stays so.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from dialer.calls.books import Books
from dialer.campaign import Campaign
from dialer.store.bulk import Stage
from dialer.store.database import Dialects, Store

TABLE = "contacts_again"

MAKE = """
    CREATE TEMPORARY TABLE contacts_again (phone text, same_number boolean, list_id text,
        phone_extension text, time_zones text, other_phones text, repaired text, metadata text,
        window_group bigint)"""

MET = Dialects(
    """
    SELECT count(*), coalesce(sum(CASE contacts.status WHEN 'done' THEN 1 ELSE 0 END), 0)
    FROM contacts_again AS r JOIN contacts ON contacts.phone = r.phone
    WHERE contacts.campaign_id = :campaign_id"""
)

# What comes from the number stays as it is where only the key is the same.
UPDATE = Dialects(
    """
    UPDATE contacts SET
        list_id = coalesce(r.list_id, contacts.list_id), metadata = r.metadata,
        time_zones = coalesce(r.time_zones, contacts.time_zones),
        window_group = coalesce(r.window_group, contacts.window_group),
        phone_extension = CASE WHEN r.same_number THEN r.phone_extension ELSE contacts.phone_extension END,
        other_phones = CASE WHEN r.same_number THEN r.other_phones ELSE contacts.other_phones END,
        repaired = CASE WHEN r.same_number THEN r.repaired ELSE contacts.repaired END
    FROM contacts_again AS r
    WHERE contacts.campaign_id = :campaign_id AND contacts.phone = r.phone
        AND contacts.status NOT IN ('leased', 'calling', 'unknown')"""
)

CALL_AGAIN = Dialects(
    """
    UPDATE contacts SET status = 'waiting', reason = 'call_again', tries = 0, next_call_at_us = :now_us,
        calls_granted = calls_granted
            + CASE WHEN contacts.calls < :calls_max + contacts.calls_granted THEN 0 ELSE 1 END
    FROM contacts_again AS r
    WHERE contacts.campaign_id = :campaign_id AND contacts.phone = r.phone AND contacts.status = 'done'
        AND (:may_grant = 1 OR contacts.calls < :calls_max + contacts.calls_granted)
        AND NOT EXISTS (
            SELECT 1 FROM ledger WHERE ledger.phone = contacts.phone
                AND ledger.state IN ('sending', 'unknown', 'accepted')
                AND ledger.contact_id = contacts.contact_id
        )"""
)


def apply_again(
    store: Store,
    connection: Connection,
    stage: Stage,
    campaign: Campaign,
    campaign_id: int,
    books: Books,
    *,
    may_call: bool,
) -> None:
    """Give contacts what the staged rows of TABLE say of them; where `may_call`, call them once more.

    How many of each goes to `books`.
    """
    connection.execute(text(MAKE))
    stage.pour(connection, TABLE)
    dialect, here = store.engine.dialect.name, {"campaign_id": campaign_id}
    met, done = store.execute(connection, MET, **here)[0]
    books.updated = connection.execute(UPDATE.for_(dialect), here).rowcount
    books.in_flight = met - books.updated
    if may_call:
        rule = {
            "now_us": store.now_us(connection),
            "calls_max": campaign.redial.calls_max,
            "may_grant": 0 if "redial" in campaign.model_fields_set else 1,
        }
        books.called_again = connection.execute(CALL_AGAIN.for_(dialect), here | rule).rowcount
        books.not_again = done - books.called_again
    connection.execute(text(f"DROP TABLE {TABLE}"))
