"""A project of plain Procrastinate, as its documentation has it; libpq's variables name its database."""

from __future__ import annotations

import os

SECRET_KEY = "plain"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "procrastinate.contrib.django"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ.get("PGDATABASE", "plain")}
}
PROCRASTINATE_IMPORT_PATHS = ["tests.plain_project.tasks"]
PROCRASTINATE_ON_APP_READY = "tests.plain_project.mail.on_app_ready"
