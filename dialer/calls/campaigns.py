"""Campaigns in the database: registered, started, paused, resumed, canceled, stopped.

idle -> running -> idle          a run begins and the last run of it ends, or is killed
any  -> running                  a person lets workers dial it (`dialer worker NAME`, `dialer resume`)
        running -> stopped       by a breaker or the provider; the next run, or a person, goes on
any  -> paused -> running        by a person; only a person resumes
any  -> canceled                 by a person, for good
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, text

from dialer.base.errors import BadInput, Stopped
from dialer.campaign import Campaign
from dialer.store.database import Dialects, Store, as_rows

TEST_CALL = "dialer test-call"
"""Who began a run that calls one number, once."""
RUN_DIED = "its run ended without a word; to go on: dialer run"

REGISTER = Dialects(
    """
    INSERT INTO campaigns (name, account, spec, created_at_us, changed_at_us)
    VALUES (:name, :account, :spec, :now_us, :now_us)
    ON CONFLICT (name) DO UPDATE SET account = :account, spec = :spec
    RETURNING campaign_id, name, account, state, reason"""
)

SPEC = Dialects("SELECT spec FROM campaigns WHERE name = :name")

SPEC_OF = Dialects("SELECT spec FROM campaigns WHERE campaign_id = :campaign_id")

# Contacts that wait for a further call, and the file allows it no more.
END_REDIALS = Dialects(
    """
    UPDATE contacts SET status = 'done'
    WHERE campaign_id = :campaign_id AND status = 'waiting' AND next_call_at_us > 0
        AND calls > 0 AND calls >= :calls_max + calls_granted"""
)

FIND = Dialects("SELECT campaign_id, name, account, state, reason FROM campaigns WHERE name = :name")

CANCEL_WAITING = Dialects(
    """
    UPDATE contacts SET status = 'canceled', reason = 'the campaign was canceled'
    WHERE campaign_id = :campaign_id AND status = 'waiting'"""
)


STOP = Dialects(
    """
    UPDATE campaigns SET state = 'stopped', reason = :reason, changed_at_us = :now_us
    WHERE campaign_id = :campaign_id AND state = 'running'"""
)

END_RUN = Dialects(
    """
    UPDATE campaigns SET state = 'idle', reason = NULL, changed_at_us = :now_us
    WHERE name = :name AND state = 'running' AND for_workers = 0
        AND NOT EXISTS (SELECT 1 FROM workers
            WHERE workers.campaign_id = campaigns.campaign_id AND workers.state = 'alive'
                AND workers.worker <> :worker)"""
)

# A run's campaign is dialed for as long as a run of it lives; one that workers were given, without any.
NOT_FOR_WORKERS = """campaigns.for_workers = 0
        AND NOT EXISTS (SELECT 1 FROM campaign_runs WHERE campaign_runs.campaign = campaigns.name
            AND campaign_runs.started_by = 'dialer worker' AND campaign_runs.ended_at_us IS NULL)"""

RUNNING = Dialects(
    f"""
    SELECT campaign_id, name, account, spec FROM campaigns
    WHERE state = 'running' AND (EXISTS (SELECT 1 FROM workers
            WHERE workers.campaign_id = campaigns.campaign_id AND workers.state = 'alive')
        OR NOT ({NOT_FOR_WORKERS}))"""
)

# What is left of a test call that was killed must not be called by anybody later.
END_DEAD_RUNS = Dialects(
    f"""
    UPDATE campaigns SET changed_at_us = :now_us,
        state = CASE WHEN EXISTS (SELECT 1 FROM campaign_runs WHERE campaign_runs.campaign = campaigns.name
            AND campaign_runs.started_by = '{TEST_CALL}') THEN 'canceled' ELSE 'idle' END,
        reason = :reason
    WHERE state = 'running' AND campaign_id IN (SELECT r.id FROM ROWS(id bigint) AS r)
        AND {NOT_FOR_WORKERS}
        AND NOT EXISTS (SELECT 1 FROM workers
            WHERE workers.campaign_id = campaigns.campaign_id AND workers.state = 'alive')"""
)

GO_ON = Dialects(
    """
    UPDATE campaigns SET state = 'running', reason = NULL, changed_at_us = :now_us
    WHERE campaign_id = :campaign_id AND state = 'idle' AND reason = :reason"""
)

# What returned after its campaign was canceled, whichever way it came back.
SETTLE_CANCELED = Dialects(
    """
    UPDATE contacts SET status = 'canceled', reason = 'the campaign was canceled'
    WHERE status = 'waiting'
        AND campaign_id IN (SELECT campaign_id FROM campaigns WHERE state = 'canceled')"""
)

TAKE_PACE = Dialects(
    """
    UPDATE campaigns SET pace_worker = :worker
    WHERE campaign_id = :campaign_id AND (pace_worker IS NULL OR pace_worker = :worker
        OR pace_worker NOT IN (SELECT worker FROM workers WHERE state = 'alive'))
    RETURNING campaign_id"""
)

KEEP = text("UPDATE campaigns SET for_workers = :kept WHERE name = :name")


class KnownCampaign(NamedTuple):
    """A campaign as the database has it."""

    campaign_id: int
    name: str
    account: str
    state: str
    reason: str | None


def register(store: Store, connection: Connection, campaign: Campaign) -> KnownCampaign:
    """Write down what the campaign's file says now; return it with its id and state."""
    before = store.execute(connection, SPEC, name=campaign.name)
    rows = store.execute(
        connection,
        REGISTER,
        name=campaign.name,
        account=campaign.call.account,
        spec=campaign.model_dump_json(),
        now_us=store.now_us(connection),
    )
    known = KnownCampaign(*rows[0])
    calls_max = campaign.redial.calls_max
    if before and calls_max < ((orjson.loads(before[0][0]).get("redial") or {}).get("calls_max") or 1):
        store.execute(connection, END_REDIALS, campaign_id=known.campaign_id, calls_max=calls_max)
    return known


