"""How much is measured: the quick, the usual and the full benchmark."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Sizes of one benchmark; rates are per second."""

    rounds: int
    concurrency: int
    drain_jobs: int
    wait_jobs: int
    wait_concurrency: int
    pickups: int
    load_rate: int
    load_seconds: int
    cost_jobs: int
    defers: int
    bulk_defers: int
    passed_jobs: int
    pinned_concurrency: int
    blocked_jobs: int
    finished_jobs: int = 0
    future_jobs: int = 0


USUAL = Scale(
    rounds=3,
    concurrency=20,
    drain_jobs=5000,
    wait_jobs=400,
    wait_concurrency=50,
    pickups=200,
    load_rate=100,
    load_seconds=10,
    cost_jobs=2000,
    defers=500,
    bulk_defers=10_000,
    passed_jobs=100_000,
    pinned_concurrency=100,
    blocked_jobs=100_000,
)
QUICK = replace(
    USUAL,
    rounds=1,
    drain_jobs=1000,
    wait_jobs=60,
    wait_concurrency=20,
    pickups=40,
    load_rate=50,
    load_seconds=2,
    cost_jobs=500,
    defers=100,
    passed_jobs=30_000,
    blocked_jobs=5_000,
)
FULL = replace(USUAL, rounds=5, pickups=1000, finished_jobs=1_000_000, future_jobs=100_000)
