"""Whatever makes a database lose commits breaks the epoch by which charges are trusted; nothing else does."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from payments import memory
from tests.workers.postgres import Server, own_server
from tests.workers.workers import wait_for

PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_server() as running:
        yield running


def epoch_of(server: Server) -> str:
    ((epoch,),) = server.rows(memory.EPOCH_QUERY)
    return str(epoch)


def is_alive(session: psycopg.Connection) -> bool:
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def answers(server: Server) -> bool:
    try:
        return server.rows("SELECT 1") == [(1,)]
    except psycopg.OperationalError:
        return False


def restart(server: Server) -> None:
    server.stop()
    server.start()


def lose_power(server: Server) -> None:
    server.crash()
    server.start()


def kill_one_session(server: Server) -> None:
    """Make the server recover by itself, as it does when one of its processes dies."""
    with psycopg.connect(server.url) as victim, psycopg.connect(server.url) as witness:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(witness), within=PATIENCE_SECONDS)
    wait_for(lambda: answers(server), within=PATIENCE_SECONDS)


def load_again(server: Server) -> None:
    server.rows("TRUNCATE payments_stripememory")


def restore_over(server: Server) -> None:
    binaries = server.cluster.binaries
    dump = Path(server.cluster.directory) / "epoch.dump"
    for program, *options in (
        ("pg_dump", "--format=custom", f"--file={dump}", server.url),
        ("pg_restore", "--clean", "--if-exists", "--no-owner", f"--dbname={server.url}", str(dump)),
    ):
        subprocess.run([binaries.program(program), *options], check=True, capture_output=True)


@pytest.mark.parametrize("lose", [restart, lose_power, kill_one_session, load_again, restore_over])
def test_what_may_lose_commits_breaks_the_epoch(server: Server, lose: Callable[[Server], None]):
    before = epoch_of(server)
    assert epoch_of(server) == before

    lose(server)

    assert epoch_of(server) != before


def test_a_copy_of_the_database_in_its_place_breaks_the_epoch(server: Server):
    before = epoch_of(server)
    with psycopg.connect(server.url, dbname="template1", autocommit=True) as admin:
        admin.execute("CREATE DATABASE copy TEMPLATE postgres")
        admin.execute("ALTER DATABASE postgres RENAME TO lost")
        admin.execute("ALTER DATABASE copy RENAME TO postgres")

    assert epoch_of(server) != before


def test_daily_life_keeps_the_epoch(server: Server):
    before = epoch_of(server)

    for statement in ("ANALYZE", "VACUUM", "CHECKPOINT", "SELECT pg_switch_wal()"):
        server.rows(statement)

    assert epoch_of(server) == before
