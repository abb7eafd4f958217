"""Settings of the Procfile's processes on a small plan: a dyno's, with a task that notes its runs."""

from __future__ import annotations

from tests.acceptance.dyno_settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.acceptance.small_plan_tasks"]
# The project's own schedule would be among the jobs that the test counts.
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = ""
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "procrastinate_tasks.W004"]  # noqa: F405
