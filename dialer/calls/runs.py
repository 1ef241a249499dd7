"""Runs of campaigns: started by what, when, why they ended, with what figures; one per due time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from dialer.base.ids import first_attempt_id
from dialer.store.database import Dialects, Store, as_rows
from dialer.store.tables import OPEN

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
    WHERE run_id = :run_id AND (ended_at_us IS NULL OR ended = :interrupted)"""
)

# A run has a process: not those that workers dial, which the next worker goes on with. Of several workers
# (one process, under a new name after each silence) one that left outdoes those that were given up.
DEAD_RUNS = Dialects(
    """
    SELECT r.run_id, r.campaign, r.started_at_us, campaigns.campaign_id, gone.state, gone.seen_at_us
    FROM campaign_runs AS r
    LEFT JOIN campaigns ON campaigns.name = r.campaign
    LEFT JOIN (SELECT run_id, max(state) AS state, max(seen_at_us) AS seen_at_us FROM workers
        WHERE run_id IS NOT NULL GROUP BY run_id) AS gone ON gone.run_id = r.run_id
    WHERE r.ended_at_us IS NULL AND r.started_by <> :by_workers
        AND NOT EXISTS (SELECT 1 FROM workers WHERE workers.run_id = r.run_id AND workers.state = 'alive')
        AND (:alone = 1 OR gone.state = 'dead' OR coalesce(gone.seen_at_us, r.started_at_us) < :settled_us)"""
)

DONE_BY = Dialects(
    """
    SELECT max(coalesce(sent_at_us, opened_at_us)), count(*),
        count(*) FILTER (WHERE state IN ('accepted', 'ended')),
        count(*) FILTER (WHERE state = 'ended'), count(*) FILTER (WHERE state = 'unknown'), sum(cost)
    FROM ledger WHERE attempt_id >= :first AND campaign_id = :campaign_id
        AND worker IN (SELECT worker FROM workers WHERE run_id = :run_id)"""
)

END_DEAD = Dialects(
    """
    UPDATE campaign_runs SET ended_at_us = :seen_at_us, ended = :interrupted, figures = :figures
    WHERE run_id = :run_id AND ended_at_us IS NULL"""
)

GO_ON = Dialects(
    """
    UPDATE campaign_runs SET ended_at_us = NULL, ended = NULL, figures = NULL
    WHERE run_id = :run_id AND ended = :interrupted"""
)

LAST_DUE = Dialects("SELECT max(due_at_us) FROM campaign_runs WHERE campaign = :campaign")

RELEASE = Dialects("DELETE FROM campaign_runs WHERE run_id = :run_id AND due_at_us IS NOT NULL")

# Once per campaign, and only until its first due time is taken: from then on that says what was seen.
WAIT = Dialects(
    """
    INSERT INTO campaign_runs (campaign, started_by, started_at_us, ended_at_us, ended, exit_code)
    SELECT r.campaign, r.started_by, r.now_us, r.now_us, r.ended, 75
    FROM ROWS(campaign text, started_by text, ended text, now_us bigint) AS r
    WHERE NOT EXISTS (SELECT 1 FROM campaign_runs AS had WHERE had.campaign = r.campaign
        AND (had.due_at_us IS NOT NULL OR had.ended LIKE 'waits: %'))"""
)

FIRST_WAIT = Dialects(
    """
    SELECT min(started_at_us) FROM campaign_runs WHERE campaign = :campaign AND ended LIKE 'waits: %'"""
)

LATEST = Dialects(
    """
    SELECT run_id, campaign, started_by, due_at_us, started_at_us, ended_at_us, ended, exit_code, figures
    FROM campaign_runs WHERE :campaign = '*' OR campaign = :campaign ORDER BY run_id DESC LIMIT :most"""
)

WORKERS = Dialects("SELECT 1 FROM workers WHERE run_id IS NULL AND campaign_id IS NULL LIMIT 1")

# Runs that workers dial: who waits, is leased or has an open call, and whether a later run has begun.
OPEN_RUNS = Dialects(
    f"""
    SELECT r.run_id, r.campaign, r.started_at_us, campaigns.state, campaigns.reason, campaigns.campaign_id,
        EXISTS (SELECT 1 FROM contacts WHERE contacts.campaign_id = campaigns.campaign_id
            AND contacts.status = 'waiting')
        OR EXISTS (SELECT 1 FROM contacts WHERE contacts.campaign_id = campaigns.campaign_id
            AND contacts.status = 'leased')
        OR EXISTS (SELECT 1 FROM ledger WHERE ledger.account = campaigns.account
            AND ledger.campaign_id = campaigns.campaign_id AND {OPEN} AND ledger.state <> 'unknown'),
        EXISTS (SELECT 1 FROM campaign_runs AS later WHERE later.campaign = r.campaign
            AND later.run_id > r.run_id AND later.started_by = r.started_by AND later.ended IS NULL)
    FROM campaign_runs AS r JOIN campaigns ON campaigns.name = r.campaign
    WHERE r.started_by = :started_by AND r.ended_at_us IS NULL"""
)

# Attempt ids begin with their time: a run's are one range of the primary key.
FIGURES = Dialects(
    """
    SELECT count(*), count(*) FILTER (WHERE state IN ('accepted', 'ended')),
        count(*) FILTER (WHERE state = 'ended'), count(*) FILTER (WHERE state = 'unknown'), sum(cost)
    FROM ledger WHERE attempt_id >= :first AND campaign_id = :campaign_id"""
)

