"""A PostgreSQL of the tests' own: started on a free port, with its data in a folder that goes away."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

IN_CI = os.environ.get("CDS_CI") == "1"
_WHERE = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/bin", "/opt/homebrew/bin")


def _programs() -> Path:
    """The folder of initdb and pg_ctl. Without the package the test is skipped; in CI it fails."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    for pattern in _WHERE:
        folders += sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    said = "PostgreSQL is not there: apt-get install postgresql"
    return pytest.fail(said) if IN_CI else pytest.skip(said)


def _unprivileged() -> list[str]:
    """PostgreSQL does not run as root: what stands before its commands where the tests do."""
    if os.geteuid() != 0:
        return []
    ids = [
        subprocess.run(["id", which, name], capture_output=True, text=True, check=False).stdout.strip()
        for name in ("postgres", "nobody")
        for which in ("-u", "-g")
    ]
    user, group = ids[:2] if ids[0] else ids[2:]
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]


class Postgres:
    """A running server."""

    def __init__(self, programs: Path, folder: Path, port: int) -> None:
        self.programs = programs
        self.folder = folder
        self.port = port
        self._made = 0

    def run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*_unprivileged(), str(self.programs / program), *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else None,  # the server would keep the pipe open
            stderr=subprocess.STDOUT if program != "pg_ctl" else None,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        data, log = str(self.folder / "data"), str(self.folder / "log")
        self.run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-t", "60", "-s", "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "-s", "stop")

    def new_database(self) -> str:
        """The URL of a database with nothing in it."""
        self._made += 1
        name = f"tests{self._made}"
        server = f"cds@127.0.0.1:{self.port}"
        with psycopg.connect(f"postgresql://{server}/postgres", autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        return f"postgresql+psycopg://{server}/{name}"


@contextmanager
def running() -> Iterator[Postgres]:
    """A server for as long as the block lasts."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="cds-postgres-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = Postgres(programs, folder, int(probe.getsockname()[1]))
    try:
        if unprivileged := _unprivileged():
            user, group = (int(part.partition("=")[2]) for part in unprivileged[1:3])
            os.chown(folder, user, group)
        server.run("initdb", "-D", str(folder / "data"), "-U", "cds", "-A", "trust", "-E", "UTF8")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
