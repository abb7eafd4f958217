"""Settings of a project of plain Procrastinate that has a rule which hangs."""

from __future__ import annotations

from tests.workers.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.workers.plain_tasks"]