def find(store: Store, connection: Connection, name: str) -> KnownCampaign | None:
    """Return the campaign, or None where nothing of it was ever loaded."""
    rows = store.execute(connection, FIND, name=name)
    return KnownCampaign(*rows[0]) if rows else None


def start(store: Store, connection: Connection, known: KnownCampaign, *, for_workers: bool = False) -> None:
    """Let the campaign run: for as long as a run of it lasts or, `for_workers`, until a person ends it.

    Raises:
        Stopped: a person paused it.
        BadInput: it was canceled.
    """
    refuse_unless_startable(known)
    if known.state != "running":
        _change(store, connection, known.name, "running", None)
        _keep(connection, known.name, for_workers)
    elif for_workers:
        _keep(connection, known.name, True)


def refuse_unless_startable(known: KnownCampaign) -> None:
    """Raise Stopped or BadInput where a person paused or canceled the campaign."""
    if known.state == "paused":
        raise Stopped(f"campaign '{known.name}' is paused; to go on: dialer resume {known.name}")
    if known.state == "canceled":
        raise BadInput(f"campaign '{known.name}' was canceled, for good; copy its folder under a new name")


def pause(store: Store, name: str, reason: str) -> KnownCampaign:
    """Stop claiming on every worker within seconds; calls in the air are waited for."""
    with store.write() as connection:
        known = _known(store, connection, name)
        if known.state == "canceled":
            raise BadInput(f"campaign '{name}' was canceled, there is nothing to pause")
        return _change(store, connection, name, "paused", reason)


def resume(store: Store, name: str) -> KnownCampaign:
    """Let workers, or the next `dialer run`, dial it: after a pause, a stop or for the first time."""
    with store.write() as connection:
        known = _known(store, connection, name)
        if known.state == "canceled":
            raise BadInput(f"campaign '{name}' was canceled, for good; copy its folder under a new name")
        _keep(connection, name, True)
        return known if known.state == "running" else _change(store, connection, name, "running", None)


def cancel(store: Store, name: str, reason: str) -> KnownCampaign:
    """End the campaign for good: nobody who waits will be called; open calls still get their outcome."""
    with store.write() as connection:
        known = _change(store, connection, _known(store, connection, name).name, "canceled", reason)
        store.execute(connection, CANCEL_WAITING, campaign_id=known.campaign_id)
        return known


