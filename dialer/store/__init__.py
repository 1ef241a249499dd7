"""The results database: tables, views, migrations, one door for SQLite and PostgreSQL."""
