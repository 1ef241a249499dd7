"""Write the conditions of SQLite's indexes of open and live attempts so that keeping them costs a third."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

OPEN = "+(state = 'sending' OR state = 'unknown' OR state = 'accepted')"
LIVE = "+(state = 'sending' OR state = 'unknown' OR state = 'accepted' OR state = 'ended')"

INDEXES = (
    ("ledger_one_open_per_phone", ["phone"], True, OPEN),
    ("ledger_one_live_per_call", ["contact_id", "call_number"], True, LIVE),
    ("ledger_open", ["account", "opened_at_us"], False, OPEN),
    ("ledger_calls_of_phone", ["phone", "opened_at_us"], False, LIVE),
    ("ledger_spent", ["campaign_id", "cost"], False, LIVE),
)


def upgrade() -> None:
    """Make the indexes anew; PostgreSQL keeps its own as they are."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for name, columns, unique, where in INDEXES:
        op.drop_index(name, table_name="ledger")
        op.create_index(name, "ledger", columns, unique=unique, sqlite_where=sa.text(where))