def stop(store: Store, connection: Connection, campaign_id: int, reason: str) -> None:
    """Write down that a breaker or the provider stopped the campaign, unless a person ended it before."""
    store.execute(connection, STOP, campaign_id=campaign_id, reason=reason, now_us=store.now_us(connection))


def end_run(store: Store, connection: Connection, name: str, worker: str) -> None:
    """Write down that a run ended; what workers or another run still dial goes on.

    A pause, a stop or a cancellation stays.
    """
    store.execute(connection, END_RUN, name=name, worker=worker, now_us=store.now_us(connection))


def end_dead_runs(store: Store, connection: Connection, campaign_ids: Iterable[int]) -> None:
    """Write down that runs were killed: nobody dials on what no worker was given."""
    rows = as_rows([one] for one in sorted(campaign_ids))
    store.execute(connection, END_DEAD_RUNS, rows=rows, reason=RUN_DIED, now_us=store.now_us(connection))


def go_on(store: Store, connection: Connection, campaign_id: int) -> None:
    """Let a run's campaign run where the run was only taken for dead."""
    now_us = store.now_us(connection)
    store.execute(connection, GO_ON, campaign_id=campaign_id, reason=RUN_DIED, now_us=now_us)


class RunningCampaign(NamedTuple):
    """A campaign that may be dialed, with what its file said when it was started."""

    campaign_id: int
    name: str
    account: str
    spec: str


def running(store: Store) -> list[RunningCampaign]:
    """Return every campaign that may be dialed now."""
    with store.read() as connection:
        return [RunningCampaign(*row) for row in store.execute(connection, RUNNING)]


def spec_of(store: Store, connection: Connection, campaign_id: int) -> str:
    """Return what the campaign's file said when it was registered last."""
    spec: str = store.execute(connection, SPEC_OF, campaign_id=campaign_id)[0][0]
    return spec


def take_pace(store: Store, campaign_id: int, worker: str) -> bool:
    """Become the one worker that dials a campaign with a pace of its own; False while another one lives."""
    with store.write() as connection:
        return bool(store.execute(connection, TAKE_PACE, campaign_id=campaign_id, worker=worker))


def redialing(store: Store) -> set[int]:
    """Return the campaigns that want calls which are not found at the provider dialled again."""
    with store.read() as connection:
        rows = connection.execute(text("SELECT campaign_id, spec FROM campaigns"))
        return {row[0] for row in rows if orjson.loads(row[1]).get("on_unknown") == "redial"}


def settle_if_canceled(store: Store, name: str) -> None:
    """Cancel what returned to `waiting` after the campaign was canceled, if it was."""
    with store.write() as connection:
        known = find(store, connection, name)
        if known is not None and known.state == "canceled":
            settle_canceled(store, connection, known)


def settle_canceled(store: Store, connection: Connection, known: KnownCampaign) -> None:
    """Cancel what returned to `waiting` after the campaign was canceled."""
    store.execute(connection, CANCEL_WAITING, campaign_id=known.campaign_id)


def settle_all_canceled(store: Store, connection: Connection) -> None:
    """Cancel what returned to `waiting` in whichever campaign that was canceled."""
    store.execute(connection, SETTLE_CANCELED)


def _keep(connection: Connection, name: str, kept: bool) -> None:
    connection.execute(KEEP, {"name": name, "kept": int(kept)})


def _known(store: Store, connection: Connection, name: str) -> KnownCampaign:
    known = find(store, connection, name)
    if known is None:
        raise BadInput(f"campaign '{name}' is not in the database; it gets there with: dialer load {name}")
    return known


def _change(
    store: Store,
    connection: Connection,
    name: str,
    state: str,
    reason: str | None,
    only_from: str | None = None,
) -> KnownCampaign:
    connection.execute(
        text(
            "UPDATE campaigns SET state = :state, reason = :reason, changed_at_us = :now_us"
            " WHERE name = :name AND state = coalesce(CAST(:only_from AS text), state)"
        ),
        {
            "state": state,
            "reason": reason,
            "name": name,
            "only_from": only_from,
            "now_us": store.now_us(connection),
        },
    )
    return _known(store, connection, name)
