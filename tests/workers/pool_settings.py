"""Settings of workers with Django's own connection pool, and a query before they fork."""

from __future__ import annotations

from tests.workers.settings import *  # noqa: F403

DATABASES["default"]["OPTIONS"] = {**DATABASES["default"].get("OPTIONS", {}), "pool": True}  # noqa: F405
DATABASES["default"]["CONN_MAX_AGE"] = 0  # noqa: F405
PROCRASTINATE_IMPORT_PATHS = ["tests.workers.tasks", "tests.workers.query_at_load"]
