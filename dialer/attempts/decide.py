"""A person's word about an attempt whose fate is not known: checked at the provider, then written down.

| word | refused where the provider |
| --- | --- |
| it is this call | has no such call, or one to another number or of another attempt |
| it was never placed | lists a call that may be it, or may not list it yet |

A person can insist (`insist`), and the provider is not asked. What is bound in that way may be taken back by
either word while no outcome has come: by a call that the provider knows, or where it knows none. Nobody can
insist on taking it back: two people contradict each other then, and only the provider can tell who is right.
Where it cannot, the bound call stands and its contact is not called again, which is the safe mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import anyio

from dialer.attempts import by_hand, settle, unsettled
from dialer.attempts.asking import asking
from dialer.attempts.match import is_proven
from dialer.attempts.unsettled import Finding, Pending
from dialer.base.durations import show_duration
from dialer.base.errors import BadInput, NotReady
from dialer.base.settings import Account
from dialer.providers.abilities import TellsOfOne
from dialer.providers.provider import Execution, OpenAttempt, Provider
from dialer.store.database import Dialects, Store

INSIST = "--force settles it unasked"

DOUBTFUL = Dialects(
    """
    SELECT l.attempt_id, l.phone, l.agent, l.opened_at_us, l.execution_id, l.lookups, l.campaign_id,
        l.contact_id, l.state, coalesce(l.answered_at_us, l.opened_at_us), l.provider_ref,
        campaigns.name, campaigns.state, l.account,
        CASE WHEN contacts.last_attempt_id = l.attempt_id THEN contacts.reason END
    FROM ledger AS l
    JOIN campaigns ON campaigns.campaign_id = l.campaign_id
    JOIN contacts ON contacts.contact_id = l.contact_id
    WHERE l.attempt_id = :attempt_id"""
)


class Doubtful(NamedTuple):
    """An attempt that a person says something of; `bound` says that it is bound by a person's word alone."""

    attempt: Pending
    campaign: str
    campaign_state: str
    account: str
    bound: bool


def doubtful(store: Store, attempt_id: str, campaign: str | None = None) -> Doubtful:
    """Return the attempt that is meant, which must be of the campaign where one is named.

    Raises:
        BadInput: there is none, it is of another campaign, or nothing about it is in doubt.
    """
    with store.read() as connection:
        rows = store.execute(connection, DOUBTFUL, attempt_id=attempt_id)
    if not rows:
        raise BadInput(f"there is no attempt {attempt_id}; see: dialer reconcile")
    attempt, (name, state, account, reason) = Pending(*rows[0][:11]), rows[0][11:]
    if campaign is not None and name != campaign:
        raise BadInput(f"{attempt_id} is of campaign '{name}', not of '{campaign}'; nothing was changed")
    bound = attempt.state == "accepted" and reason == by_hand.BOUND_BY_HAND
    if attempt.state != "unknown" and not bound:
        raise BadInput(
            f"{attempt_id} is not an unknown attempt, it is {attempt.state}; see: dialer reconcile"
        )
    return Doubtful(attempt, name, state, account, bound)


async def bind(
    store: Store, account: Account | None, one: Doubtful, execution_id: str, *, insist: bool = False
) -> str:
    """Write down that the attempt is this call of the provider; return what was done, in a line.

    Where the provider tells of the call, what it tells is written too.

    Raises:
        BadInput: the provider contradicts, or another attempt is this call. Nothing was written.
        NotReady: the provider could not be asked. Nothing was written.
    """
    attempt, call = one.attempt, f"call {execution_id} of account '{one.account}'"
    if insist and one.bound:
        raise BadInput(
            f"{attempt.attempt_id} is bound to call {attempt.execution_id}; without --force the provider is"
            " asked whether it is another"
        )
    if insist:
        by_hand.bind_by_hand(store, attempt.attempt_id, execution_id)
        return f"{attempt.attempt_id} is {call} now; the provider was not asked whether there is such a call"
    database = anyio.CapacityLimiter(1)
    try:
        async with asking(store, _known(account, one), database) as provider:
            records = await _records_of(provider, attempt, execution_id)
    except NotReady as error:
        hint = "" if one.bound else f"; {INSIST}"
        raise NotReady(f"{error}; nothing was written. Say it again later{hint}") from error
    record = _the_call(records, one, execution_id)
    if one.bound:
        by_hand.unbind(store, attempt.attempt_id)
    by_hand.bind_by_hand(store, attempt.attempt_id, execution_id, by_hand.CONFIRMED)
    accepted = attempt._replace(state="accepted", execution_id=execution_id)
    settle.bind(store, [Finding(accepted, record)])
    told = f"it ended: {record.outcome}" if record.outcome else "its outcome is asked for like any other's"
    return f"{attempt.attempt_id} is {call} now, which the provider confirms; {told}"


