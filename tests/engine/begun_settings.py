"""Settings of workers whose project begins at load what no fork may inherit."""

from __future__ import annotations

from tests.engine.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.engine.tasks", "tests.engine.begun_at_load"]
