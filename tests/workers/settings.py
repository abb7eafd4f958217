"""Settings of the engine's tests' workers: the project's, with tasks that misbehave instead of its own."""

from __future__ import annotations

from tests.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.workers.tasks", "tests.workers.leaving_tasks"]
# No schedule of the project's: at a full minute a tick would be among the jobs that a test counts.
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = ""
# The project's presentations name tasks that these workers do not load.
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "procrastinate_tasks.W004"]  # noqa: F405
