"""Where mutants are tried: a copy of the tree and a Postgres of its own, made new for each of them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import psycopg

from reyes_estancias.postgres.server import Address, throw_away_server
from tests.mutation.forking import CANNOT, PIPES
from tests.mutation.mutant import Mutant

_TEST_DATABASE = "test_reyes_estancias"
_PRISTINE = "pristine"
# A mutant that makes a test wait is one that was noticed; a busy machine is not.
_LEAST_SECONDS = 60.0
_TIMES_THE_USUAL = 5
_TIMED_OUT = -1


class Verdict(StrEnum):
    """What became of a mutant; one that Postgres cannot parse says nothing and is not counted."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    INVALID = "invalid"


class Bench:
    """Runs tests over one changed file at a time; nothing of a run reaches the next."""

    def __init__(self, tree: Path, address: Address, *, tests: Sequence[str]) -> None:
        self._tree = tree
        self._address = address
        self._tests = tests
        self._log = tree / "pytest.log"
        self._within = 600.0

    def prepare(self) -> None:
        """Run the tests on the tree as it is, keep their empty database, and start the process that forks.

        Raises:
            SystemExit: they fail, so that they could not judge a mutant.
        """
        if self._run_apart("--create-db") != 0:
            raise SystemExit(f"These tests fail on the tree as it is:\n{self._log.read_text()[-3000:]}")
        if self._sql(f"SELECT 1 FROM pg_database WHERE datname = '{_TEST_DATABASE}'"):
            self._sql(f"ALTER DATABASE {_TEST_DATABASE} RENAME TO {_PRISTINE}")
        self._start_forking()
        self._renew_database()
        began = time.monotonic()
        if self._run_in_fork(path="", name="") != 0:
            raise SystemExit(f"These tests fail in a fork:\n{self._log.read_text()[-3000:]}")
        self._within = max(_LEAST_SECONDS, _TIMES_THE_USUAL * (time.monotonic() - began))

    def close(self) -> None:
        """End the process that forks."""
        os.close(self._requests)
        self._forking.wait()

    def try_out(self, path: Path, mutant: Mutant) -> Verdict:
        """Run the tests on the tree with the mutant in it."""
        file = self._tree / path
        source = file.read_bytes()
        self._renew_database()
        try:
            self._write(file, mutant.applied_to(source))
            code = CANNOT
            if mutant.function or path.suffix == ".sql":
                code = self._run_in_fork(path=str(path), name=mutant.function)
            if code == CANNOT:
                code = self._run_apart()
        finally:
            self._write(file, source)
        if code == _TIMED_OUT:
            return Verdict.TIMED_OUT
        if path.suffix == ".sql" and "syntax error at" in self._log.read_text(errors="replace"):
            return Verdict.INVALID
        return Verdict.SURVIVED if code == 0 else Verdict.KILLED

    def _write(self, file: Path, source: bytes) -> None:
        file.write_bytes(source)
        # A module compiled in the same second from a source of the same length would pass for this one.
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            compiled.unlink()

    def _renew_database(self) -> None:
        self._sql(f"DROP DATABASE IF EXISTS {_TEST_DATABASE} WITH (FORCE)")
        if self._sql(f"SELECT 1 FROM pg_database WHERE datname = '{_PRISTINE}'"):
            self._sql(f"CREATE DATABASE {_TEST_DATABASE} TEMPLATE {_PRISTINE} STRATEGY file_copy")

    def _sql(self, command: str) -> list[tuple[object, ...]]:
        address = self._address
        with psycopg.connect(
            host=str(address.socket_dir),
            port=address.port,
            user=address.user,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            cursor = connection.execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def _start_forking(self) -> None:
        their_requests, self._requests = os.pipe()
        answers, their_answers = os.pipe()
        self._answers = os.fdopen(answers)
        more = ["-p", "tests.mutation.forking"]
        self._forking = self._pytest(
            more, {PIPES: f"{their_requests},{their_answers}"}, (their_requests, their_answers)
        )
        os.close(their_requests)
        os.close(their_answers)

    def _run_in_fork(self, *, path: str, name: str) -> int:
        os.truncate(self._log, 0)
        request = {"within": self._within, "function": {"path": path, "name": name}}
        os.write(self._requests, f"{json.dumps(request)}\n".encode())
        return int(self._answers.readline())

    def _run_apart(self, *more: str) -> int:
        process = self._pytest(more)
        try:
            return process.wait(timeout=self._within)
        except subprocess.TimeoutExpired:
            return _TIMED_OUT
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # whatever a broken worker left behind, too
            process.wait()

    def _pytest(
        self,
        more: Sequence[str],
        more_environment: Mapping[str, str] = MappingProxyType({}),
        fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        with self._log.open("ab" if more_environment else "wb") as log:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "pytest",
                    "-x",
                    "-q",
                    "-p",
                    "no:cacheprovider",
                    "--reuse-db",
                    *more,
                    *self._tests,
                ],
                cwd=self._tree,
                env={**os.environ, "DATABASE_URL": self._address.as_url(), **more_environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=fds,
            )


@contextlib.contextmanager
def open_bench(project: Path, *, tests: Sequence[str]) -> Iterator[Bench]:
    """Copy what git knows of the project, and start a server; both are gone after the block."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, throw_away_server() as address:
        tree = Path(folder)
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listing, cwd=project, check=True, capture_output=True).stdout.decode()
        for name in filter(None, names.split("\0")):
            if (project / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(project / name, tree / name)
        (tree / ".venv").symlink_to(project / ".venv")
        bench = Bench(tree, address, tests=tests)
        bench.prepare()
        yield bench
        bench.close()
