"""PgBouncer in transaction mode, between the workers and the primary."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.drill.network import OFFICE
from benchmarks.patience import wait_until
from reyes_estancias.postgres.cluster import PORT as POSTGRES_PORT
from reyes_estancias.postgres.cluster import SUPERUSER
from reyes_estancias.postgres.server import DATABASE

PORT = 6432
URL = f"postgres://{SUPERUSER}@{OFFICE}:{PORT}/{DATABASE}"
POOL_SIZE = 10
_PACKAGE = "pgbouncer"

_CONFIGURATION = """\
[databases]
{database} = host={primary} port={postgres_port} user={user}

[pgbouncer]
listen_addr = {address}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
server_fast_close = 1
"""


class BouncerMissing(Exception):
    """There is no PgBouncer, and it cannot be installed."""

    def __init__(self) -> None:
        super().__init__(
            "PgBouncer is not installed and apt-get could not install it: apt-get install pgbouncer, or leave"
            " it out: make drill ARGS=--without-pgbouncer"
        )


def install_bouncer() -> None:
    """Install Debian's PgBouncer unless there is one.

    Raises:
        BouncerMissing: that did not work.
    """
    if shutil.which(_PACKAGE) is None:
        subprocess.run(  # noqa: S603 - a fixed program
            ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", _PACKAGE],  # noqa: S607
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
            capture_output=True,
        )
    if shutil.which(_PACKAGE) is None:
        raise BouncerMissing


@contextmanager
def running_bouncer(*, primary: str, folder: Path, user: str) -> Iterator[None]:
    """Run PgBouncer in front of the server at the address ``primary``; it refuses to run as root."""
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        _CONFIGURATION.format(
            database=DATABASE,
            primary=primary,
            postgres_port=POSTGRES_PORT,
            user=SUPERUSER,
            address=OFFICE,
            port=PORT,
            pool_size=POOL_SIZE,
        )
    )
    configuration.chmod(0o644)
    with (folder / "pgbouncer.log").open("wb") as log:
        bouncer = subprocess.Popen(  # noqa: S603 - a fixed program
            [_PACKAGE, "--user", user, str(configuration)], stdout=log, stderr=log
        )
    try:
        wait_until(_answers, what="PgBouncer's first answer")
        yield
    finally:
        bouncer.kill()
        bouncer.wait()


def _answers() -> bool:
    try:
        psycopg.connect(URL, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
