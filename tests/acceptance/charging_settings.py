"""Settings of the workers that charge in tests: the project's, with dead workers found at once."""

from __future__ import annotations

from datetime import timedelta

from tests.settings import *  # noqa: F403

LOGGING["formatters"] = {"line": {"()": "procrastinate_tasks.monitoring.logging.JsonFormatter"}}  # noqa: F405

PROCRASTINATE_TASKS_RESCUE_EVERY = timedelta(seconds=0.3)
