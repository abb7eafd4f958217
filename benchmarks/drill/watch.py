"""Watches the connections while the drill goes on."""

from __future__ import annotations

import threading
import time

from benchmarks.drill.desk import Desk
from benchmarks.drill.timeline import Sample

_PAUSE_SECONDS = 0.25
_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND application_name <> 'drill'
"""


class Watch:
    """Counts the sessions that are not the drill's own, a few times a second."""

    def __init__(self, *, url: str) -> None:
        self._desk = Desk(url)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.samples: list[Sample] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._desk.close()

    def _run(self) -> None:
        while not self._is_over.wait(_PAUSE_SECONDS):
            connections = self._desk.patient_value(_CONNECTIONS)
            if connections is not None:
                self.samples.append(Sample(at=time.time(), connections=connections))
