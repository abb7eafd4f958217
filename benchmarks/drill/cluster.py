"""The drill's database: a primary and a standby that confirms every commit, each on a host of its own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg

from benchmarks.drill.network import NETWORK, Host
from benchmarks.patience import wait_until
from reyes_estancias.postgres import cluster as clusters
from reyes_estancias.postgres.account import Account, server_account
from reyes_estancias.postgres.binaries import Binaries, find_binaries, make_reachable
from reyes_estancias.postgres.cluster import Cluster
from reyes_estancias.postgres.exceptions import ClusterCreationFailed
from reyes_estancias.postgres.server import DATABASE, ROOTS_HOME

STANDBY_NAME = "standby"

# A client whose cable was cut says no goodbye: without these its sessions, and the locks of their open
# transactions, would stay for two hours.
DEAD_CLIENT_OPTIONS = {
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "6000",
}
_OPTIONS = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "256MB"}


@dataclass(frozen=True, slots=True)
class HostedAccount(Account):
    """Runs the server's programs on a host, as the account's user."""

    host: Host

    def run(self, *command: str | Path, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a program on the host, in a clean environment."""
        as_user = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--"]
        return subprocess.run(  # noqa: S603 - the server's own programs
            self.host.command(*as_user, *map(str, command)),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
            cwd="/",
        )


@dataclass(frozen=True, slots=True)
class Server:
    """A Postgres server on a host."""

    host: Host
    cluster: Cluster

    def start(self) -> None:
        clusters.bring_up(self.cluster)

    def connect(self, database: str = DATABASE) -> psycopg.Connection:
        """Connect through the server's own socket, past every network."""
        return psycopg.connect(
            host=str(self.cluster.socket_dir),
            port=clusters.PORT,
            user=clusters.SUPERUSER,
            dbname=database,
            autocommit=True,
            application_name="drill",
        )

    def value(self, query: LiteralString) -> object:
        with self.connect("postgres") as connection:
            row = connection.execute(query).fetchone()
        return row and row[0]


@dataclass(slots=True)
class Pair:
    """A primary with its synchronous standby; after a failover the standby serves alone."""

    primary: Server
    standby: Server

    @property
    def version(self) -> str:
        return self.standby.cluster.binaries.version

    def url(self) -> str:
        """Return the address that finds whichever of the two takes writes."""
        hosts = ",".join(f"{server.host.address}:{clusters.PORT}" for server in (self.primary, self.standby))
        return f"postgres://{clusters.SUPERUSER}@{hosts}/{DATABASE}?target_session_attrs=read-write"

    def fail_over(self) -> None:
        """Let the primary vanish, then promote the standby, as whoever watches over the pair would.

        The cable goes first: nobody is told that the connections are gone.
        """
        self.primary.host.unplug()
        self.primary.host.kill()
        self.standby.value("SELECT pg_promote(wait => true)")
        wait_until(
            lambda: self.standby.value("SELECT pg_is_in_recovery()") is False, what="the standby's promotion"
        )


def start_pair(*, folder: Path, primary: Host, standby: Host) -> Pair:
    """Start both servers; when this returns each commit waits for the standby."""
    account = server_account()
    binaries = make_reachable(find_binaries(), account=account, shelf=ROOTS_HOME)
    first = _make_server(primary, folder / "primary", account, binaries)
    first.start()
    _let_the_network_in(first)
    clusters.ensure_database(first.cluster, database=DATABASE)
    second = _make_server(standby, folder / "standby", account, binaries)
    _copy(first, second)
    second.start()
    with first.connect("postgres") as connection:
        connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY_NAME}'")
        connection.execute("SELECT pg_reload_conf()")
    wait_until(lambda: _sync_state(first) == "sync", what="synchronous replication")
    return Pair(first, second)


def _make_server(host: Host, directory: Path, account: Account, binaries: Binaries) -> Server:
    hosted = HostedAccount(uid=account.uid, gid=account.gid, steps_down=account.steps_down, host=host)
    cluster = Cluster(
        directory=directory,
        socket_dir=directory / "socket",
        binaries=binaries,
        account=hosted,
        options={
            **_OPTIONS,
            **DEAD_CLIENT_OPTIONS,
            "listen_addresses": host.address,
            "cluster_name": directory.name,
        },
    )
    return Server(host, cluster)


def _let_the_network_in(server: Server) -> None:
    with (server.cluster.data / "pg_hba.conf").open("a") as rules:
        rules.writelines(f"host {what} all {NETWORK} trust\n" for what in ("all", "replication"))
    server.value("SELECT pg_reload_conf()")


def _copy(primary: Server, standby: Server) -> None:
    """Make the standby's data directory; ``cluster_name`` is the name under which it will report."""
    standby.cluster.account.make_directory(standby.cluster.directory)
    source = f"--dbname=host={primary.host.address} port={clusters.PORT} user={clusters.SUPERUSER}"
    copied = standby.cluster.account.run(
        standby.cluster.binaries.program("pg_basebackup"),
        source,
        f"--pgdata={standby.cluster.data}",
        "--write-recovery-conf",
        "--checkpoint=fast",
    )
    if copied.returncode:
        raise ClusterCreationFailed(directory=standby.cluster.directory, output=copied.stdout)


def _sync_state(primary: Server) -> object:
    return primary.value("SELECT sync_state FROM pg_stat_replication")
