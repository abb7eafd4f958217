"""One database cluster: created, repaired, started and stopped.

Nothing here locks: the callers in ``server.py`` see to it that one process at a time works on a cluster.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from reyes_estancias.postgres.account import Account
from reyes_estancias.postgres.binaries import Binaries
from reyes_estancias.postgres.exceptions import (
    ClusterCreationFailed,
    ExtensionMissing,
    ServerStartFailed,
    ServerStopFailed,
    SocketDirectoryTaken,
    SocketPathTooLong,
)

PORT = 5432  # only names the socket file: the server listens on no network address
SUPERUSER = "postgres"
EXTENSION = "btree_gist"
LONGEST_SOCKET_PATH = 100  # bytes; macOS allows 103, Linux 107
START_PATIENCE_SECONDS = 10.0  # after a kill -9 the dead server's children block a start for about 2 s
WAKE_PATIENCE_SECONDS = 60.0  # crash recovery of a big cluster
STOP_PATIENCE_SECONDS = 20.0
NO_PROCESS = 2**31 - 1  # beyond the largest process id of Linux and macOS


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A data directory, its server's socket directory, and what runs it.

    ``directory`` holds ``data`` and ``log`` and belongs to ``account``; ``options`` are server settings.
    """

    directory: Path
    socket_dir: Path
    binaries: Binaries
    account: Account
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "log"


def bring_up(cluster: Cluster) -> None:
    """Make the cluster's server answer: create, repair and start whatever is needed.

    Raises:
        PostgresUnavailable: with the reason and the remedy.
    """
    cluster.account.make_directory(cluster.directory)
    _claim_socket_dir(cluster)
    if not _is_complete(cluster.data):
        _set_aside(cluster.data)
        _create(cluster)
    _start(cluster)


def ensure_database(cluster: Cluster, *, database: str) -> None:
    """Create ``database`` unless it exists.

    Raises:
        ExtensionMissing: the server lacks the extension that our constraints need.
    """
    with _connect(cluster, database="postgres") as connection:
        if not _exists(connection, "select from pg_available_extensions where name = %s", EXTENSION):
            raise ExtensionMissing(name=EXTENSION, bindir=cluster.binaries.bindir)
        if not _exists(connection, "select from pg_database where datname = %s", database):
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))


def is_joinable(cluster: Cluster, *, database: str) -> bool:
    """Whether a server of ours answers: whoever else listens at this predictable name is not even asked."""
    if not os.path.lexists(cluster.socket_dir):
        return False
    if not cluster.account.owns_privately(cluster.socket_dir):
        raise SocketDirectoryTaken(path=cluster.socket_dir)
    return answers(cluster, database=database)


def answers(cluster: Cluster, *, database: str) -> bool:
    """Whether the server lets us into ``database``: the only proof that it is up."""
    try:
        _connect(cluster, database=database).close()
    except psycopg.OperationalError:
        return False
    return True


def stop(data: Path) -> bool:
    """Stop the server of a data directory; open transactions are rolled back. Return whether one ran.

    Raises:
        ServerStopFailed: it does not end.
    """
    pid = server_pid(data)
    if pid is None:
        return False
    for signal_number in (signal.SIGINT, signal.SIGQUIT):  # "fast", then "immediate"
        with suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        if _ends_within(data, STOP_PATIENCE_SECONDS):
            return True
    raise ServerStopFailed(pid=pid)


def server_pid(data: Path) -> int | None:
    """Return the process that serves ``data``, or None when ``postmaster.pid`` names a dead or foreign one.

    A process id is used again sooner or later, and a killed server may stay in the process table: only a
    process that was started on this very directory counts.
    """
    pid = _recorded_pid(data)
    return pid if pid is not None and str(data) in command_line(pid) else None


def _claim_socket_dir(cluster: Cluster) -> None:
    path = cluster.socket_dir / f".s.PGSQL.{PORT}"
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise SocketPathTooLong(path=path, longest=LONGEST_SOCKET_PATH)
    if not os.path.lexists(cluster.socket_dir):
        cluster.account.make_directory(cluster.socket_dir)
    # Whoever reaches the socket is let in without a password, so the directory has to be ours alone.
    if not cluster.account.owns_privately(cluster.socket_dir):
        raise SocketDirectoryTaken(path=cluster.socket_dir)


def _is_complete(data: Path) -> bool:
    return (data / "PG_VERSION").is_file() and (data / "global" / "pg_control").is_file()


