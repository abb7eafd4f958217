"""What many jobs that wait for one lock do to claiming the others."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.database import PeerDatabase
from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import Peer
from benchmarks.running import running
from benchmarks.scale import Scale
from benchmarks.workload import Work

JOBS = 200
BLOCKED = Figure(
    label="time spent claiming a job beside many that wait for a lock", unit="ms", better=Better.LOWER
)

# One runs for a worker that beats for ever, the others wait for its lock.
_FILL = """
    WITH worker AS (
        INSERT INTO procrastinate_workers (last_heartbeat) VALUES ('2100-01-01') RETURNING id
    )
    INSERT INTO procrastinate_jobs (queue_name, task_name, status, lock, args, worker_id)
    SELECT
        'bench', 'bench.noop_async',
        (CASE number WHEN 0 THEN 'doing' ELSE 'todo' END)::procrastinate_job_status, 'one', '{}',
        CASE number WHEN 0 THEN worker.id END
    FROM worker, generate_series(0, %(count)s) AS number
"""


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Drain a few jobs behind them, and ask the server how long it executed its worker's claims."""
    if peer.database is None or not peer.has_job_table:
        return
    _fill(peer.database, scale)
    peer.load(Work.NOOP_ASYNC, JOBS)
    peer.database.reset_meter()
    with running(peer, concurrency=scale.concurrency):
        peer.wait(JOBS)
        milliseconds = peer.database.spent_milliseconds(peer.claim_statement)
    yield Reading(BLOCKED, milliseconds / JOBS)


def _fill(database: PeerDatabase, scale: Scale) -> None:
    with database.without_triggers():
        database.connection.execute(_FILL, {"count": scale.blocked_jobs})
    database.connection.execute("VACUUM ANALYZE procrastinate_jobs")
