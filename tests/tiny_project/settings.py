"""Settings of a second, tiny project that uses the queue app alone; libpq's variables name its database."""

from __future__ import annotations

import os
from datetime import timedelta

from procrastinate_tasks import logging_config

SECRET_KEY = "tiny"
USE_TZ = True
TIME_ZONE = "America/Mexico_City"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "procrastinate.contrib.django",
    "procrastinate_tasks",
    "tests.tiny_project.notes",
]

DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ.get("PGDATABASE", "tiny")}
}

LOGGING = logging_config(style="json")

PROCRASTINATE_TASKS_ORPHANED_AFTER = timedelta(
    seconds=float(os.environ.get("TINY_ORPHANED_AFTER_SECONDS", "3.5"))
)
# A plain Procrastinate worker beats and is given up by Procrastinate's own options.
PROCRASTINATE_WORKER_DEFAULTS = {"update_heartbeat_interval": 0.5, "stalled_worker_timeout": 4.0}
PROCRASTINATE_TASKS_RESCUE_EVERY = timedelta(seconds=0.5)

TASKS = {"default": {"BACKEND": "procrastinate_tasks.tasks_api.backend.ProcrastinateBackend"}}
