"""Settings of workers whose project begins at load what no fork may inherit."""

from __future__ import annotations

from tests.workers.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.workers.tasks", "tests.workers.begun_at_load"]
