"""This project's worker: ``manage.py procrastinate worker``."""

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

NAME = "this worker"
_MANAGE = [sys.executable, "-m", "django"]


class Ours:
    """The supervised worker on its own tables, with ``processes`` children."""

    name = NAME
    claim_statement = "%known_queue%"
    drain_concurrencies = (20, 100, 200)
    process_counts = (2, 4)
    has_job_table = True

    def __init__(self, database: PeerDatabase, *, folder: Path, processes: int) -> None:
        self.database = database
        self.stamps = folder / "ours.stamps"
        self.log = folder / "ours.log"
        self._processes = processes
        self._jobs = JobTable(database, name=NAME, log=self.log)
        self._worker: WorkerProcess | None = None

    def install(self) -> None:
        """Create the tables."""
        run_to_end([*_MANAGE, "migrate", "-v0"], environment=self._environment(as_worker=False))

    def start(self, *, concurrency: int, processes: int | None = None) -> None:
        """Start the worker; ``concurrency`` is that of all its children together."""
        count = processes or self._processes
        options = ["--processes", str(count), "--concurrency", str(max(1, concurrency // count))]
        self._worker = WorkerProcess(
            [*_MANAGE, "procrastinate", "worker", *options],
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
        command = [sys.executable, "-m", "benchmarks.workers.ours_client", str(singles), str(bulk)]
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
        self.database.connection.execute("TRUNCATE procrastinate_tasks_jobattempt, auth_group CASCADE")
        self.stamps.unlink(missing_ok=True)

    def _environment(self, *, as_worker: bool) -> dict[str, str]:
        return {
            **self.database.environment(as_worker=as_worker),
            "DJANGO_SETTINGS_MODULE": "benchmarks.workers.ours_settings",
            STAMPS_VARIABLE: str(self.stamps),
        }


@contextmanager
def open_ours(server: BenchServer, *, folder: Path, processes: int) -> Iterator[Ours]:
    """Prepare this project's worker."""
    with server.database("ours") as database:
        peer = Ours(database, folder=folder, processes=processes)
        peer.install()
        try:
            yield peer
        finally:
            peer.stop()
