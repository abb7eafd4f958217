"""Plain Procrastinate: its own worker, command and connector, as its documentation begins."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.database import BenchServer, PeerDatabase
from benchmarks.job_table import JobTable
from benchmarks.peer import Span
from benchmarks.processes import WorkerProcess, read_json, run_to_end
from benchmarks.workload import STAMPS_VARIABLE, Work

NAME = "Procrastinate"
_COMMAND = [
    sys.executable,
    "-m",
    "procrastinate",
    "--app=benchmarks.workers.plain_app.app",
    "--log-level=warning",
]


class PlainProcrastinate:
    """One process, which is all that its command starts."""

    name = NAME
    claim_statement = "%procrastinate_fetch_job%"
    drain_concurrencies = (20, 100, 200)
    process_counts = ()
    has_job_table = True

    def __init__(self, database: PeerDatabase, *, folder: Path) -> None:
        self.database = database
        self.stamps = folder / "plain.stamps"
        self.log = folder / "plain.log"
        self._jobs = JobTable(database, name=NAME, log=self.log)
        self._worker: WorkerProcess | None = None

    def install(self) -> None:
        """Create the tables."""
        run_to_end([*_COMMAND, "schema", "--apply"], environment=self._environment(as_worker=False))

    def start(self, *, concurrency: int, processes: int | None = None) -> None:
        self._worker = WorkerProcess(
            [*_COMMAND, "worker", "--concurrency", str(concurrency)],
            environment=self._environment(as_worker=True),
            log=self.log,
        )

    def load(self, work: Work, count: int) -> None:
        self._jobs.load(work, count)

    def wait(self, count: int) -> Span:
        return self._jobs.wait(count)

    def send(self, token: int) -> float:
        return self._jobs.send(token)

    def seconds_to_defer(self, *, singles: int, bulk: int) -> dict[str, float]:
        command = [sys.executable, "-m", "benchmarks.workers.plain_client", str(singles), str(bulk)]
        return read_json(command, environment=self._environment(as_worker=False))

    def connections(self) -> int:
        return self.database.count_connections()

    def process_id(self) -> int:
        return self._worker.pid if self._worker else 0

    def stop(self) -> None:
        if self._worker:
            self._worker.stop()
        self._worker = None
        self._jobs.clear()
        self.stamps.unlink(missing_ok=True)

    def _environment(self, *, as_worker: bool) -> dict[str, str]:
        return {**self.database.environment(as_worker=as_worker), STAMPS_VARIABLE: str(self.stamps)}


@contextmanager
def open_plain_procrastinate(server: BenchServer, *, folder: Path) -> Iterator[PlainProcrastinate]:
    """Prepare plain Procrastinate."""
    with server.database("plain") as database:
        peer = PlainProcrastinate(database, folder=folder)
        peer.install()
        try:
            yield peer
        finally:
            peer.stop()
