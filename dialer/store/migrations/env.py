"""Alembic's way in: it runs inside the transaction of `dialer.store.migrate.upgrade`."""

from alembic import context

from dialer.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller began the transaction and commits it
)
context.run_migrations()
