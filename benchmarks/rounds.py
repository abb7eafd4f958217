"""The order of a benchmark: in every round each measurement meets each peer, and another peer begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.figures import Reading, Sample
from benchmarks.peer import JobsNotDone, Peer
from benchmarks.scale import Scale

Measurement = Callable[[Peer, Scale], Iterator[Reading]]
Tell = Callable[[str], None]


def run_rounds(
    peers: Sequence[Peer],
    measurements: Sequence[Measurement],
    *,
    scale: Scale,
    tell: Tell,
    after_round: Callable[[], object],
) -> list[Sample]:
    """Run all rounds; a peer that does not finish its jobs has no figure there, and the rest goes on."""
    samples: list[Sample] = []
    for number in range(scale.rounds):
        for measurement in measurements:
            for peer in rotate(peers, number):
                for sample in _take(measurement, peer, number=number, scale=scale, tell=tell):
                    tell(f"round {number + 1}: {peer.name}: {sample.figure.label}: {sample.value:.4g}")
                    samples.append(sample)
        after_round()
    return samples


def rotate(peers: Sequence[Peer], by: int) -> list[Peer]:
    """Return the peers in turn, beginning with another one each round."""
    start = by % len(peers)
    return [*peers[start:], *peers[:start]]


def _take(measurement: Measurement, peer: Peer, *, number: int, scale: Scale, tell: Tell) -> Iterator[Sample]:
    try:
        for reading in measurement(peer, scale):
            yield Sample(figure=reading.figure, peer=peer.name, round_number=number, value=reading.value)
    except JobsNotDone as failure:
        tell(str(failure))
