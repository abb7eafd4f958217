"""What a job costs the Postgres server, from its claim to its recorded end."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import Peer
from benchmarks.running import running
from benchmarks.scale import Scale
from benchmarks.workload import Work

WAL = Figure(label="WAL written a job", unit="bytes", better=Better.LOWER)
STATEMENTS = Figure(label="statements a job, BEGIN and COMMIT among them", unit="", better=Better.LOWER)


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Drain a loaded queue between two readings of the server's own counters."""
    if peer.database is None:
        return
    peer.load(Work.NOOP_ASYNC, scale.cost_jobs)
    peer.database.reset_meter()
    with running(peer, concurrency=scale.concurrency):
        peer.wait(scale.cost_jobs)
        meter = peer.database.read_meter()
    yield Reading(WAL, meter.wal_bytes / scale.cost_jobs)
    yield Reading(STATEMENTS, meter.statements / scale.cost_jobs)
