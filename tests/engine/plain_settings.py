"""Settings of a project of plain Procrastinate that has a rule which hangs."""

from __future__ import annotations

from tests.engine.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.engine.plain_tasks"]
