"""Runs of campaigns: started by what, when, why they ended, with what figures; one per due time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from dialer.store.database import Dialects, Store

BEGIN = Dialects(
    """
    INSERT INTO campaign_runs (campaign, started_by, due_at_us, started_at_us, ended_at_us, ended)
    VALUES (:campaign, :started_by, :due_at_us, :now_us, CAST(:ended_at_us AS bigint), :ended)
    ON CONFLICT DO NOTHING
    RETURNING run_id"""
)

FINISH = Dialects(
    """
    UPDATE campaign_runs SET ended_at_us = :now_us, ended = :ended, exit_code = :exit_code, figures = :figures
    WHERE run_id = :run_id AND ended_at_us IS NULL"""
)

LAST_DUE = Dialects("SELECT max(due_at_us) FROM campaign_runs WHERE campaign = :campaign")

LATEST = Dialects(
    """
    SELECT run_id, campaign, started_by, due_at_us, started_at_us, ended_at_us, ended, exit_code, figures
    FROM campaign_runs WHERE :campaign = '*' OR campaign = :campaign ORDER BY run_id DESC LIMIT :most"""
)

SKIPPED = "skipped"


class RunRecord(NamedTuple):
    """One run as it is recorded; `due_at_us` where cron began it, `figures` as JSON once it ended."""

    run_id: int
    campaign: str
    started_by: str
    due_at_us: int | None
    started_at_us: int
    ended_at_us: int | None
    ended: str | None
    exit_code: int | None
    figures: str | None


def begin(store: Store, campaign: str, started_by: str, due_at_us: int | None = None) -> int | None:
    """Record that a run begins; return its id, or None where another process took this due time already."""
    with store.write() as connection:
        rows = store.execute(
            connection,
            BEGIN,
            campaign=campaign,
            started_by=started_by,
            due_at_us=due_at_us,
            now_us=store.now_us(connection),
            ended_at_us=None,
            ended=None,
        )
    return rows[0][0] if rows else None


def skip(store: Store, campaign: str, started_by: str, due_at_us: int, why: str) -> bool:
    """Record that the run of a due time is skipped; False where another process took the due time."""
    with store.write() as connection:
        now_us = store.now_us(connection)
        rows = store.execute(
            connection,
            BEGIN,
            campaign=campaign,
            started_by=started_by,
            due_at_us=due_at_us,
            now_us=now_us,
            ended_at_us=now_us,
            ended=f"{SKIPPED}: {why}",
        )
    return bool(rows)


def finish(store: Store, run_id: int, ended: str, exit_code: int, figures: Mapping[str, Any]) -> None:
    """Record why a run ended; said twice, the first counts."""
    with store.write() as connection:
        store.execute(
            connection,
            FINISH,
            run_id=run_id,
            now_us=store.now_us(connection),
            ended=ended,
            exit_code=exit_code,
            figures=orjson.dumps(dict(figures)).decode(),
        )


def last_due(store: Store, campaign: str) -> int | None:
    """Return the latest due time that was taken, UTC microseconds."""
    with store.read() as connection:
        at_us: int | None = store.execute(connection, LAST_DUE, campaign=campaign)[0][0]
        return at_us


def latest(store: Store, campaign: str = "*", most: int = 20) -> list[RunRecord]:
    """Return the newest runs, of one campaign or of all (`*`)."""
    with store.read() as connection:
        rows: list[Any] = store.execute(connection, LATEST, campaign=campaign, most=most)
        return [RunRecord(*row) for row in rows]
