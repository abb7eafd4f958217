"""What a forgotten transaction does to a drain: what was claimed since stays in the indexes for it."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import Peer
from benchmarks.scale import Scale
from benchmarks.workload import Work

FREE = Figure(label="no-op jobs drained after many others", unit="jobs/s", better=Better.HIGHER)
PINNED = Figure(
    label="the same under a forgotten transaction",
    unit="jobs/s",
    better=Better.HIGHER,
    mark="≥ 85 % of the line above",
)


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Drain twice; the second time under a transaction that may still see all the others waiting."""
    if not peer.has_job_table:
        return
    for figure, is_pinned in ((FREE, False), (PINNED, True)):
        yield Reading(figure, _rate(peer, scale, is_pinned=is_pinned))


def _rate(peer: Peer, scale: Scale, *, is_pinned: bool) -> float:
    if peer.database is None:
        return 0.0
    peer.load(Work.NOOP_ASYNC, scale.passed_jobs)
    try:
        with peer.database.snapshot(is_pinned=is_pinned):  # it ends first: tables it has read are not emptied
            peer.database.end_all_jobs()
            peer.load(Work.NOOP_ASYNC, scale.drain_jobs)
            peer.start(concurrency=scale.pinned_concurrency)
            span = peer.wait(scale.drain_jobs)
    finally:
        peer.stop()
    return scale.drain_jobs / span.seconds
