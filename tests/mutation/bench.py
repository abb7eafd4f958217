"""Where mutants are tried: a copy of the tree and a Postgres of its own, made new for each of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path

import psycopg

from reyes_estancias.postgres.server import Address, throw_away_server
from tests.mutation.mutant import Mutant

_TEST_DATABASE = "test_reyes_estancias"
_PRISTINE = "pristine"
# A mutant that makes a test wait is one that was noticed; a busy machine is not.
_LEAST_SECONDS = 60.0
_TIMES_THE_USUAL = 5


class Verdict(StrEnum):
    """What became of a mutant; one that Postgres cannot parse says nothing and is not counted."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    INVALID = "invalid"


class Bench:
    """Runs tests over one changed file at a time; nothing of a run reaches the next."""

    def __init__(self, tree: Path, address: Address) -> None:
        self._tree = tree
        self._address = address

    def run_unchanged(self, tests: Sequence[str]) -> float:
        """Run the tests on the tree as it is, keep their empty database, and say how long they took.

        Raises:
            SystemExit: they fail, so that they could not judge a mutant.
        """
        self._pytest(tests, within=600, more=["--create-db"])  # migrates, and compiles every module
        began = time.monotonic()
        code, output = self._pytest(tests, within=600)
        if code != 0:
            raise SystemExit(f"These tests fail on the tree as it is:\n{output[-3000:]}")
        took = time.monotonic() - began
        self._sql(f"DROP DATABASE IF EXISTS {_PRISTINE} WITH (FORCE)")
        if self._sql(f"SELECT 1 FROM pg_database WHERE datname = '{_TEST_DATABASE}'"):
            self._sql(f"ALTER DATABASE {_TEST_DATABASE} RENAME TO {_PRISTINE}")
        return took

    def try_out(self, path: Path, mutant: Mutant, *, tests: Sequence[str], usual: float) -> Verdict:
        """Run the tests on the tree with the mutant in it."""
        file = self._tree / path
        source = file.read_bytes()
        self._renew_database()
        try:
            self._write(file, mutant.applied_to(source))
            code, output = self._pytest(tests, within=max(_LEAST_SECONDS, usual * _TIMES_THE_USUAL))
        finally:
            self._write(file, source)
        if code is None:
            return Verdict.TIMED_OUT
        if path.suffix == ".sql" and "syntax error at" in output:
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

    def _pytest(
        self, tests: Sequence[str], *, within: float, more: Sequence[str] = ()
    ) -> tuple[int | None, str]:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--reuse-db", *more]
        environment = os.environ | {"DATABASE_URL": self._address.as_url()}
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            process = subprocess.Popen(
                [*command, *tests],
                cwd=self._tree,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code: int | None = process.wait(timeout=within)
            except subprocess.TimeoutExpired:
                code = None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # whatever a broken worker left behind, too
            process.wait()
            output.seek(0)
            return code, output.read()


@contextlib.contextmanager
def open_bench(project: Path) -> Iterator[Bench]:
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
        yield Bench(tree, address)
