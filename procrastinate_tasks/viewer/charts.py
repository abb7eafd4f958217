"""Charts as shapes: paths for an SVG that stretches, and the labels of its axes beside it.

A drawing has no text, which would shrink with the page: its labels are HTML, and a table goes with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

WIDTH = 1000
"""The width of a drawing in its own units; the page stretches it."""

_NICE = (1, 2, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Series on one scale: a path for each, in drawing units, and what the top of the scale stands for."""

    height: int
    paths: tuple[str, ...]
    top: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What a path shows, and the class that gives it its looks."""

    label: str
    looks: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A drawing with its scale: ``top`` in words, such as ``50 per 5 min``."""

    label: str
    height: int
    top: str
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A label of the time axis, at a share of the width such as ``25.0%``."""

    x: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An upright line at ``x`` in drawing units."""

    x: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Panels over one time axis, with the same numbers as a table; ``summary`` tells them at a glance."""

    key: str
    title: str
    summary: str
    panels: tuple[Panel, ...]
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...] = ()
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def nice_top(greatest: float) -> float:
    """Return the next number of 1, 2, 5, 10, 20, … that is not less; 1 for nothing at all."""
    if greatest <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(greatest))
    return next((nice * power for nice in _NICE if nice * power >= greatest), 10 * power)


def bars(values: Sequence[float], *, height: int) -> Drawing:
    """Draw one bar a value, from the left edge to the right; nothing where a value is 0."""
    top = nice_top(max(values, default=0))
    step = WIDTH / max(len(values), 1)
    shapes = [
        f"M{_number(place * step)} {height}V{_number(height - height * value / top)}"
        f"h{_number(step * 0.85)}V{height}z"
        for place, value in enumerate(values)
        if value
    ]
    return Drawing(height=height, paths=("".join(shapes),), top=top)


def lines(series: Sequence[Sequence[float | None]], *, height: int) -> Drawing:
    """Draw lines on one scale, broken where nothing is known; a point alone becomes a short dash."""
    top = nice_top(max((value for values in series for value in values if value is not None), default=0))
    return Drawing(
        height=height, paths=tuple(_line(values, height=height, top=top) for values in series), top=top
    )


def _line(values: Sequence[float | None], *, height: int, top: float) -> str:
    step = WIDTH / max(len(values), 1)
    path, is_open = [], False
    for place, value in enumerate(values):
        if value is None:
            is_open = False
            continue
        y = _number(height - height * value / top)
        left, right = _number(place * step), _number((place + 1) * step)
        path.append(f"{'L' if is_open else 'M'}{left} {y}H{right}")
        is_open = True
    return "".join(path)


def place_in(share: float) -> str:
    """Return the x of a place between 0, the left edge, and 1, the right one, in drawing units."""
    return _number(WIDTH * min(max(share, 0.0), 1.0))


def hours_between(from_at: datetime, until: datetime, *, every: int) -> tuple[Tick, ...]:
    """Return a tick at each hour that ``every`` divides, by the clock of the active time zone."""
    local = timezone.localtime(from_at).replace(minute=0, second=0, microsecond=0)
    ticks = []
    while local <= until:
        if local >= from_at and local.hour % every == 0:
            share = (local - from_at) / (until - from_at)
            ticks.append(Tick(x=f"{100 * share:.1f}%", label=f"{local:%H:%M}"))
        local = timezone.localtime(local + timedelta(hours=1))
    return tuple(ticks)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
