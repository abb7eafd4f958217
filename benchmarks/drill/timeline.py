"""Rates and pauses, from the instants at which charges ended; pure. Instants are epoch seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How many sessions the primary had at one instant."""

    at: float
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One event: quiet before it, the event until everything works again, and a while after."""

    name: str
    told: str
    quiet_from: float
    began: float
    recovered: float
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFigures:
    """What one event cost. Rates are charges a second; durations are seconds."""

    name: str
    told: str
    before: float
    during: float
    after: float
    longest_pause: float
    seconds: float
    connections: int


def figures_of(window: Window, *, ends: Sequence[float], samples: Sequence[Sample]) -> EventFigures:
    """Return the figures of one event.

    Args:
        ends: when each charge of the whole drill ended, in order.
        samples: the connections of the whole drill, in order.
    """
    return EventFigures(
        name=window.name,
        told=window.told,
        before=rate(ends, window.quiet_from, window.began),
        during=rate(ends, window.began, window.recovered),
        after=rate(ends, window.recovered, window.ended),
        longest_pause=longest_pause(ends, window.began, window.ended),
        seconds=window.recovered - window.began,
        connections=peak(samples, window.quiet_from, window.ended),
    )


def rate(ends: Sequence[float], begin: float, end: float) -> float:
    """Return how many ended per second in a span of time."""
    return sum(begin <= at < end for at in ends) / (end - begin) if end > begin else 0.0


def longest_pause(ends: Sequence[float], begin: float, end: float) -> float:
    """Return the longest time in a span during which nothing ended, in seconds."""
    inside = [at for at in ends if begin <= at <= end]
    return max(later - earlier for earlier, later in pairwise([begin, *inside, end]))


def peak(samples: Sequence[Sample], begin: float, end: float) -> int:
    """Return the most connections that were seen in a span of time."""
    return max((sample.connections for sample in samples if begin <= sample.at <= end), default=0)
