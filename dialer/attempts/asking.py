"""An account opened only to be asked: within its pace, beside whoever dials with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread

from dialer.attempts.pace import account_row
from dialer.attempts.pace.limits import shared_pace
from dialer.base.clock import SystemClock
from dialer.base.ids import new_worker_id
from dialer.base.settings import Account
from dialer.providers.open import open_account
from dialer.providers.provider import Provider
from dialer.store.database import Store


@asynccontextmanager
async def asking(store: Store, account: Account, database: anyio.CapacityLimiter) -> AsyncIterator[Provider]:
    """Open the account's provider; its requests count towards the account's limits.

    Raises:
        BadInput, NotReady: the account cannot be used.
    """
    clock, worker = SystemClock(), new_worker_id()
    pace = shared_pace(store, account, clock, lambda: worker, database)
    account_row.ensure_account(store, account.name)
    try:
        async with open_account(account, clock, pace.request) as provider:
            yield provider
    finally:
        await pace.aclose()
