"""How fast a worker empties a queue of jobs that do nothing."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import Peer
from benchmarks.running import running
from benchmarks.scale import Scale
from benchmarks.workload import Work

COROUTINES = Figure(
    label="no-op jobs drained, coroutines",
    unit="jobs/s",
    better=Better.HIGHER,
    mark="≥ 10 × Procrastinate, ≥ 6 × Celery",
)
FUNCTIONS = Figure(label="no-op jobs drained, plain functions", unit="jobs/s", better=Better.HIGHER)


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Load the queue, start the worker; divide the jobs by the time from first start to last end."""
    for figure, work in ((COROUTINES, Work.NOOP_ASYNC), (FUNCTIONS, Work.NOOP_SYNC)):
        peer.load(work, scale.drain_jobs)
        with running(peer, concurrency=scale.concurrency):
            span = peer.wait(scale.drain_jobs)
        yield Reading(figure, scale.drain_jobs / span.seconds)
