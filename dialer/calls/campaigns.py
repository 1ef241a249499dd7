"""Campaigns in the database: registered, started, paused, resumed, canceled, stopped.

idle -> running -> idle          a run begins and ends
        running -> stopped       by a breaker or the provider; the next run goes on
any  -> paused -> idle           by a person; only a person resumes
any  -> canceled                 by a person, for good
"""

from __future__ import annotations

from typing import NamedTuple

import orjson
from sqlalchemy import Connection, text

from dialer.base.errors import BadInput, Stopped
from dialer.campaign import Campaign
from dialer.store.database import Dialects, Store

REGISTER = Dialects(
    """
    INSERT INTO campaigns (name, account, spec, created_at_us, changed_at_us)
    VALUES (:name, :account, :spec, :now_us, :now_us)
    ON CONFLICT (name) DO UPDATE SET account = :account, spec = :spec
    RETURNING campaign_id, name, account, state, reason"""
)

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


class KnownCampaign(NamedTuple):
    """A campaign as the database has it."""

    campaign_id: int
    name: str
    account: str
    state: str
    reason: str | None


def register(store: Store, connection: Connection, campaign: Campaign) -> KnownCampaign:
    """Write down what the campaign's file says now; return it with its id and state."""
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
    store.execute(connection, END_REDIALS, campaign_id=known.campaign_id, calls_max=calls_max)
    return known


def find(store: Store, connection: Connection, name: str) -> KnownCampaign | None:
    """Return the campaign, or None where nothing of it was ever loaded."""
    rows = store.execute(connection, FIND, name=name)
    return KnownCampaign(*rows[0]) if rows else None


def start(store: Store, connection: Connection, known: KnownCampaign) -> None:
    """Let the campaign run.

    Raises:
        Stopped: a person paused it.
        BadInput: it was canceled.
    """
    refuse_unless_startable(known)
    _change(store, connection, known.name, "running", None)


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
    """Take a pause back; the next `dialer run` or worker goes on."""
    with store.write() as connection:
        known = _known(store, connection, name)
        if known.state == "canceled":
            raise BadInput(f"campaign '{name}' was canceled, for good; copy its folder under a new name")
        if known.state != "paused":
            return known
        return _change(store, connection, name, "idle", None)


def cancel(store: Store, name: str, reason: str) -> KnownCampaign:
    """End the campaign for good: nobody who waits will be called; open calls still get their outcome."""
    with store.write() as connection:
        known = _change(store, connection, _known(store, connection, name).name, "canceled", reason)
        store.execute(connection, CANCEL_WAITING, campaign_id=known.campaign_id)
        return known


def stop(store: Store, connection: Connection, name: str, reason: str) -> None:
    """Write down that a breaker or the provider stopped the campaign, unless a person ended it before."""
    _change(store, connection, name, "stopped", reason, only_from="running")


def end_run(store: Store, connection: Connection, name: str) -> None:
    """Write down that the run ended; a pause, a stop or a cancellation stays."""
    _change(store, connection, name, "idle", None, only_from="running")


def redialing(store: Store) -> set[int]:
    """Return the campaigns that want calls which are not found at the provider dialled again."""
    with store.read() as connection:
        rows = connection.execute(text("SELECT campaign_id, spec FROM campaigns"))
        return {row[0] for row in rows if orjson.loads(row[1]).get("on_unknown") == "redial"}


def settle_canceled(store: Store, connection: Connection, known: KnownCampaign) -> None:
    """Cancel what returned to `waiting` after the campaign was canceled."""
    store.execute(connection, CANCEL_WAITING, campaign_id=known.campaign_id)


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
