"""The task that carries bulk operations out, a worker's part of them."""

from __future__ import annotations

import time
from datetime import timedelta

from procrastinate_tasks import bulk
from procrastinate_tasks.models import BulkOperation, BulkState
from procrastinate_tasks.retries import Retries
from procrastinate_tasks.tasks import task

_LONGEST_RUN_SECONDS = 20.0

RETRIES = Retries(max_retries=10, delay=timedelta(seconds=5), backoff=2, max_delay=timedelta(minutes=5))


@task(name=bulk.RUN_TASK, retry=RETRIES, log_fields=("operation_id",))
def run_bulk_operation(operation_id: int) -> str:
    """Take the next jobs of a bulk operation, and defer its next run if any are left."""
    give_way_at = time.monotonic() + _LONGEST_RUN_SECONDS
    operation = BulkOperation.objects.get(pk=operation_id)
    while bulk.run_batch(operation_id):
        if operation.batch.pause or time.monotonic() >= give_way_at:
            bulk.defer_next(operation_id)
            break
    operation.refresh_from_db()
    return (
        f"applied={operation.applied} refused={operation.refused} failed={operation.failed}"
        f" remaining={operation.remaining}{_ending(operation)}"
    )


def _ending(operation: BulkOperation) -> str:
    return "" if operation.state == BulkState.RUNNING else f" {operation.state}"
