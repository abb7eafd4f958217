"""A Postgres server of the tests' own, to be stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from reyes_estancias.postgres import cluster as clusters
from reyes_estancias.postgres.cluster import Cluster
from reyes_estancias.postgres.server import Address, throw_away_cluster

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "postgres"
# A killed server keeps what it told the kernel to write: fsync is for machines that lose power. Unlike the
# server of the other tests this one keeps its word about commits.
OPTIONS = {"fsync": "off", "full_page_writes": "off"}
_STOP_SECONDS = 30.0


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
        deadline = time.monotonic() + _STOP_SECONDS
        while clusters.server_pid(self.cluster.data) is not None:
            assert time.monotonic() < deadline, f"server {pid} did not stop within {_STOP_SECONDS:g} s"
            time.sleep(0.02)

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
        server.start()
        migrate(server)
        yield server


def migrate(server: Server) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": server.url,
        "DJANGO_SETTINGS_MODULE": "tests.engine.settings",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
