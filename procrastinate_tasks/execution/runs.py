"""Runs one job from start to end, in a thread or on the event loop, and says how it ended."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import close_old_connections, reset_queries

from procrastinate_tasks import job_log
from procrastinate_tasks.exceptions import InvalidTaskArguments, JobDoesNotFit
from procrastinate_tasks.exchange.endings import (
    MOST_REFUSALS,
    end_of_error,
    end_of_refusal,
    end_of_success,
    has_named_arguments,
    job_of,
)
from procrastinate_tasks.exchange.frames import Assignment, RunEnd
from procrastinate_tasks.execution import interruption
from procrastinate_tasks.execution.calls import CallBuilder
from procrastinate_tasks.execution.misfits import is_misfit, misfit_or, put_back_if_known_elsewhere
from procrastinate_tasks.execution.slots import Slot, current_slot
from procrastinate_tasks.execution.stepping import SteppedJob
from procrastinate_tasks.middleware.log_context import log_fields
from procrastinate_tasks.reachability import refusal_behind
from procrastinate_tasks.results import Outcome


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
        """Runs a sync task in the calling thread, where other threads may interrupt it through the slot."""
        slot.thread_id = threading.get_ident()
        current_slot.set(slot)
        run = _Run(self._builder, slot, assignment)
        with log_fields(run.job):
            try:
                try:
                    with self._around():
                        result = _await_elsewhere(run.start()())
                finally:
                    interruption.withdraw(slot)
            except self._caught as error:
                end = run.end_of_error(error)
                return put_back_if_known_elsewhere(end) if is_misfit(end) else end
            return run.end_of_success(result)

    def run_in_main_thread(self, slot: Slot, assignment: Assignment) -> RunEnd:
        """Runs a sync task where a signal interrupts every wait; the event loop stands still meanwhile."""
        interruption.enter_main_thread(slot)
        try:
            return self.run_in_thread(slot, assignment)
        finally:
            interruption.leave_main_thread()

    async def run_on_loop(self, slot: Slot, assignment: Assignment) -> RunEnd:
        """Runs an async task."""
        current_slot.set(slot)
        if slot.async_context is not None:
            SyncToAsync.thread_sensitive_context.set(slot.async_context)
        run = _Run(self._builder, slot, assignment)
        with log_fields(run.job):
            try:
                try:
                    slot.coroutine = _awaiting(run.start())
                    result = await SteppedJob(slot.coroutine, slot)
                finally:
                    slot.task = None  # from here on nobody may cancel: the end must be told
            except self._caught as error:
                end = run.end_of_error(error)
                if is_misfit(end):
                    end = await sync_to_async(put_back_if_known_elsewhere)(end)
            else:
                end = run.end_of_success(result)
            await _clean_up_async_connections(slot)
            return end


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
        if not has_named_arguments(self._assignment):
            raise InvalidTaskArguments("the job's arguments are no JSON object", task_name=task.name)
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
    if not inspect.isawaitable(result):
        return result
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, _awaiting(lambda: result)).result()


async def _clean_up_async_connections(slot: Slot) -> None:
    """Does for the thread of this slot's async ORM calls, if it has one, what Django does after a request."""
    if slot.async_context is not None and slot.async_context in SyncToAsync.context_to_thread_executor:
        await sync_to_async(_close_stale_connections)()


def _close_stale_connections() -> None:
    close_old_connections()
    reset_queries()
