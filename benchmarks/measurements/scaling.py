"""What more processes bring where one may have them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import Peer
from benchmarks.scale import Scale
from benchmarks.workload import Work

FIGURES = {
    2: Figure(label="no-op jobs drained, two processes", unit="jobs/s", better=Better.HIGHER),
    4: Figure(label="no-op jobs drained, four processes", unit="jobs/s", better=Better.HIGHER),
}


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Drain with so many job processes, a hundred jobs at a time in all."""
    for processes, figure in FIGURES.items():
        if processes not in peer.process_counts:
            continue
        peer.load(Work.NOOP_ASYNC, scale.drain_jobs)
        try:
            peer.start(concurrency=100, processes=processes)
            span = peer.wait(scale.drain_jobs)
        finally:
            peer.stop()
        yield Reading(figure, scale.drain_jobs / span.seconds)
