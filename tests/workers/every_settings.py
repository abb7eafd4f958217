"""Settings of workers that keep a schedule of a second."""

from __future__ import annotations

from tests.workers.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.workers.every_tasks"]
