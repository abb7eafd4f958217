"""How long it takes to defer: one job by itself, one beside a row of the project, many at once."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figures import Better, Figure, Reading
from benchmarks.peer import Peer
from benchmarks.scale import Scale

FIGURES = {
    "alone": Figure(label="deferring one job in its own transaction", unit="µs", better=Better.LOWER),
    "beside": Figure(label="deferring one beside a row, in one transaction", unit="µs", better=Better.LOWER),
    "bulk": Figure(label="deferring in bulk, a job", unit="µs", better=Better.LOWER),
}


def measure(peer: Peer, scale: Scale) -> Iterator[Reading]:
    """Let the peer's own client defer, and read its clock."""
    seconds = peer.seconds_to_defer(singles=scale.defers, bulk=scale.bulk_defers)
    peer.stop()
    for way, figure in FIGURES.items():
        if way in seconds:
            yield Reading(figure, seconds[way] * 1_000_000)