async def free(store: Store, account: Account | None, one: Doubtful, *, insist: bool = False) -> str:
    """Write down that the attempt was never placed, so that its contact is called again; return it in a line.

    Raises:
        BadInput: the provider lists a call that may be it, or may not list it yet. Nothing was written.
        NotReady: the provider could not be asked. Nothing was written.
    """
    attempt = one.attempt
    if one.bound or not insist:
        try:
            await _refuse_if_placed(store, _known(account, one), one)
        except NotReady as error:
            bound = f"it was bound to call {attempt.execution_id}, which only the provider can deny"
            hint = bound if one.bound else INSIST
            raise NotReady(f"{error}; nothing was written. Say it again later; {hint}") from error
    if one.bound:
        by_hand.unbind(store, attempt.attempt_id)
    if not settle.free(store, [attempt.attempt_id], "a person's word"):
        raise BadInput(f"{attempt.attempt_id} was settled meanwhile; see: dialer reconcile")
    asked = "the provider was not asked" if insist and not one.bound else "the provider knows no such call"
    canceled = one.campaign_state == "canceled"
    then = "is not called, for its campaign was canceled" if canceled else "waits for its call again"
    return f"{attempt.attempt_id} was not placed: its contact {then}; {asked}"


async def _refuse_if_placed(store: Store, account: Account, one: Doubtful) -> None:
    attempt, insist = one.attempt, "" if one.bound else f"; {INSIST}"
    with store.read() as connection:
        age_s = (store.now_us(connection) - attempt.unknown_since_us) / 1e6
    if age_s < account.listing_delay_s:
        raise BadInput(
            f"{attempt.attempt_id} left {show_duration(max(age_s, 0.0))} ago, and the provider may list it"
            f" as late as {show_duration(account.listing_delay_s)} after that: say it again then{insist}"
        )
    database = anyio.CapacityLimiter(1)
    async with asking(store, account, database) as provider:
        records: list[Execution] = []
        if attempt.execution_id is not None:
            records += await _records_of(provider, attempt, attempt.execution_id)
        records += await provider.look_up(attempt._replace(execution_id=None).as_open_attempt())
    bound = unsettled.bound_refs(store, one.account, records)
    found = [
        each.execution_id or each.provider_ref
        for each in records
        if is_proven(attempt, each) or (each.attempt_id is None and each.provider_ref not in bound)
    ]
    if found:
        calls = ", ".join(dict.fromkeys(found))
        raise BadInput(
            f"the provider lists a call that may be {attempt.attempt_id}: {calls}; if it is, say"
            f" --bind {attempt.attempt_id} {found[0]}{insist}"
        )


async def _records_of(provider: Provider, attempt: Pending, execution_id: str) -> list[Execution]:
    """Return what the provider has by this id; by number and time too, where it is asked in no other way."""
    if isinstance(provider, TellsOfOne):
        record = await provider.execution(execution_id)
        return [record] if record is not None else []
    asked = OpenAttempt(attempt.attempt_id, attempt.phone, attempt.agent, attempt.opened_at_us, execution_id)
    found = await provider.look_up(asked)
    return [one for one in found if execution_id in (one.execution_id, one.provider_ref)]


def _the_call(records: Sequence[Execution], one: Doubtful, execution_id: str) -> Execution:
    """Return the provider's record of the call. Raises BadInput: there is none, or it is another's."""
    attempt = one.attempt
    if not records:
        raise BadInput(
            f"the provider knows no call {execution_id} that could be {attempt.attempt_id}; nothing was"
            f" written. If it is one all the same: --force"
        )
    for record in records:
        theirs = record.attempt_id not in (None, attempt.attempt_id)
        if not theirs and record.phone in (None, attempt.phone):
            return record
    raise BadInput(
        f"call {execution_id} went to another number than {attempt.attempt_id}, or is another attempt's;"
        " nothing was written. If the provider is wrong: --force"
    )


def _known(account: Account | None, one: Doubtful) -> Account:
    if account is None:
        raise NotReady(f"account '{one.account}' is not in dialer.toml any more, so it cannot be asked")
    return account
