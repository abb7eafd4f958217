"""The figures of a benchmark and the arithmetic on them: pure, no clock, no I/O."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Better(Enum):
    """Which way a figure improves."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the report; ``mark`` is the goal it is held against, if there is one."""

    label: str
    unit: str
    better: Better
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a measurement read for one peer."""

    figure: Figure
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A reading with its peer and the round it comes from; figures are compared within a round only."""

    figure: Figure
    peer: str
    round_number: int
    value: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times better one peer is than another: the median of the rounds, and the worst of them."""

    median: float
    worst: float


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least ``percent`` of the values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("There is no percentile of nothing.")
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


def median_of(samples: Iterable[Sample], *, figure: Figure, peer: str) -> float | None:
    """Return the median of a peer's figure over the rounds; None if it was never read."""
    values = [sample.value for sample in samples if (sample.figure, sample.peer) == (figure, peer)]
    return statistics.median(values) if values else None


def ratio_of(samples: Sequence[Sample], *, figure: Figure, peer: str, to: str) -> Ratio | None:
    """Return how many times better ``peer`` is than ``to``; None without a round that has both."""
    own, other = (_by_round(samples, figure=figure, peer=name) for name in (peer, to))
    pairs = [(own[number], other[number]) for number in sorted(own.keys() & other.keys())]
    if figure.better is Better.LOWER:
        pairs = [(theirs, ours) for ours, theirs in pairs]
    ratios = [above / below for above, below in pairs if below]
    return Ratio(median=statistics.median(ratios), worst=min(ratios)) if ratios else None


def figures_in(samples: Iterable[Sample]) -> list[Figure]:
    """Return the figures that were read, in the order in which they first were."""
    return list(dict.fromkeys(sample.figure for sample in samples))


def _by_round(samples: Iterable[Sample], *, figure: Figure, peer: str) -> dict[int, float]:
    return {
        sample.round_number: sample.value
        for sample in samples
        if (sample.figure, sample.peer) == (figure, peer)
    }
