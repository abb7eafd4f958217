"""Whether this worker has been in touch with the database long enough to judge others by their silence."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta


class Pulse:
    """Watches this worker's own beats.

    After an outage of the database every worker looks silent. Whoever comes back first must not take the
    others for dead: only a worker that was itself beating for as long as silence is tolerated may rescue.
    """

    def __init__(self, tolerated_silence: timedelta) -> None:
        self._tolerated = tolerated_silence.total_seconds()
        self._steady_since: float | None = None
        self._last = 0.0

    def is_steady(self) -> bool:
        """Whether every beat came through for long enough, the last just now."""
        now = time.monotonic()
        is_recent = now - self._last < self._tolerated
        return is_recent and self._steady_since is not None and now - self._steady_since >= self._tolerated

    @contextlib.contextmanager
    def of_one_beat(self) -> Iterator[None]:
        """Takes note of whether the beat made in the block came through."""
        try:
            yield
        except BaseException:
            self._steady_since = None
            raise
        now = time.monotonic()
        if self._steady_since is None or now - self._last >= self._tolerated:
            self._steady_since = now
        self._last = now
