"""The project's settings, as the tests see them."""

from __future__ import annotations

import os

# Whoever reads these settings outside a test run (mypy's plugin does) must not start a server.
os.environ.setdefault(
    "DATABASE_URL", "postgres://postgres@%2Fnowhere%2Fpytest-starts-a-server/reyes_estancias"
)

from reyes_estancias.settings import *  # noqa: F403

# Nothing is collected for a test run, and WhiteNoise warns of a folder that is not there.
STATIC_ROOT = None  # type: ignore[assignment]

# A password costs most of a second by design; signing in is tested with the same rules.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# All tests come from one address; those of the limits set their own.
FORM_LIMITS = {}

TASKS = {
    "default": {
        "BACKEND": "procrastinate_tasks.tasks_api.backend.ProcrastinateBackend",
        "QUEUES": ["default", "mail"],
    },
    "other": {"BACKEND": "procrastinate_tasks.tasks_api.backend.ProcrastinateBackend", "QUEUES": []},
}
