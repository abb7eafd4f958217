"""What open tabs share in a process: one reading of the queue for some seconds, told with its instant."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

LONGEST_SHARED = timedelta(seconds=20)
_TIMES_ITS_COST = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    reading: T
    of: datetime
    until: float


class SharedReadings(Generic[T]):
    """Hands one reading to all who ask for the same, as long as that is paid for by what it cost.

    A reading that took 10 ms is shared for 5 s, one that took 40 ms or more for ``LONGEST_SHARED``: so many
    tabs cost the database no more than a five-hundredth of its time, until a reading takes longer than that.
    """

    def __init__(self, *, instant_of: Callable[[T], datetime], clock: Callable[[], float] = time.monotonic):
        self._instant_of = instant_of
        self._clock = clock
        self._kept: dict[Hashable, _Kept[T]] = {}

    def get(self, key: Hashable, read: Callable[[], T], *, not_before: datetime | None) -> T:
        """Return a reading that is no older than what the asker has seen.

        Args:
            key: who may be handed the same.
            not_before: the instant of what the asker has; None to read anew, for all.
        """
        kept = self._kept.get(key)
        if kept is None or not_before is None or kept.of < not_before or self._clock() >= kept.until:
            kept = self._kept[key] = self._read(read)
        return kept.reading

    def _read(self, read: Callable[[], T]) -> _Kept[T]:
        started = self._clock()
        reading = read()
        ended = self._clock()
        shared_for = min((ended - started) * _TIMES_ITS_COST, LONGEST_SHARED.total_seconds())
        return _Kept(reading=reading, of=self._instant_of(reading), until=ended + shared_for)
