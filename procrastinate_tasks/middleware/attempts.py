"""Worker middleware: keeps what each attempt returned or raised, for the moment its job is settled."""

from __future__ import annotations

from typing import Any

from procrastinate.job_context import AbortReason, JobContext
from procrastinate.middleware import AsyncCallNext
from procrastinate.worker import Worker

from procrastinate_tasks.results import Attempt, current_attempt


async def record_attempt(call_next: AsyncCallNext, context: JobContext, worker: Worker) -> Any:
    """Run the job and remember its end.

    The worker runs each job in an asyncio task of its own, and settles it in that task's context: the
    variable needs no reset. It cannot see what happens before the middleware runs, such as a task that does
    not exist.
    """
    attempt = Attempt(job=context.job)
    current_attempt.set(attempt)
    try:
        attempt.result = await call_next()
    except BaseException as exception:
        attempt.exception = exception
        attempt.is_shutting_down = context.abort_reason() is AbortReason.SHUTDOWN
        raise
    return attempt.result
