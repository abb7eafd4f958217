"""Task middleware: tells Sentry of jobs that failed for good, and of each run of a scheduled task.

It is there when Sentry was started in the settings (``sentry_sdk.init``). A job that will be retried is not
reported. Arguments never are: an error's words are redacted as they are when they are stored.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from procrastinate.job_context import JobContext
from procrastinate.middleware import AsyncCallNext, SyncCallNext
from procrastinate.worker import Worker

from procrastinate_tasks.jobs import job_log
from procrastinate_tasks.jobs.attempts import was_stopped
from procrastinate_tasks.jobs.redaction import redact
from procrastinate_tasks.jobs.task_options import find_options
from procrastinate_tasks.schedule import periodic

try:
    import sentry_sdk
    from sentry_sdk.crons import capture_checkin
    from sentry_sdk.integrations.logging import ignore_logger
except ImportError:
    _IS_INSTALLED = False
else:
    _IS_INSTALLED = True

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint, MonitorConfig

_FLUSH_SECONDS = 2.0
_CRON_FIELDS = 5  # Sentry's monitors know no seconds


def is_on() -> bool:
    """Tell whether the project reports to Sentry."""
    return _IS_INSTALLED and sentry_sdk.get_client().is_active()


def begin_reporting() -> list[Callable[..., Any]]:
    """Return the middleware of every task, none if the project does not report to Sentry."""
    if not is_on():
        return []
    # The middleware reports a job that failed; the log line that says so would be a second event.
    ignore_logger(job_log.logger.name)
    return [report_sync, report_async]


def report_sync(call_next: SyncCallNext, context: JobContext, worker: Worker) -> Any:
    """Run a sync task, and tell Sentry how it ended."""
    with _reporting(context):
        return call_next()


async def report_async(call_next: AsyncCallNext, context: JobContext, worker: Worker) -> Any:
    """Run an async task, and tell Sentry how it ended."""
    with _reporting(context):
        return await call_next()


@contextmanager
def _reporting(context: JobContext) -> Iterator[None]:
    monitor = _monitor_of(context)
    started = time.monotonic()
    with sentry_sdk.isolation_scope() as scope:
        _describe(scope, context)
        _check_in(monitor, context, "in_progress")
        try:
            yield
        except BaseException as error:
            is_failure = not was_stopped(error, abort_reason=context.abort_reason())
            if is_failure and not _will_be_retried(context, error):
                sentry_sdk.capture_exception(error)
                _check_in(monitor, context, "error", seconds=time.monotonic() - started)
                sentry_sdk.flush(timeout=_FLUSH_SECONDS)
            raise
        _check_in(monitor, context, "ok", seconds=time.monotonic() - started)


def _describe(scope: sentry_sdk.Scope, context: JobContext) -> None:
    job = context.job
    scope.set_transaction_name(job.task_name, source="task")
    scope.set_tags(
        {"task": job.task_name, "queue": job.queue, "attempt": str(job.attempts + 1), "job_id": str(job.id)}
    )
    options = find_options(job.task_name)
    visible = options.log_fields if options else ()

    def without_arguments(event: Event, hint: Hint) -> Event:
        for described in event.get("exception", {}).get("values", []):
            described["value"] = redact(
                str(described.get("value") or ""), arguments=job.task_kwargs, visible=visible
            )
        return event

    scope.add_event_processor(without_arguments)


def _will_be_retried(context: JobContext, error: BaseException) -> bool:
    task = context.app.tasks.get(context.job.task_name)
    return task is not None and task.get_retry_exception(exception=error, job=context.job) is not None


# --- Monitors of schedules --------------------------------------------------------------------------------


def _monitor_of(context: JobContext) -> periodic.Schedule | None:
    """Return the schedule that a job may come from: one of its task with its arguments."""
    matching = (
        item
        for item in periodic.all_schedules()
        if item.task_name == context.job.task_name and dict(item.args) == context.job.task_kwargs
    )
    return next((item for item in matching if len(item.cron_expression.split()) == _CRON_FIELDS), None)


def _check_in(
    monitor: periodic.Schedule | None, context: JobContext, status: str, *, seconds: float | None = None
) -> None:
    if monitor is None:
        return
    config: MonitorConfig = {
        "schedule": {"type": "crontab", "value": monitor.cron_expression},
        "timezone": monitor.zone,
    }
    capture_checkin(
        monitor_slug=re.sub(r"[^a-z0-9_-]+", "-", monitor.name.lower()),
        check_in_id=uuid.uuid5(uuid.NAMESPACE_OID, f"job {context.job.id}").hex,
        status=status,
        duration=seconds,
        monitor_config=config,
    )