SKIPPED = "skipped"
WAITS = "waits"
ALL_DONE = "everybody is done"
INTERRUPTED = "interrupted: its process ended without a word"
"""How a run ended whose process was killed; its end is when it was last known to live."""
BY_WORKERS = "dialer worker"
FIGURES_NAMES = ("submitted", "accepted", "ended_calls", "unknown", "cost")
SETTLES_US = 60_000_000
"""A run that a worker began is not ended so soon: its list may still be on its way."""


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


def wait(store: Store, campaign: str, started_by: str, why: str, run_id: int | None = None) -> None:
    """Record that a due run must wait; the due time of `run_id`, if it was taken, is free again."""
    with store.write() as connection:
        if run_id is not None:
            store.execute(connection, RELEASE, run_id=run_id)
        row = (campaign, started_by, f"{WAITS}: {why}", store.now_us(connection))
        store.execute(connection, WAIT, rows=as_rows([row]))


def finish(store: Store, run_id: int, ended: str, exit_code: int, figures: Mapping[str, Any]) -> None:
    """Record why a run ended; said twice, the first counts, unless it was only taken for dead."""
    with store.write() as connection:
        store.execute(
            connection,
            FINISH,
            run_id=run_id,
            now_us=store.now_us(connection),
            ended=ended,
            exit_code=exit_code,
            figures=orjson.dumps(dict(figures)).decode(),
            interrupted=INTERRUPTED,
        )


def end_dead(store: Store, connection: Connection, *, alone: bool = False) -> list[tuple[str, int]]:
    """End the runs whose process is gone, at the moment it was last known to live; return campaigns and ids.

    `alone` says that no other process can dial. A process that had not begun to dial, or that had left and
    did not come to say so, is given a minute.
    """
    ended = []
    found = store.execute(
        connection,
        DEAD_RUNS,
        by_workers=BY_WORKERS,
        alone=int(alone),
        settled_us=store.now_us(connection) - SETTLES_US,
    )
    for run_id, campaign, started_at_us, campaign_id, state, seen_at_us in found:
        moments, figures = [started_at_us, seen_at_us], None
        if state is not None:
            first = first_attempt_id(started_at_us)
            [(sent_at_us, *counts)] = store.execute(
                connection, DONE_BY, first=first, campaign_id=campaign_id, run_id=run_id
            )
            moments.append(sent_at_us)
            figures = orjson.dumps(dict(zip(FIGURES_NAMES, counts, strict=True))).decode()
        seen_at_us = max(moment for moment in moments if moment is not None)
        store.execute(
            connection,
            END_DEAD,
            run_id=run_id,
            seen_at_us=seen_at_us,
            interrupted=INTERRUPTED,
            figures=figures,
        )
        ended.append((campaign, run_id))
    return ended


def go_on(store: Store, connection: Connection, run_id: int) -> None:
    """Take back that a run ended: its process was silent for longer than its lease, and lives."""
    store.execute(connection, GO_ON, run_id=run_id, interrupted=INTERRUPTED)


class Over(NamedTuple):
    """A run of workers that has nothing left to do: why, its exit code and its figures."""

    run_id: int
    campaign: str
    ended: str
    exit_code: int
    figures: Mapping[str, Any]


def over(store: Store, started_by: str) -> list[Over]:
    """Return the runs that are over: everybody is done, a person or a breaker ended it, or the next began."""
    found = []
    with store.read() as connection:
        now_us = store.now_us(connection)
        for row in store.execute(connection, OPEN_RUNS, started_by=started_by):
            run_id, campaign, started_at_us, state, reason, campaign_id, left, followed = row
            if followed:
                ended, exit_code = "the next run has begun", 0
            elif state in ("paused", "stopped", "canceled"):
                ended, exit_code = reason or state, 3
            elif state == "running" and not left and now_us - started_at_us > SETTLES_US:
                ended, exit_code = ALL_DONE, 0
            else:
                continue
            first = first_attempt_id(started_at_us)
            counts = store.execute(connection, FIGURES, first=first, campaign_id=campaign_id)[0]
            figures = dict(zip(FIGURES_NAMES, counts, strict=True))
            found.append(Over(run_id, campaign, ended, exit_code, figures))
    return found


def last_due(store: Store, campaign: str) -> int | None:
    """Return the latest due time that was taken, UTC microseconds."""
    with store.read() as connection:
        at_us: int | None = store.execute(connection, LAST_DUE, campaign=campaign)[0][0]
        return at_us


def first_wait(store: Store, campaign: str) -> int | None:
    """Return when the campaign was first due and had to wait; None where it never was."""
    with store.read() as connection:
        at_us: int | None = store.execute(connection, FIRST_WAIT, campaign=campaign)[0][0]
        return at_us


def had_workers(store: Store) -> bool:
    """Return whether anybody dialed by `dialer worker`: what it dials on its own is in no record."""
    with store.read() as connection:
        return bool(store.execute(connection, WORKERS))


def latest(store: Store, campaign: str = "*", most: int = 20) -> list[RunRecord]:
    """Return the newest runs, of one campaign or of all (`*`)."""
    with store.read() as connection:
        rows: list[Any] = store.execute(connection, LATEST, campaign=campaign, most=most)
        return [RunRecord(*row) for row in rows]
