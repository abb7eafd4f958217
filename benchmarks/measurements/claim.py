"""What a long history, and many jobs of the future, do to claiming (``--full`` only)."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.database import PeerDatabase
from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import Peer
from benchmarks.running import running
from benchmarks.scale import Scale
from benchmarks.workload import Work

JOBS = 500
EMPTY = Figure(label="time spent claiming a job, nothing else in the table", unit="ms", better=Better.LOWER)
HISTORY = Figure(
    label="the same beside 1 M finished and 100,000 future jobs", unit="ms", better=Better.LOWER, mark="flat"
)
DRAIN = Figure(label="no-op jobs drained, with that history", unit="jobs/s", better=Better.HIGHER)

_FILL = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, status, args, scheduled_at, attempts)
    SELECT 'bench', 'bench.noop_async', %(status)s::procrastinate_job_status, '{}', %(due)s::timestamptz, 0
    FROM generate_series(1, %(count)s)
"""


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Drain a few jobs twice, and ask the server how long it executed its worker's claims."""
    if peer.database is None or not (peer.has_job_table and scale.finished_jobs):
        return
    milliseconds, _ = _drain(peer, peer.database, scale)
    yield Reading(EMPTY, milliseconds)
    _fill(peer.database, scale)
    milliseconds, rate = _drain(peer, peer.database, scale)
    yield Reading(HISTORY, milliseconds)
    yield Reading(DRAIN, rate)


def _drain(peer: Peer, database: PeerDatabase, scale: Scale) -> tuple[float, float]:
    peer.load(Work.NOOP_ASYNC, JOBS)
    database.reset_meter()
    with running(peer, concurrency=scale.concurrency):
        span = peer.wait(JOBS)
        milliseconds = database.spent_milliseconds(peer.claim_statement)
    return milliseconds / JOBS, JOBS / span.seconds


def _fill(database: PeerDatabase, scale: Scale) -> None:
    """Write the history without its events and notifications, which claiming never reads."""
    connection = database.connection
    with database.without_triggers():
        connection.execute(_FILL, {"status": "succeeded", "due": None, "count": scale.finished_jobs})
        connection.execute(_FILL, {"status": "todo", "due": "2100-01-01", "count": scale.future_jobs})
    connection.execute("VACUUM ANALYZE procrastinate_jobs")
