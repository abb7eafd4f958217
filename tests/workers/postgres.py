"""A Postgres server of the tests' own, to be stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from reyes_estancias.postgres import cluster as clusters
from reyes_estancias.postgres import locks
from reyes_estancias.postgres.cluster import Cluster
from reyes_estancias.postgres.server import Address, throw_away_cluster

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "postgres"
# A killed server keeps what it told the kernel to write: fsync is for machines that lose power. Unlike the
# server of the other tests this one keeps its word about commits.
OPTIONS = {"fsync": "off", "full_page_writes": "off"}
# Names a directory in which the first own server of a test run leaves its data for the others.
MIGRATED = "TESTS_MIGRATED_CLUSTER"
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server on a Unix socket of its own: no port that another program could take while it is down."""

    cluster: Cluster

    @property
    def url(self) -> str:
        address = Address(self.cluster.socket_dir, clusters.PORT, clusters.SUPERUSER, DATABASE)
        return address.as_url()

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        clusters.bring_up(self.cluster)

    def stop(self) -> None:
        """Ends its sessions and stops it in good order ("fast")."""
        clusters.stop(self.cluster.data)

    def crash(self) -> None:
        """Stops it at once, as a power cut would ("immediate"); its next start is a recovery."""
        pid = clusters.server_pid(self.cluster.data)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while clusters.server_pid(self.cluster.data) is not None:
            assert time.monotonic() < deadline, f"server {pid} did not stop within {_PATIENCE_SECONDS:g} s"
            time.sleep(0.02)

    def promote(self) -> None:
        """Makes a standby the primary."""
        assert self.rows("SELECT pg_promote(wait => true)") == [(True,)]

    def rows(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        """Runs one statement on a fresh connection."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode(), params or None)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def own_server(**options: str) -> Iterator[Server]:
    """Runs a server with the project's tables until the block ends."""
    with throw_away_cluster(options={**OPTIONS, **options}) as cluster:
        server = Server(cluster)
        if migrated := os.environ.get(MIGRATED):
            _copy_migrated(Path(migrated), cluster)
            server.start()
        else:
            server.start()
            migrate(server.url)
        yield server


@contextmanager
def replicated_servers() -> Iterator[tuple[Server, Server]]:
    """Runs a primary, with the project's tables, and a standby that every commit waits for."""
    with own_server() as primary:
        home = primary.cluster.directory.parent
        standby = Server(
            replace(primary.cluster, directory=home / "standby", socket_dir=home / "standby-socket")
        )
        try:
            _copy(primary, standby)
            standby.start()
            primary.rows("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.rows("SELECT pg_reload_conf()")
            _wait_until_synchronous(primary)
            yield primary, standby
        finally:
            standby.stop()


def multi_host_url(*servers: Server) -> str:
    """The address of whichever of the servers is the primary, for libpq to find out."""
    hosts = ",".join(
        f"{quote(str(server.cluster.socket_dir), safe='')}:{clusters.PORT}" for server in servers
    )
    return f"postgres://{clusters.SUPERUSER}@{hosts}/{DATABASE}?target_session_attrs=read-write"


def _copy_migrated(home: Path, cluster: Cluster) -> None:
    with locks.exclusive(home / "turn.lock"):
        if not (home / "data").exists():
            _make_migrated(home)
    cluster.account.make_directory(cluster.directory)
    _copy_files(home / "data", cluster.data)


def _make_migrated(home: Path) -> None:
    with throw_away_cluster(options=OPTIONS) as cluster:
        server = Server(cluster)
        server.start()
        migrate(server.url)
        server.stop()
        _copy_files(cluster.data, home / "unfinished")
    (home / "unfinished").rename(home / "data")


def _copy_files(source: Path, target: Path) -> None:
    """Copies a directory with its owners, who is not us when we are root."""
    subprocess.run(["cp", "-a", source, target], check=True)


def _copy(primary: Server, standby: Server) -> None:
    cluster = standby.cluster
    cluster.account.make_directory(cluster.directory)
    copied = cluster.account.run(
        cluster.binaries.program("pg_basebackup"),
        f"--pgdata={cluster.data}",
        f"--dbname=host={primary.cluster.socket_dir} port={clusters.PORT} user={clusters.SUPERUSER}",
        "--write-recovery-conf",
        "--checkpoint=fast",
        "--no-sync",
    )
    assert copied.returncode == 0, copied.stdout


def _wait_until_synchronous(primary: Server) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not primary.rows("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"):
        assert time.monotonic() < deadline, "the standby does not keep up with its primary"
        time.sleep(0.02)


def migrate(url: str) -> None:
    """Makes the project's tables."""
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
