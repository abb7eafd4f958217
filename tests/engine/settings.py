"""Settings of the workers that the engine's tests start: the project's, plus tasks that misbehave."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.engine.tasks"]

# A storm kills processes at random: there, dying twice says nothing about a job.
PROCRASTINATE_TASKS_MAX_CRASHES = int(os.environ.get("ENGINE_MAX_CRASHES", "2"))
