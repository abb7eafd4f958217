"""A tick every so many seconds, counted from 1970: every process knows the same, whatever clocks change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=366)
_PREFIX, _SUFFIX = "every ", " s"


@dataclass(frozen=True, slots=True)
class Interval:
    """Stands where a schedule has a cron expression.

    Raises:
        ValueError: it is shorter than a second or longer than a year.
    """

    span: timedelta

    def __post_init__(self) -> None:
        if not _SHORTEST <= self.span <= _LONGEST:
            raise ValueError("A schedule's every is a second at least, and a year at most.")

    @property
    def expression(self) -> str:
        """What is stored and shown of it: ``every 90 s``."""
        return f"{_PREFIX}{self.span / timedelta(seconds=1):.15g}{_SUFFIX}"

    def next_after(self, instant: datetime) -> datetime:
        """Return the first tick later than ``instant``."""
        return _EPOCH + ((instant - _EPOCH) // self.span + 1) * self.span

    def ticks_between(self, after: datetime, until: datetime, *, at_most: int) -> tuple[list[datetime], bool]:
        """Return the latest ticks in ``(after, until]``, oldest first, and whether those are all."""
        first, last = (after - _EPOCH) // self.span + 1, (until - _EPOCH) // self.span
        kept = max(first, last - at_most + 1)
        return [_EPOCH + number * self.span for number in range(kept, last + 1)], kept == first


def find_interval(expression: str) -> Interval | None:
    """Return the interval that an expression names, if it does."""
    if not (expression.startswith(_PREFIX) and expression.endswith(_SUFFIX)):
        return None
    return Interval(timedelta(seconds=float(expression.removeprefix(_PREFIX).removesuffix(_SUFFIX))))
