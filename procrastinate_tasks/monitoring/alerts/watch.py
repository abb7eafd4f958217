"""Looks after the alerts in a web process: when every worker is dead, somebody else has to say so.

While workers live they look themselves, and a look here is one small statement.
"""

from __future__ import annotations

import logging
import threading

from django.db import connections

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.monitoring.alerts import delivery, evaluation

logger = logging.getLogger(__name__)

_PAUSE_AFTER_FAILURE_SECONDS = 5.0


class Watch:
    """A daemon thread that looks, sends, and gives its database connection back each time."""

    def __init__(self) -> None:
        self._stop_requested = threading.Event()
        self._has_failed = False
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and wait for that."""
        self._stop_requested.set()
        self._thread.join()

    def run_once(self) -> float:
        """Look once, and return the seconds until the next look; more of them while the database is away."""
        had_failed, self._has_failed = self._has_failed, True
        try:
            if evaluation.run_once() is not None:
                delivery.deliver_due()
            self._has_failed = False
        except Exception:
            if not had_failed:
                logger.exception("Alerts could not be looked after, will be tried again")
        finally:
            connections.close_all()
        pause = queue_settings().alert_every.total_seconds()
        return max(pause, _PAUSE_AFTER_FAILURE_SECONDS) if self._has_failed else pause

    def _run(self) -> None:
        while not self._stop_requested.wait(self.run_once()):
            pass


def start_watch() -> Watch:
    """Start looking after the alerts in this process, beside whatever it does."""
    watch = Watch()
    watch.start()
    return watch
