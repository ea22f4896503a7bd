"""The database: SQLite in WAL mode or PostgreSQL, reached so that a commit that returned survives a crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool

from cds_service.errors import DatabaseGone, SettingError
from cds_service.store.migrate import TooNew, migrate
from cds_service.store.processes import PerProcess

BUSY_S = 5
"""So long a write waits for another process's, before it is called lost."""
MIGRATION_S = 60
_POSTGRES = "postgresql+psycopg"


class Database:
    """One database for all processes of a server; usable from any thread, before and after a fork.

    Nothing is opened when it is made. Raises SettingError where the URL cannot be used at all.
    """

    def __init__(self, url: str) -> None:
        self._url = _checked(url)
        self.file = Path(self._url.database or "").resolve() if self._is_sqlite else None
        self._engine = PerProcess(self._pooled)
        self._migrated = False
        self._migrating = Lock()

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def prepare(self) -> str:
        """Creates the file and brings the tables up to date: once at start, before the workers are forked.

        Gives "", or the kind of error where PostgreSQL cannot be reached, which is tried again at the first
        use. Raises SettingError for a file that cannot be used, and for tables of a later version.
        """
        try:
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                # Readable to the service's own user and group: the tables hold hashes of patients.
                os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o640))
            self._migrate()
        except OSError as problem:
            raise SettingError(f"CDS_DATABASE_URL: {self.file}: {problem.strerror or problem}.") from None
        except TooNew:
            raise SettingError(
                "CDS_DATABASE_URL: the tables there were made by a later version of myeloma-cds; use that "
                "version, or another database."
            ) from None
        except SQLAlchemyError as problem:
            if self.file is not None:
                raise SettingError(
                    f"CDS_DATABASE_URL: {self.file} cannot be used as an SQLite database "
                    f"({_kind(problem)}): is it one, and is there room on the disk?"
                ) from None
            return _kind(problem)
        return ""

    @contextmanager
    def reading(self, patience_s: int = BUSY_S) -> Iterator[Connection]:
        """A connection to read from, one statement for so long at most. Raises DatabaseGone."""
        with self._connection(writes=False) as connection:
            if patience_s != BUSY_S and not self._is_sqlite:
                connection.execute(text(f"SET LOCAL statement_timeout = {patience_s * 1000}"))
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction, which is on disk when the block has ended. Raises DatabaseGone."""
        with self._connection(writes=True) as connection:
            yield connection

    def check(self) -> None:
        """Raises DatabaseGone where the database does not answer."""
        with self.reading() as connection:
            connection.execute(text("SELECT count(*) FROM alembic_version"))

    def close(self) -> None:
        """Closes this process's connections; the next use opens new ones."""
        engine = self._engine.made()
        if engine is not None:
            engine.dispose()

    @contextmanager
    def _connection(self, writes: bool) -> Iterator[Connection]:
        try:
            if not self._migrated:
                self._migrate()
            with self._engine().connect() as connection:
                connection = connection.execution_options(writes=writes)
                with connection.begin():
                    yield connection
        except (DBAPIError, DisconnectionError, PoolTimeout, TooNew) as problem:
            raise DatabaseGone(_kind(problem)) from None

    def _migrate(self) -> None:
        if not self._migrating.acquire(timeout=BUSY_S):  # another thread waits for the database already
            raise DatabaseGone("TimeoutError")
        try:
            if self._migrated:
                return
            engine = self._made(MIGRATION_S, poolclass=NullPool)
            with engine.connect() as connection:
                connection = connection.execution_options(writes=True)
                with connection.begin():
                    migrate(connection)
            self._migrated = True
        finally:
            self._migrating.release()

    def _pooled(self) -> Engine:
        return self._made(BUSY_S, pool_size=8, max_overflow=24, pool_timeout=BUSY_S, pool_pre_ping=True)

    def _made(self, patience_s: int, **pool: Any) -> Engine:
        if self.file is not None:
            return _sqlite(self.file, patience_s, **pool)
        given = self._url.query
        wanted = {
            "connect_timeout": 3,
            "tcp_user_timeout": 10_000,
            "options": f"-c statement_timeout={patience_s * 1000} -c lock_timeout={patience_s * 1000}",
            "application_name": "myeloma-cds",
        }
        arguments = {name: value for name, value in wanted.items() if name not in given}
        return create_engine(self._url, hide_parameters=True, connect_args=arguments, **pool)


def _sqlite(file: Path, patience_s: int, **pool: Any) -> Engine:
    # mode=rw: a file that has gone is an error, not a new and empty database.
    url = URL.create("sqlite", database=f"file:{quote(str(file))}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": patience_s}, **pool)

    @event.listens_for(engine, "connect")
    def _opened(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: a commit has reached the disk; NORMAL would survive kill -9, but not a loss of power.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()
        record.info["file"] = _identity(file)

    @event.listens_for(engine, "checkout")
    def _taken(connection: Any, record: Any, proxy: Any) -> None:
        # Removed or replaced under our feet: what is written to the old file nobody will ever read.
        if record.info.get("file") != _identity(file):
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # A writer takes the lock at once and waits for it; one that began as a reader could not wait.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _checked(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SettingError("CDS_DATABASE_URL: is no database URL.") from None
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if not url.database or url.database.startswith((":", "file:")) or url.query:
            raise SettingError(
                "CDS_DATABASE_URL: SQLite needs a plain file, sqlite:///folder/name.sqlite: a database in "
                "memory would be another one in each process."
            )
    elif url.drivername == _POSTGRES:
        try:
            url.get_dialect().import_dbapi()
        except (ImportError, NoSuchModuleError):
            raise SettingError(
                "CDS_DATABASE_URL: PostgreSQL needs psycopg: install myeloma-cds with its extra postgres."
            ) from None
    else:
        raise SettingError(f"CDS_DATABASE_URL: must begin with sqlite:/// or {_POSTGRES}://.")
    return url


def _kind(problem: BaseException) -> str:
    return type(getattr(problem, "orig", None) or problem).__name__
