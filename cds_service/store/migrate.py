"""Brings the tables to their present form, one process at a time."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

_LOCK = 0x6D79656C6F6D61  # of PostgreSQL's advisory locks: any number that nobody else takes


class TooNew(Exception):
    """The tables were made by a later version of this service."""


def migrate(connection: Connection) -> None:
    """Brings the tables up to date within the transaction that ``connection`` is in.

    Waits for another process that does the same: on SQLite the transaction itself is the lock (it has to be
    begun as a writing one), on PostgreSQL an advisory lock that ends with it. Raises TooNew.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    there = MigrationContext.configure(connection).get_current_revision()
    if there == scripts.get_current_head():
        return
    if there is not None and there not in {script.revision for script in scripts.walk_revisions()}:
        raise TooNew
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
