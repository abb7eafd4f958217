"""What one worker holds: connections, and memory."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import Peer
from benchmarks.processes import family_of, resident_megabytes
from benchmarks.running import running, warm_up
from benchmarks.scale import Scale
from benchmarks.workload import WAIT_SECONDS, Work

CONCURRENCY = 10
BUSY = Figure(label="connections, ten jobs running", unit="", better=Better.LOWER)
IDLE = Figure(label="connections, idle", unit="", better=Better.LOWER)
SHARED_ONCE = Figure(label="memory, shared pages counted once", unit="MB", better=Better.LOWER)
RESIDENT = Figure(label="memory, resident sets added up", unit="MB", better=Better.LOWER)


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Weigh a warm worker with room for ten jobs, while it runs that many and when it has none."""
    with running(peer, concurrency=CONCURRENCY):
        warm_up(peer)
        peer.load(Work.WAIT_SYNC, 4 * CONCURRENCY)
        time.sleep(WAIT_SECONDS * 1.5)
        busy = peer.connections()
        peer.wait(4 * CONCURRENCY)
        idle = peer.connections()
        family = family_of(peer.process_id())
        shared_once = resident_megabytes(family, shared_once=True)
        resident = resident_megabytes(family, shared_once=False)
    yield Reading(BUSY, busy)
    yield Reading(IDLE, idle)
    yield Reading(SHARED_ONCE, shared_once)
    yield Reading(RESIDENT, resident)
