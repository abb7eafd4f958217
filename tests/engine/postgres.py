"""A Postgres server of the tests' own, to be stopped, started and shut for a while."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

_SYSTEM = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Server:
    """A server on a port of its own; ``data`` is its directory."""

    binaries: Path
    data: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.data} -c fsync=off -c listen_addresses=127.0.0.1"
        self._control("start", "-w", "-l", str(self.data / "log"), "-o", options)

    def stop(self, *, mode: str = "immediate") -> None:
        self._control("stop", "-w", "-m", mode)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Runs one statement on a fresh connection."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def _control(self, *arguments: str) -> None:
        run_as_server(self.data, str(self.binaries / "pg_ctl"), "-D", str(self.data), *arguments)


def create_server(directory: Path) -> Server:
    """Makes a new, stopped server in a directory that its user may enter."""
    binaries = find_binaries()
    data = directory / "data"
    data.mkdir()
    if os.geteuid() == 0:
        shutil.chown(data, server_user())
    run_as_server(data, str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N")
    return Server(binaries, data, free_port())


def find_binaries() -> Path:
    """The newest installed server's programs."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).parent
    return max(_SYSTEM.glob("*/bin"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def server_user() -> str:
    """Postgres refuses to run as root: its own user, or any ordinary one."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def run_as_server(data: Path, *command: str) -> None:
    user = server_user() if os.geteuid() == 0 else None
    subprocess.run(command, user=user, cwd=data, check=True, capture_output=True, timeout=60)
