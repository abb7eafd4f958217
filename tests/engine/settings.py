"""Settings of the workers that the engine's tests start: the project's, plus tasks that misbehave."""

from __future__ import annotations

from tests.settings import *  # noqa: F403

PROCRASTINATE_IMPORT_PATHS = ["tests.engine.tasks"]
