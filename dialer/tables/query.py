"""What can be read, in which order, of which campaign: the SQL behind frames, exports and progress."""

from __future__ import annotations

from sqlalchemy import Connection, text

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.store.database import Store
from dialer.store.views import view_sql

# The table whose rows a view shows, as the view calls it, and the column that gives them their order.
ORDERS = {
    "contacts": ("c", "contact_id"),
    "outcomes": ("c", "contact_id"),
    "attempts": ("l", "attempt_id"),
    "rejects": ("r", "reject_id"),
    "rejects_to_mend": ("r", "reject_id"),
    "campaign_progress": ("p", "name"),
    "call_events": ("e", "event_id"),
}


def campaign_id_of(connection: Connection, campaign: str | None) -> int | None:
    """Return the campaign's id; None where every campaign is meant.

    Raises:
        BadInput: the database has no such campaign; with the nearest name it has.
    """
    if campaign is None:
        return None
    found = connection.scalar(
        text("SELECT campaign_id FROM campaigns WHERE name = :name"), {"name": campaign}
    )
    if found is None:
        names = list(connection.scalars(text("SELECT name FROM campaigns ORDER BY name")))
        hint = did_you_mean(campaign, names) or (f"; it has {', '.join(names[:10])}" if names else "")
        raise BadInput(
            f"campaign '{campaign}' is not in the database{hint}; "
            f"a campaign gets there with: dialer load {campaign}"
        )
    assert isinstance(found, int)
    return found


def view_query(store: Store, view: str, campaign_id: int | None) -> str:
    """Return the SELECT of a view's rows, in the order they were made, with times as microseconds."""
    row, order = ORDERS[view]
    sql = view_sql(view, store.engine.dialect.name, times_as_us=True)
    if campaign_id is not None:
        # With the plus SQLite walks the table in order; by its index it would sort a whole campaign in
        # memory first.
        plus = "+" if store.is_sqlite and row in ("c", "r") else ""
        owner = "l" if row == "e" else row
        sql += f" WHERE {plus}{owner}.campaign_id = {campaign_id:d}"
    return f"{sql} ORDER BY {row}.{order}"
