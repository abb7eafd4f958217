"""Settings of the workers in the storm."""

from __future__ import annotations

from datetime import timedelta

from procrastinate_tasks.conf import QueueLimit, Rate
from tests.workers.settings import *  # noqa: F403
from tests.workers.storm.orders import AT_A_TIME, NARROW_QUEUE, PER_SECOND, SLOW_QUEUE

PROCRASTINATE_IMPORT_PATHS = ["tests.workers.storm.tasks"]
PROCRASTINATE_TASKS_MAX_CRASHES = 1000  # processes die at random here: dying twice says nothing about a job
PROCRASTINATE_TASKS_QUEUE_LIMITS = {
    NARROW_QUEUE: QueueLimit(concurrency=AT_A_TIME),
    SLOW_QUEUE: QueueLimit(rate=Rate(PER_SECOND, per=timedelta(seconds=1))),
}