def _set_aside(data: Path) -> None:
    """Move an unusable data directory out of the way; it may be all that is left of somebody's data."""
    if not data.exists():
        return
    number = 1
    while (aside := data.with_name(f"data.broken-{number}")).exists():
        number += 1
    data.rename(aside)


def _create(cluster: Cluster) -> None:
    """Make the data directory; it appears complete or not at all."""
    for abandoned in cluster.directory.glob("data.unfinished-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    # A name of our own: the initdb of a starter that was killed may still be writing under its name.
    unfinished = cluster.directory / f"data.unfinished-{os.getpid()}"
    result = cluster.account.run(
        cluster.binaries.program("initdb"),
        f"--pgdata={unfinished}",
        f"--username={SUPERUSER}",
        "--auth=trust",
        "--encoding=UTF8",
        *_locale_options(cluster.binaries.major),
        *(["--no-sync"] if cluster.options.get("fsync") == "off" else []),
    )
    if result.returncode != 0:
        raise ClusterCreationFailed(directory=cluster.directory, output=result.stdout)
    unfinished.rename(cluster.data)


def _locale_options(major: int) -> list[str]:
    # Plain C would make ILIKE blind to the case of accented letters.
    if major >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8"]


def _start(cluster: Cluster) -> None:
    patience = START_PATIENCE_SECONDS if server_pid(cluster.data) is None else WAKE_PATIENCE_SECONDS
    give_up_at = time.monotonic() + patience
    while not answers(cluster, database="postgres"):
        if time.monotonic() > give_up_at:
            raise ServerStartFailed(log=cluster.log, last_lines=_last_lines(cluster.log))
        if server_pid(cluster.data) is None:
            _disown_pid_file(cluster.data)
            _launch(cluster)
        time.sleep(0.05)


def _launch(cluster: Cluster) -> None:
    options = " ".join(
        f"-c {shlex.quote(f'{name}={value}')}" for name, value in _server_options(cluster).items()
    )
    cluster.account.run(
        cluster.binaries.program("pg_ctl"),
        "start",
        f"--pgdata={cluster.data}",
        f"--log={cluster.log}",  # else the server holds the pipe that we read to its end
        "--wait",
        f"--timeout={WAKE_PATIENCE_SECONDS:.0f}",
        f"--options={options}",
    )


def _server_options(cluster: Cluster) -> dict[str, str]:
    return {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(cluster.socket_dir),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "timezone": "UTC",
        "log_timezone": "UTC",
        **cluster.options,
    }


def _connect(cluster: Cluster, *, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host=str(cluster.socket_dir),
        port=PORT,
        user=SUPERUSER,
        dbname=database,
        connect_timeout=5,
        autocommit=True,
    )


def _exists(connection: psycopg.Connection, query: str, value: str) -> bool:
    return connection.execute(query, [value]).fetchone() is not None


def _recorded_pid(data: Path) -> int | None:
    try:
        first_line = (data / "postmaster.pid").read_text().partition("\n")[0]
    except FileNotFoundError:
        return None
    return int(first_line) if re.fullmatch(r"[1-9]\d*", first_line) else None


def command_line(pid: int) -> str:
    """Return how a process was started, or an empty string when there is no such process."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            return ""
    ps = ["/bin/ps", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, check=False, capture_output=True, text=True).stdout  # noqa: S603 - fixed program


def _disown_pid_file(data: Path) -> None:
    """Let Postgres start although ``postmaster.pid`` names a process that is not this cluster's server.

    The file stays: it carries the shared memory id by which Postgres sees a killed server's children that
    still write to the directory. Only the process id is replaced, by one that no process can have.

    Source: CreateLockFile() in PostgreSQL's miscinit.c.
    """
    pid_file = data / "postmaster.pid"
    if _recorded_pid(data) is None:
        pid_file.unlink(missing_ok=True)  # empty or garbled; Postgres would refuse to start
    else:
        pid_file.write_text(f"{NO_PROCESS}\n{pid_file.read_text().partition(chr(10))[2]}")


def _ends_within(data: Path, seconds: float) -> bool:
    give_up_at = time.monotonic() + seconds
    while server_pid(data) is not None:
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True


def _last_lines(log: Path) -> str:
    if not log.exists():
        return "(there is no log)"
    with log.open(errors="replace") as lines:
        return "".join(deque(lines, maxlen=8))
