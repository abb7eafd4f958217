"""Settings of workers whose project begins something at load that could hurt them."""

from __future__ import annotations

from tests.workers.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.workers.tasks", "tests.workers.begun_at_load"]
