"""Refuse a campaign whose hours are never open for anybody of its list, before anything of it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import polars as pl

from dialer.calls.allowed import Allowed
from dialer.calls.campaigns import find
from dialer.calls.groups import groups_of
from dialer.calls.load import check_lists
from dialer.campaign import Campaign
from dialer.lists import ListFile
from dialer.rules.places import Group
from dialer.rules.rulebook import RuleBook
from dialer.store.database import Store


class _SomebodyMayBeCalled(Exception):
    """There is a contact for whom a window opens: nothing more needs to be read."""


def refuse_if_never_open(store: Store, campaign: Campaign, lists: Sequence[ListFile], book: RuleBook) -> None:
    """Make sure that the campaign's own hours are ever open for somebody, loaded already or in its lists.

    The lists are read as far as the first batch with such a contact: usually that is the first.

    Raises:
        BadInput: they are open for nobody; nothing was written.
    """
    if campaign.hours.week is None:
        return
    with store.read() as connection:
        now_us = store.now_us(connection)
        known = find(store, connection, campaign.name)
        groups = groups_of(store, connection, known.campaign_id) if known is not None else {}
    allowed = Allowed.of(campaign, book, groups)
    if any(allowed.slot(one, now_us) is not None for one in groups):
        return
    keys = {group.key for group in groups.values()}
    ids = count(-1, -1)  # the database gives those above 0

    def look(contacts: pl.DataFrame) -> None:
        new = set(contacts["window_key"].unique()) - keys
        keys.update(new)
        allowed.learn({next(ids): Group.of_key(key) for key in sorted(new)})
        if any(allowed.slot(one, now_us) is not None for one in allowed.groups):
            raise _SomebodyMayBeCalled

    try:
        check_lists(campaign, lists, contacts=look)
    except _SomebodyMayBeCalled:
        return
    allowed.check(now_us)
