"""Settings of the workers that charge in tests: the project's, with dead workers found at once."""

from __future__ import annotations

from datetime import timedelta

from procrastinate_tasks.logging import logging_config
from tests.settings import *  # noqa: F403

LOGGING = logging_config(style="json")

PROCRASTINATE_TASKS_HEARTBEAT_EVERY = timedelta(seconds=0.3)
PROCRASTINATE_TASKS_ORPHANED_AFTER = timedelta(seconds=1.5)
PROCRASTINATE_TASKS_RESCUE_EVERY = timedelta(seconds=0.3)
