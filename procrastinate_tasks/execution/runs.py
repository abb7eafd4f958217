"""Runs one job from start to end, in a thread or on the event loop, and says how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from typing import Any

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import DatabaseError, close_old_connections, reset_queries

from procrastinate_tasks import job_log
from procrastinate_tasks.arguments import read_arguments
from procrastinate_tasks.exceptions import JobDoesNotFit
from procrastinate_tasks.exchange.endings import (
    MOST_REFUSALS,
    end_of_error,
    end_of_refusal,
    end_of_success,
    job_of,
)
from procrastinate_tasks.exchange.frames import Assignment, RunEnd
from procrastinate_tasks.execution import interruption
from procrastinate_tasks.execution.calls import CallBuilder
from procrastinate_tasks.execution.leftovers import undo_leftovers
from procrastinate_tasks.execution.misfits import is_misfit, misfit_or, put_back_if_known_elsewhere
from procrastinate_tasks.execution.slots import Slot, current_slot
from procrastinate_tasks.execution.stepping import SteppedJob
from procrastinate_tasks.middleware.log_context import log_fields
from procrastinate_tasks.reachability import refusal_behind
from procrastinate_tasks.results import Outcome

logger = logging.getLogger(__name__)


class JobRunner:
    """Runs jobs, in a child or in a test.

    Args:
        around: a context for each call of a sync task, within what records its end.
        caught: what ends a job when its task raises it; a test lets more pass than a child.
    """

    def __init__(
        self,
        builder: CallBuilder,
        *,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        caught: tuple[type[BaseException], ...] = (BaseException,),
    ) -> None:
        self._builder = builder
        self._around = around
        self._caught = caught

    def run_in_thread(self, slot: Slot, assignment: Assignment) -> RunEnd:
        """Runs a sync task in the calling thread, where other threads may interrupt it through the slot.

        In the main thread a signal interrupts every wait; an event loop stands still meanwhile.
        """
        return fresh_context().run(self._run_in_context, slot, assignment)

    def _run_in_context(self, slot: Slot, assignment: Assignment) -> RunEnd:
        current_slot.set(slot)
        run = _Run(self._builder, slot, assignment)
        with log_fields(run.job):
            try:
                result = interruption.run_interruptibly(slot, lambda: self._call(run, slot))
            except self._caught as error:
                end = run.end_of_error(error)
                if is_misfit(end):
                    end = put_back_if_known_elsewhere(end)
            else:
                end = run.end_of_success(result)
            return _leave_thread(end, slot)

    def _call(self, run: _Run, slot: Slot) -> Any:
        if slot.connections:
            close_old_connections()
        with self._around():
            return _await_elsewhere(run.start()())

    async def run_on_loop(self, slot: Slot, assignment: Assignment) -> RunEnd:
        """Runs an async task, in a task of its own with a ``fresh_context``."""
        current_slot.set(slot)
        if slot.async_context is not None:
            SyncToAsync.thread_sensitive_context.set(slot.async_context)
        run = _Run(self._builder, slot, assignment)
        with log_fields(run.job):
            try:
                try:
                    try:
                        interruption.raise_early(slot)
                        slot.coroutine = _awaiting(run.start())
                        result = await SteppedJob(slot.coroutine, slot)
                    finally:
                        interruption.withdraw(slot)
                finally:  # twice, for the reason of ``run_interruptibly``
                    interruption.withdraw(slot)
            except self._caught as error:
                end = run.end_of_error(error)
                if is_misfit(end):
                    end = await sync_to_async(put_back_if_known_elsewhere)(end)
            else:
                end = run.end_of_success(result)
            return await _without_async_leftovers(end, slot)


def fresh_context() -> Context:
    """The context variables a job begins with: none is set, neither language nor time zone nor precision."""
    return Context()


class _Run:
    """One run: what is known of it grows as it proceeds, and its end tells as much as is known."""

    def __init__(self, builder: CallBuilder, slot: Slot, assignment: Assignment) -> None:
        self._builder = builder
        self._slot = slot
        self._assignment = assignment
        self._started = time.monotonic()
        self.job = job_of(assignment)

    def start(self) -> Callable[[], Any]:
        task = self._builder.find_task(self._assignment)
        if not self.job.task_kwargs:
            read_arguments(self._assignment.args_json)  # says why there are none, if there should be some
        job_log.log_start(self.job)
        return self._builder.call(task, self._builder.context_of(self.job, self._slot, started=time.time()))

    def end_of_success(self, result: object) -> RunEnd:
        return end_of_success(self._assignment, started=self._started, result=result)

    def end_of_error(self, error: BaseException) -> RunEnd:
        task = self._builder.find_task_or_none(self._assignment)
        error = misfit_or(error, task=task, arguments=self.job.task_kwargs)
        end = end_of_error(
            self._assignment,
            job=self.job,
            task=None if isinstance(error, JobDoesNotFit) else task,  # no retry of its own would mend that
            started=self._started,
            error=error,
            abort_reason=self._slot.abort_reason,
        )
        return end_of_refusal(end) if self._was_refused(error, end) else end

    def _was_refused(self, error: BaseException, end: RunEnd) -> bool:
        """A job that is refused again and again, while its process can connect, is to blame itself."""
        return (
            self._assignment.refusals < MOST_REFUSALS
            and end.outcome in (Outcome.FAILED.value, Outcome.RETRYING.value)
            and bool(refusal_behind(error))
        )


async def _awaiting(call: Callable[[], Any]) -> Any:
    return await call()


def _await_elsewhere(result: Any) -> Any:
    """Awaits what a sync task returned, if that can be awaited; its thread has no event loop of its own."""
    if not issubclass(type(result), Awaitable):
        return result
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, _awaiting(lambda: result)).result()


def _leave_thread(end: RunEnd, slot: Slot) -> RunEnd:
    """Does besides for this thread's connections what Django does after a request."""
    if not slot.connections:
        return end
    end = _without_leftovers(end, slot)
    with contextlib.suppress(DatabaseError):
        close_old_connections()
    reset_queries()
    return end


def _without_leftovers(end: RunEnd, slot: Slot) -> RunEnd:
    """Undoes what the job left on its connections, and tells it in the record of its run."""
    try:
        left = undo_leftovers(slot, task_name=end.task_name)
    except Exception:
        logger.exception("What %s left behind could not be undone", end.task_name)
        return end
    return end if not left else end._replace(message=f"{end.message}\n{left}".strip())


async def _without_async_leftovers(end: RunEnd, slot: Slot) -> RunEnd:
    """Does so in the thread of this slot's async ORM calls, if it has one, after what still runs there."""
    if slot.async_context is None or slot.async_context not in SyncToAsync.context_to_thread_executor:
        return _without_leftovers(end, slot)
    return await sync_to_async(_leave_thread)(end, slot)
