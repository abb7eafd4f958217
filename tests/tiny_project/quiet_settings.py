"""The tiny project as a newcomer has it: without LOGGING, with limits and schedules of its own."""

from __future__ import annotations

from procrastinate_tasks import QueueLimit, Rate
from tests.tiny_project.settings import *  # noqa: F403

LOGGING = {}
DATABASES["default"]["PASSWORD"] = "hidden-from-everybody"  # noqa: F405
PROCRASTINATE_TASKS_QUEUE_LIMITS = {"default": QueueLimit(rate=Rate(20), concurrency=5)}
