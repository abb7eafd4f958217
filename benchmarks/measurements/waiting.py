"""How well a worker overlaps jobs that wait for something slow."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import Peer
from benchmarks.running import running
from benchmarks.scale import Scale
from benchmarks.workload import Work

COROUTINES = Figure(label="jobs that wait 250 ms, coroutines", unit="jobs/s", better=Better.HIGHER)
FUNCTIONS = Figure(label="jobs that wait 250 ms, plain functions", unit="jobs/s", better=Better.HIGHER)


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Load the queue, start the worker with room for many jobs, and divide as for the drain."""
    for figure, work in ((COROUTINES, Work.WAIT_ASYNC), (FUNCTIONS, Work.WAIT_SYNC)):
        peer.load(work, scale.wait_jobs)
        with running(peer, concurrency=scale.wait_concurrency):
            span = peer.wait(scale.wait_jobs)
        yield Reading(figure, scale.wait_jobs / span.seconds)
