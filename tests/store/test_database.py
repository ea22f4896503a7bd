"""Opening, migrating, losing and finding the database again."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from cds_service.errors import DatabaseGone, SettingError
from cds_service.store.database import Database
from cds_service.store.feedback import keep_cards, keep_feedback
from cds_service.store.tables import metadata
from tests.postgres import Postgres
from tests.store.samples import NOW, overridden, told

ROOT = Path(__file__).parents[2]

MIGRATE = """
import sys
from cds_service.store.database import Database
database = Database(sys.argv[1])
print("loaded", flush=True)
sys.stdin.readline()
assert database.prepare() == ""
database.check()
"""


def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        indexes = {index["name"] for index in inspect(connection).get_indexes("card")}
    assert "ix_card_patient_hash_finding" in indexes


def test_several_processes_migrate_at_once(database_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, database_url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "loaded\n"
    for process in processes:  # all are loaded: now they set off together
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


def test_what_is_there_stays_when_it_is_prepared_again(database: Database, database_url: str) -> None:
    keep_feedback(database, "s", [overridden("c1")], NOW)
    again = Database(database_url)
    again.prepare()
    with again.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM feedback")).scalar_one() == 1
    again.close()


def test_sqlite_is_durable_and_lets_readers_in(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a folder/50%#?/cards.sqlite")
    database.prepare()
    assert database.file and database.file.exists()
    assert database.file.stat().st_mode & 0o007 == 0  # hashes of patients are not for everybody
    with database.writing() as writer, database.reading() as reader:
        assert writer.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert writer.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert reader.execute(text("SELECT count(*) FROM card")).scalar_one() == 0
    database.close()


@pytest.mark.parametrize(
    "url, said",
    [
        ("var/cards.sqlite", "is no database URL"),
        ("sqlite://", "SQLite needs a plain file"),
        ("sqlite:///:memory:", "SQLite needs a plain file"),
        ("sqlite:///cards.sqlite?mode=ro", "SQLite needs a plain file"),
        ("mysql://cds:geheim@db/cds", "must begin with sqlite:/// or postgresql+psycopg://"),
        ("postgresql://cds:geheim@db/cds", "must begin with sqlite:/// or postgresql+psycopg://"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, said: str) -> None:
    with pytest.raises(SettingError) as caught:
        Database(url)
    assert caught.value.sentences[0].startswith(f"CDS_DATABASE_URL: {said}")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("content", [b"no database, but a text of some length " * 100, None])
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    place = tmp_path / "cards.sqlite"
    if content is None:
        place.mkdir()
    else:
        place.write_bytes(content)
    with pytest.raises(SettingError) as caught:
        Database(f"sqlite:///{place}").prepare()
    assert str(place) in caught.value.sentences[0]


def test_tables_of_a_later_version_stop_the_start(database: Database, database_url: str) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingError, match="later version"):
        Database(database_url).prepare()


def test_a_file_that_is_removed_is_gone_and_not_made_anew(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/cards.sqlite")
    database.prepare()
    keep_feedback(database, "s", [overridden("c1")], NOW)
    assert database.file
    moved = tmp_path / "moved"
    moved.mkdir()
    for part in tmp_path.glob("cards.sqlite*"):
        part.rename(moved / part.name)
    for _ in range(2):
        with pytest.raises(DatabaseGone):
            keep_feedback(database, "s", [overridden("c2")], NOW)
        with pytest.raises(DatabaseGone):
            database.check()
    assert not database.file.exists()
    for part in moved.iterdir():
        part.rename(tmp_path / part.name)
    keep_feedback(database, "s", [overridden("c3")], NOW)
    database.close()
    with sqlite3.connect(tmp_path / "cards.sqlite") as opened:
        assert opened.execute("SELECT card FROM feedback ORDER BY 1").fetchall() == [("c1",), ("c3",)]
    opened.close()


def test_a_postgresql_that_comes_later_is_migrated_at_the_first_use(postgres: Postgres) -> None:
    url = postgres.new_database()
    postgres.stop()
    try:
        database = Database(url)
        assert database.prepare() == "OperationalError"
        with pytest.raises(DatabaseGone) as gone:
            database.check()
        assert (gone.value.status, gone.value.retry_after) == (503, 10)
    finally:
        postgres.start()
    keep_cards(database, [told("c1")])
    postgres.stop()
    try:
        with pytest.raises(DatabaseGone):
            keep_feedback(database, "s", [overridden("c1")], NOW)
    finally:
        postgres.start()
    keep_feedback(database, "s", [overridden("c1")], NOW)  # its connections were cut: new ones are made
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM card")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM feedback")).scalar_one() == 1
    database.close()


def test_a_fork_makes_connections_of_its_own(database: Database) -> None:
    keep_cards(database, [told("parent")])
    with database.reading() as held:  # in use while the child works
        child = os.fork()
        if child == 0:
            try:
                keep_cards(database, [told("child")])
                database.close()
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert held.execute(text("SELECT 1")).scalar_one() == 1
    with database.reading() as connection:
        found = connection.execute(text("SELECT uuid FROM card ORDER BY uuid")).scalars().all()
    assert found == ["child", "parent"]
