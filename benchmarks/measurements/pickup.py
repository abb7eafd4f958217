"""How long a job waits for a worker that has room: from COMMIT to the first line of the task."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence

from benchmarks.figures import Better, Figure, Reading, percentile
from benchmarks.peer import Peer
from benchmarks.running import read_stamps, running, warm_up
from benchmarks.scale import Scale

CONCURRENCY = 10
IDLE_P50 = Figure(label="pick-up latency, idle, p50", unit="ms", better=Better.LOWER)
IDLE_P99 = Figure(label="pick-up latency, idle, p99", unit="ms", better=Better.LOWER, mark="≤ 20 ms")
LOAD_P50 = Figure(label="pick-up latency, modest load, p50", unit="ms", better=Better.LOWER)
LOAD_P99 = Figure(label="pick-up latency, modest load, p99", unit="ms", better=Better.LOWER)


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Send single jobs to a warm worker: one after another with pauses, then at a steady rate."""
    with running(peer, concurrency=CONCURRENCY):
        warm_up(peer)
        idle = _latencies(peer, _idle_pauses(scale.pickups))
        steady = [1 / scale.load_rate] * (scale.load_rate * scale.load_seconds)
        load = _latencies(peer, steady)
    yield Reading(IDLE_P50, percentile(idle, 50))
    yield Reading(IDLE_P99, percentile(idle, 99))
    yield Reading(LOAD_P50, percentile(load, 50))
    yield Reading(LOAD_P99, percentile(load, 99))


def _idle_pauses(count: int) -> list[float]:
    """Return uneven pauses, the same ones each time, so that no peer's own rhythm favours it."""
    uneven = random.Random(count)  # noqa: S311 - spreads instants, keeps no secret
    return [uneven.uniform(0.03, 0.07) for _ in range(count)]


def _latencies(peer: Peer, pauses: Sequence[float]) -> list[float]:
    """Send a job after each pause; return milliseconds from each COMMIT to the task's first line."""
    sent = {}
    next_at = time.monotonic()
    for token, pause in enumerate(pauses):
        next_at += pause
        time.sleep(max(0.0, next_at - time.monotonic()))
        sent[token] = peer.send(token)
    reached = read_stamps(peer, wanted=len(sent))
    peer.stamps.unlink()
    return [(reached[token] - instant) * 1000 for token, instant in sent.items()]
