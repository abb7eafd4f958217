"""Settings of workers whose project has functions for the beginning and the end of a job process."""

from __future__ import annotations

from tests.workers.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.workers.tasks", "tests.workers.process_hooks"]
