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

_SHORTEST_SECONDS = 1.5


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Read the peer's rate at the best of the concurrencies it is tried with."""
    for figure, work in ((COROUTINES, Work.NOOP_ASYNC), (FUNCTIONS, Work.NOOP_SYNC)):
        rates = [
            _rate(peer, work, jobs=scale.drain_jobs, concurrency=concurrency)
            for concurrency in peer.drain_concurrencies
        ]
        yield Reading(figure, max(rates))


def _rate(peer: Peer, work: Work, *, jobs: int, concurrency: int) -> float:
    """Load the queue, start the worker; divide the jobs by the time from first start to last end.

    A drain that is over too soon is taken again with more jobs: its first and last moments weigh too much.
    """
    while True:
        peer.load(work, jobs)
        with running(peer, concurrency=concurrency):
            span = peer.wait(jobs)
        if span.seconds >= _SHORTEST_SECONDS:
            return jobs / span.seconds
        jobs *= 4
