"""What a job costs the Postgres server, and the worker in processor time, up to its recorded end."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import Peer
from benchmarks.processes import family_of, processor_seconds
from benchmarks.running import running, warm_up
from benchmarks.scale import Scale
from benchmarks.workload import Work

WAL = Figure(label="WAL written a job, claim to end", unit="bytes", better=Better.LOWER)
LIFE = Figure(label="WAL written a job, enqueued to end", unit="bytes", better=Better.LOWER, mark="≤ 2,600")
STATEMENTS = Figure(label="statements a job, BEGIN and COMMIT among them", unit="", better=Better.LOWER)
WORKER = Figure(label="processor time a job, worker", unit="µs", better=Better.LOWER)
SERVER = Figure(label="processor time a job, its sessions on the server", unit="µs", better=Better.LOWER)


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Drain between two readings of the server's own counters, then with a warm worker of its time."""
    if peer.database is not None:
        peer.database.reset_meter()
        before = peer.database.read_meter().wal_bytes
        peer.load(Work.NOOP_ASYNC, scale.cost_jobs)
        enqueued = peer.database.read_meter().wal_bytes - before
        peer.database.reset_meter()
        with running(peer, concurrency=scale.concurrency):
            peer.wait(scale.cost_jobs)
            meter = peer.database.read_meter()
        yield Reading(WAL, meter.wal_bytes / scale.cost_jobs)
        yield Reading(LIFE, (enqueued + meter.wal_bytes) / scale.cost_jobs)
        yield Reading(STATEMENTS, meter.statements / scale.cost_jobs)
    yield from _processor_time(peer, scale)


def _processor_time(peer: Peer, scale: Scale) -> Iterator[Reading]:
    with running(peer, concurrency=scale.concurrency):
        warm_up(peer)
        before = _seconds(peer)
        peer.load(Work.NOOP_ASYNC, scale.drain_jobs)
        peer.wait(scale.drain_jobs)
        spent = {figure: seconds - before[figure] for figure, seconds in _seconds(peer).items()}
    for figure, seconds in spent.items():
        yield Reading(figure, seconds / scale.drain_jobs * 1_000_000)


def _seconds(peer: Peer) -> dict[Figure, float]:
    seconds = {WORKER: processor_seconds(family_of(peer.process_id()))}
    if peer.database is not None:
        seconds[SERVER] = processor_seconds(peer.database.worker_backends())
    return seconds
