"""PgQueuer: jobs in Postgres that are deleted when they end, with a log beside; asyncpg and uvloop."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.database import BenchServer, PeerDatabase
from benchmarks.peer import JobsNotDone, PeerUnavailable, Span
from benchmarks.processes import ROOT, WorkerProcess, read_json, run_to_end
from benchmarks.workload import STAMPS_VARIABLE, Work

NAME = "PgQueuer"
PATIENCE_SECONDS = 180.0
PROGRAMS = ROOT / ".local" / "bench" / "pgqueuer" / "bin"
_LOOK_EVERY_SECONDS = 0.25

# What its own client inserts, in one statement.
_ENQUEUE = """
    WITH enqueued AS (
        INSERT INTO pgqueuer (priority, entrypoint, payload, status)
        SELECT 0, %(task)s, convert_to(%(payload)s::text, 'UTF8'), 'queued' FROM generate_series(1, %(count)s)
        RETURNING id, entrypoint, priority
    )
    INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
    SELECT id, 'queued', entrypoint, priority FROM enqueued
"""
_PROGRESS = """
    SELECT
        count(*) FILTER (WHERE status = 'successful') AS done,
        count(*) FILTER (WHERE status NOT IN ('queued', 'picked', 'successful')) AS failed,
        min(created) FILTER (WHERE status = 'picked') AS first_at,
        max(created) FILTER (WHERE status = 'successful') AS last_at
    FROM pgqueuer_log
    WHERE job_id > %(after)s
"""
_LAST_ID = "SELECT coalesce(max(job_id), 0) FROM pgqueuer_log"


class PgQueuer:
    """Its queue manager in one process; a batch is half as many jobs as may run at a time."""

    name = NAME
    claim_statement = "%log_pick%"
    drain_concurrencies = (20, 100, 200)
    process_counts = ()
    has_job_table = False

    def __init__(self, database: PeerDatabase, *, folder: Path) -> None:
        self.database = database
        self.stamps = folder / "pgqueuer.stamps"
        self.log = folder / "pgqueuer.log"
        self._last_id_before = 0
        self._worker: WorkerProcess | None = None

    def install(self) -> None:
        """Create the tables."""
        run_to_end([str(PROGRAMS / "pgq"), "install"], environment=self._environment(as_worker=False))

    def start(self, *, concurrency: int, processes: int | None = None) -> None:
        self._worker = WorkerProcess(
            [str(PROGRAMS / "python"), "-m", "benchmarks.workers.pgqueuer_worker", str(concurrency)],
            environment=self._environment(as_worker=True),
            log=self.log,
        )

    def load(self, work: Work, count: int) -> None:
        self._last_id_before = self.database.value(_LAST_ID)
        self._enqueue(work, payload="", count=count)
        self.database.connection.execute("ANALYZE pgqueuer")

    def wait(self, count: int) -> Span:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            row = (
                self.database.connection.execute(_PROGRESS, {"after": self._last_id_before}).fetchone() or {}
            )
            if row["done"] >= count:
                return Span(first_at=row["first_at"], last_at=row["last_at"])
            if row["failed"] or time.monotonic() > give_up_at:
                raise JobsNotDone(
                    peer=NAME, done=row["done"], failed=row["failed"], wanted=count, log=self.log
                )
            time.sleep(_LOOK_EVERY_SECONDS)

    def _progress(self) -> dict[str, Any]:
        return self.database.connection.execute(_PROGRESS, {"after": self._last_id_before}).fetchone() or {}

    def send(self, token: int) -> float:
        with self.database.connection.transaction():
            self._enqueue(Work.STAMP, payload=str(token), count=1)
            return time.time()

    def seconds_to_defer(self, *, singles: int, bulk: int) -> dict[str, float]:
        command = [str(PROGRAMS / "python"), "-m", "benchmarks.workers.pgqueuer_client"]
        return read_json([*command, str(singles), str(bulk)], environment=self._environment(as_worker=False))

    def connections(self) -> int:
        return self.database.count_connections()

    def process_id(self) -> int:
        return self._worker.pid if self._worker else 0

    def stop(self) -> None:
        if self._worker:
            self._worker.stop()
        self._worker = None
        self.database.connection.execute("TRUNCATE pgqueuer, pgqueuer_log")
        self.stamps.unlink(missing_ok=True)

    def _enqueue(self, work: Work, *, payload: str, count: int) -> None:
        parameters = {"task": work.value, "payload": payload, "count": count}
        self.database.connection.execute(_ENQUEUE, parameters)

    def _environment(self, *, as_worker: bool) -> dict[str, str]:
        return {
            **self.database.environment(as_worker=as_worker),
            "PYTHONPATH": str(ROOT),
            STAMPS_VARIABLE: str(self.stamps),
        }


@contextmanager
def open_pgqueuer(server: BenchServer, *, folder: Path) -> Iterator[PgQueuer]:
    """Prepare PgQueuer.

    Raises:
        PeerUnavailable: its environment is missing, or its tables cannot be made.
    """
    if not (PROGRAMS / "pgq").exists():
        raise PeerUnavailable(f"{NAME} is left out: `make bench` could not install it.")
    with server.database("pgqueuer") as database:
        peer = PgQueuer(database, folder=folder)
        try:
            peer.install()
        except subprocess.CalledProcessError as fault:
            raise PeerUnavailable(f"{NAME} is left out: {fault.stderr[-200:]}") from fault
        try:
            yield peer
        finally:
            peer.stop()
