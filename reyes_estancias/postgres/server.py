"""The embedded Postgres: one private server a project, started or joined, and throw-away ones for tests.

Development only. Many processes share a project's server; it outlives whoever started it, until ``stop``.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from reyes_estancias.postgres import cluster as clusters
from reyes_estancias.postgres import locks
from reyes_estancias.postgres.account import Account, server_account
from reyes_estancias.postgres.binaries import find_binaries, make_reachable
from reyes_estancias.postgres.cluster import Cluster
from reyes_estancias.postgres.exceptions import DirectoryUnusable

DATABASE = "reyes_estancias"
ROOTS_HOME = Path(
    "/var/lib/reyes-estancias"
)  # where nobody, as whom root runs the server, can reach its files
SOCKETS = Path("/tmp")  # noqa: S108 - a socket's path must be short, and the same whatever a caller's TMPDIR says
THROW_AWAY_PREFIX = "reyes-tests-"
THROW_AWAY_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

_shares: dict[Path, int] = {}  # this process's locks on the servers it uses, held until it ends


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and the database to use there."""

    socket_dir: Path
    port: int
    user: str
    database: str

    def as_django(self) -> dict[str, object]:
        """Return the address as an entry of Django's ``DATABASES``."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": self.database,
            "USER": self.user,
            "PASSWORD": "",
            "HOST": str(self.socket_dir),
            "PORT": str(self.port),
        }

    def as_url(self) -> str:
        """Return the address as a ``DATABASE_URL``."""
        return f"postgres://{self.user}@{quote(str(self.socket_dir), safe='')}:{self.port}/{self.database}"


@dataclass(frozen=True, slots=True)
class Home:
    """A project's directory for its clusters, one for each major version, and for the locks around them.

    ``turn`` is held while a server is started or stopped, ``users`` shared by every process that uses it.
    """

    path: Path

    @property
    def turn(self) -> Path:
        return self.path / "turn.lock"

    @property
    def users(self) -> Path:
        return self.path / "users.lock"


def start_or_join(*, project: Path, bindir: Path | None = None, database: str = DATABASE) -> Address:
    """Return the address of the project's server, which runs and has ``database`` when this returns.

    Args:
        project: the project's root directory; each has its own server.
        bindir: where the server's programs are, when not in the wheel or among the system's.

    Raises:
        PostgresUnavailable: with the reason and the remedy.
    """
    account = server_account()
    home = open_home(project)
    cluster = _project_cluster(home, account, bindir)
    if home.path not in _shares:
        _shares[home.path] = locks.acquire(home.users, shared=True)
    if not clusters.is_joinable(cluster, database=database):
        with locks.exclusive(home.turn):
            clusters.bring_up(cluster)
            clusters.ensure_database(cluster, database=database)
    return _address(cluster, database)


def stop(*, project: Path) -> bool:
    """Stop the project's server, whoever uses it. Return whether one ran.

    Raises:
        PostgresUnavailable: it does not end.
    """
    home = open_home(project)
    with locks.exclusive(home.turn):
        return _stop_all(home)


def stop_if_unused(*, project: Path) -> bool:
    """Stop the project's server unless a process other than this one uses it. Return whether it was stopped.

    Raises:
        PostgresUnavailable: it does not end.
    """
    home = open_home(project)
    with locks.exclusive(home.turn):
        _give_up_share(home)
        alone = locks.try_acquire(home.users)
        if alone is None:
            return False
        try:
            return _stop_all(home)
        finally:
            os.close(alone)


def open_home(project: Path) -> Home:
    """Return the directory of a project's clusters, which exists when this returns.

    Raises:
        DirectoryUnusable: it cannot be created.
    """
    project = project.resolve()
    path = project / ".local" / "postgres"
    try:
        if os.geteuid() == 0:
            path = ROOTS_HOME / _name_for_root(project)
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise DirectoryUnusable(path=path, reason=os.strerror(error.errno or 0)) from error
    return Home(path)


def _name_for_root(project: Path) -> str:
    """Return what root's directory is called: elsewhere, yet gone with ``.local`` like everybody's.

    Else a checkout in the place of an older one would meet its rows, with the customers of another Stripe.
    One that was copied, ``.local`` and all, has a directory of its own.
    """
    note = project / ".local" / "postgres-of-root"
    if not note.exists():
        note.parent.mkdir(exist_ok=True)
        own = note.with_suffix(f".{os.getpid()}")
        own.write_text(secrets.token_hex(4), encoding="ascii")
        with suppress(FileExistsError):  # Another process was faster.
            os.link(own, note)
        own.unlink()
    return f"{_short_key(project)}-{note.read_text(encoding='ascii')}"


@contextmanager
def throw_away_server(
    *, bindir: Path | None = None, options: Mapping[str, str] = THROW_AWAY_OPTIONS
) -> Iterator[Address]:
    """Run a server for the length of the block; its cluster is empty, and deleted at the end.

    Args:
        options: server settings, by default fast and unsafe.

    Raises:
        PostgresUnavailable: with the reason and the remedy.
    """
    with throw_away_cluster(bindir=bindir, options=options) as cluster:
        clusters.bring_up(cluster)
        yield _address(cluster, DATABASE)


@contextmanager
def throw_away_cluster(*, bindir: Path | None = None, options: Mapping[str, str]) -> Iterator[Cluster]:
    """Find a place for a cluster that the caller brings up; stop its server and delete it at the end.

    Clusters that earlier processes left behind, because they were killed, are swept away first.

    Raises:
        PostgresUnavailable: with the reason and the remedy.
    """
    account = server_account()
    _sweep_abandoned()
    with ExitStack() as stack:
        home = _open_throw_away_home(stack)
        binaries = make_reachable(find_binaries(bindir=bindir), account=account, shelf=_shelf(home.path))
        cluster = Cluster(
            directory=home.path / str(binaries.major),
            socket_dir=home.path / "socket",
            binaries=binaries,
            account=account,
            options=options,
        )
        stack.callback(clusters.stop, cluster.data)
        yield cluster


def _project_cluster(home: Home, account: Account, bindir: Path | None) -> Cluster:
    binaries = make_reachable(find_binaries(bindir=bindir), account=account, shelf=_shelf(home.path))
    directory = home.path / str(binaries.major)
    return Cluster(
        directory=directory,
        socket_dir=_socket_dir(directory),
        binaries=binaries,
        account=account,
    )


def _shelf(home: Path) -> Path:
    """Return where root's copies of the programs are kept, for all of this machine's projects."""
    return ROOTS_HOME if os.geteuid() == 0 else home


def _short_key(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:10]


def _socket_dir(directory: Path) -> Path:
    return SOCKETS / f"reyes-{_short_key(directory)}"


def _address(cluster: Cluster, database: str) -> Address:
    return Address(
        socket_dir=cluster.socket_dir,
        port=clusters.PORT,
        user=clusters.SUPERUSER,
        database=database,
    )


def _give_up_share(home: Home) -> None:
    share = _shares.pop(home.path, None)
    if share is not None:
        os.close(share)


def _stop_all(home: Home) -> bool:
    stopped = False
    for data in home.path.glob("*/data"):
        stopped |= clusters.stop(data)
        shutil.rmtree(_socket_dir(data.parent), ignore_errors=True)
    return stopped


def _open_throw_away_home(stack: ExitStack) -> Home:
    """Make a directory whose ``users`` lock tells, by being held, that its maker lives."""
    path = Path(tempfile.mkdtemp(prefix=THROW_AWAY_PREFIX, dir=SOCKETS))
    stack.callback(shutil.rmtree, path, ignore_errors=True)
    path.chmod(0o755)
    # Locked before it gets its name: a sweeper must never meet it unlocked.
    nameless = path / "users.new"
    stack.callback(os.close, locks.acquire(nameless))
    home = Home(path)
    nameless.rename(home.users)
    return home


def _sweep_abandoned() -> None:
    for path in SOCKETS.glob(f"{THROW_AWAY_PREFIX}*"):
        home = Home(path)
        if not _is_our_file(home.users):
            continue
        abandoned = locks.try_acquire(home.users)
        if abandoned is not None:
            _stop_all(home)
            shutil.rmtree(path, ignore_errors=True)
            os.close(abandoned)


def _is_our_file(path: Path) -> bool:
    """Whether the name itself is a file of ours in a folder of ours; a link tells nothing of its maker."""
    try:
        status, around = path.lstat(), path.parent.lstat()
    except OSError:  # gone this moment, or another user's
        return False
    ours = os.geteuid()
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_uid == ours == around.st_uid
        and stat.S_ISDIR(around.st_mode)
    )
