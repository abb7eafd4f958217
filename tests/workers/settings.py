"""Settings of the engine's tests' workers: the project's, with tasks that misbehave instead of its own.

Without the site's apps, which none of these tasks use: each start would import them.
"""

from __future__ import annotations

from tests.settings import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "procrastinate.contrib.django",
    "procrastinate_tasks",
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
MIDDLEWARE = []
TEMPLATES = []
del ROOT_URLCONF  # noqa: F821

PROCRASTINATE_IMPORT_PATHS = ["tests.workers.tasks", "tests.workers.leaving_tasks"]
