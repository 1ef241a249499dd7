"""Views -> polars frames, the same dtypes from both databases.

Times are Datetime("us", "UTC"), whole numbers Int64, other numbers Float64, all else String; an empty
frame has them too. Rows come in the order in which they were made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import polars as pl
from sqlalchemy import make_url

from dialer.base.errors import BadInput, NotReady
from dialer.base.words import did_you_mean
from dialer.store.database import Store
from dialer.tables.query import campaign_id_of, view_query

ROWS_AT_ONCE = 50_000

TIME = pl.Datetime("us", "UTC")

COLUMNS = {
    "contacts": """
        campaign contact_id list_id phone region phone_type phone_extension other_phones repaired time_zones
        status reason calls next_call_at list_file list_row metadata""",
    "outcomes": """
        campaign contact_id list_id phone region phone_type time_zone status reason calls account provider
        execution_id outcome disposition duration_s cost currency first_called_at last_called_at next_call_at
        list_file list_row metadata""",
    "attempts": """
        attempt_id campaign contact_id phone call_number attempt_number account provider agent from_number
        state execution_id http_status error_code error sent_at answered_at ended_at outcome disposition
        duration_s cost currency recording_url transcript time_zone time_zone_from local_time rules worker
        sentiment caps""",
    "rejects": "campaign list_file list_row list_line column raw reason detail suggestion row",
    "rejects_to_mend": """
        campaign list_file list_row list_line column raw reason detail suggestion row reject_id""",
    "campaign_progress": """
        campaign state reason rows_read accepted rejected duplicate waiting calling unknown done refused
        suppressed canceled attempts answered pick_up_rate cost first_call_at last_call_at
        finish_estimate_at""",
    "call_events": """
        campaign event_id account provider delivery_id execution_id attempt_id received_at applied_at kind
        body result""",
}
WHOLE_NUMBERS = """
    contact_id event_id calls call_number attempt_number http_status list_row list_line rows_read accepted
    rejected duplicate waiting calling unknown done refused suppressed canceled attempts answered"""
NUMBERS = "duration_s cost pick_up_rate"


def _kind(column: str) -> pl.DataType:
    if column.endswith("_at"):
        return TIME
    if column in WHOLE_NUMBERS.split():
        return pl.Int64()
    return pl.Float64() if column in NUMBERS.split() else pl.String()


SCHEMAS = {
    view: pl.Schema({column: _kind(column) for column in columns.split()})
    for view, columns in COLUMNS.items()
}
"""Each view's columns and their dtypes."""


def read_view(store: Store, view: str, campaign: str | None = None) -> pl.DataFrame:
    """Return the rows of a view (a key of SCHEMAS), of one campaign or of all.

    Raises:
        BadInput: there is no such view, or no such campaign.
    """
    batches = list(read_view_batches(store, view, campaign))
    return pl.concat([pl.DataFrame(schema=SCHEMAS[view]), *batches], rechunk=True)


def read_view_batches(
    store: Store, view: str, campaign: str | None = None, *, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a view in frames of at most `rows_at_once`, all of one state of the database.

    Memory stays bounded by one frame, however many rows there are; where there are none, nothing comes.

    Raises:
        BadInput: there is no such view, or no such campaign; before the first frame.
    """
    if view not in SCHEMAS:
        raise BadInput(
            f"there is no view '{view}'{did_you_mean(view, SCHEMAS)}, expected one of {', '.join(SCHEMAS)}"
        )
    with store.read() as connection:
        campaign_id = campaign_id_of(connection, campaign)
    yield from read_sql(store, view_query(store, view, campaign_id), SCHEMAS[view], rows_at_once)


def read_sql(
    store: Store, query: str, schema: pl.Schema, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[pl.DataFrame]:
    """Yield what `query` returns, in the schema's dtypes, by the fastest way of the store's database.

    The query holds no parameters; times come as microseconds.
    """
    frames = _from_sqlite if store.is_sqlite else _from_postgresql
    for frame in frames(store, query, schema, rows_at_once):
        yield frame.with_columns(pl.col(name).cast(kind) for name, kind in schema.items() if kind == TIME)


def _from_sqlite(store: Store, query: str, schema: pl.Schema, rows_at_once: int) -> Iterator[pl.DataFrame]:
    """Read through the store's own connection.

    Never by ADBC: it brings a SQLite library of its own, and when a process has two of them open on one
    file, closing the one drops the locks of the other.
    """
    with store.read() as connection, closing(connection.connection.cursor()) as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(rows_at_once):
            yield pl.DataFrame(rows, schema=_plain(schema), orient="row", strict=False)


def _from_postgresql(
    store: Store, query: str, schema: pl.Schema, rows_at_once: int
) -> Iterator[pl.DataFrame]:
    """Read by ADBC, which makes columns of a binary COPY, 16 MB at a time, and no Python objects."""
    from adbc_driver_postgresql import dbapi

    url = make_url(store.url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with dbapi.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            for batch in cursor.fetch_record_batch():
                frame = pl.DataFrame(batch).cast(_plain(schema))
                yield from frame.iter_slices(rows_at_once)
    except dbapi.OperationalError as error:
        shown = make_url(store.url).render_as_string(hide_password=True)
        raise NotReady(f"database {shown}: {str(error).splitlines()[0]}") from error


def _plain(schema: pl.Schema) -> pl.Schema:
    return pl.Schema({name: pl.Int64() if kind == TIME else kind for name, kind in schema.items()})
