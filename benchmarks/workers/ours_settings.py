"""Django settings of this project's worker in the benchmark; libpq's variables name its database."""

from __future__ import annotations

import os

SECRET_KEY = "benchmark"  # noqa: S105 - guards nothing
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "procrastinate.contrib.django",
    "procrastinate_tasks",
]
PROCRASTINATE_IMPORT_PATHS = ["benchmarks.workers.ours_tasks"]

DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}}

LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"level": "WARNING"}}
