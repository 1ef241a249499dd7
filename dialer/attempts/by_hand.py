"""What a person says an unknown attempt is, in the ledger; `decide` asks the provider before.

Said twice, or after somebody else has settled the attempt, it changes nothing.
"""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from dialer.base.errors import BadInput
from dialer.store.database import Dialects, Store

BOUND_BY_HAND = "bound by a person"
CONFIRMED = "bound by a person, and known to the provider"
"""Why a contact is `calling` whose attempt a person bound."""

BIND_BY_HAND = Dialects(
    """
    UPDATE ledger SET state = 'accepted', execution_id = :execution_id, next_lookup_at_us = NULL
    WHERE attempt_id = :attempt_id AND state = 'unknown'
    RETURNING contact_id"""
)

CONTACT_CALLING = Dialects(
    """
    UPDATE contacts SET status = 'calling', reason = :reason
    WHERE contact_id = :contact_id AND last_attempt_id = :attempt_id AND status = 'unknown'"""
)

# Only what rests on a person's word alone, and of which the provider has told nothing.
UNBIND_CONTACT = Dialects(
    """
    UPDATE contacts SET status = 'unknown', reason = NULL
    WHERE last_attempt_id = :attempt_id AND status = 'calling' AND reason = :reason
        AND contact_id IN (
            SELECT contact_id FROM ledger WHERE attempt_id = :attempt_id AND state = 'accepted')
    RETURNING contact_id"""
)

UNBIND = Dialects(
    """
    UPDATE ledger SET state = 'unknown', execution_id = NULL, next_lookup_at_us = :now_us
    WHERE attempt_id = :attempt_id AND state = 'accepted'"""
)


def bind_by_hand(store: Store, attempt_id: str, execution_id: str, reason: str = BOUND_BY_HAND) -> None:
    """Write down a person's word that the unknown attempt is this call of the provider.

    The contact keeps the reason, which says whether the provider knows of it: BOUND_BY_HAND or CONFIRMED.

    Raises:
        BadInput: there is no such unknown attempt, or another attempt has that execution id.
    """
    try:
        with store.write() as connection:
            rows = store.execute(connection, BIND_BY_HAND, attempt_id=attempt_id, execution_id=execution_id)
            if not rows:
                raise BadInput(f"{attempt_id} is not an unknown attempt; see: dialer reconcile")
            contact_id = rows[0][0]
            store.execute(
                connection, CONTACT_CALLING, contact_id=contact_id, attempt_id=attempt_id, reason=reason
            )
    except IntegrityError as error:
        raise BadInput(f"execution id {execution_id} belongs to another attempt already") from error


def unbind(store: Store, attempt_id: str) -> None:
    """Make an attempt unknown again that a person bound, where nothing but that word says so."""
    with store.write() as connection:
        if store.execute(connection, UNBIND_CONTACT, attempt_id=attempt_id, reason=BOUND_BY_HAND):
            store.execute(connection, UNBIND, attempt_id=attempt_id, now_us=store.now_us(connection))
