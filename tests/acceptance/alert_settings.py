"""The project's settings for the tests of the alerts, whose end is told sooner than usual."""

from __future__ import annotations

from datetime import timedelta

from tests.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.workers.tasks"]
PROCRASTINATE_TASKS_ALERT_CALM_FOR = timedelta(seconds=2)
