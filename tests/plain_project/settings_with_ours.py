"""The same project with one line more."""

from __future__ import annotations

from tests.plain_project.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "procrastinate_tasks"]  # noqa: F405
