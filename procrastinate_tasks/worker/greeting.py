"""What a worker says when it starts and when it stops: by the project's logging, else on standard error."""

from __future__ import annotations

import logging
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import django
from django.conf import settings
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.exceptions import JobAborted

from procrastinate_tasks.conf import QueueLimit, queue_settings
from procrastinate_tasks.database import database_alias
from procrastinate_tasks.exceptions import InvalidCron, SoftTimeLimitExceeded, UnknownTimeZone
from procrastinate_tasks.schedule.periodic import Schedule, all_schedules
from procrastinate_tasks.worker.options import WorkerOptions

logger = logging.getLogger(__name__)

_MOST_SHOWN = 20
_WIDTH = 11


def say(line: str, *args: object) -> None:
    """Tell one line for whoever started the worker, where nobody set up logging too."""
    if _is_heard():
        logger.info(line, *args)
    else:
        print(line % args, file=sys.stderr, flush=True)  # noqa: T201 - there is nowhere else


def greet(options: WorkerOptions) -> None:
    """Tell what starts here: one block at a terminal or without logging, else one line with its fields."""
    facts = dict(facts_of(options))
    if _is_heard():
        logger.info("Worker starts: %s", "; ".join(f"{name} {value}" for name, value in facts.items()))
    if not _is_heard() or sys.stderr.isatty():
        print(block_of(options), file=sys.stderr, flush=True)  # noqa: T201 - there is nowhere else


def block_of(options: WorkerOptions) -> str:
    """Return the facts, one below the other, and each schedule with its next run."""
    title = f"{version_of('procrastinate-tasks')} on Procrastinate {version_of('procrastinate')}"
    lines = [f"Queue worker {title}, Django {django.__version__}, Python {platform.python_version()}"]
    lines += [f"  {name.ljust(_WIDTH)}{value}" for name, value in facts_of(options)]
    schedules = all_schedules()
    lines += [f"  {''.ljust(_WIDTH)}{_words_of(each)}" for each in schedules[:_MOST_SHOWN]]
    if len(schedules) > _MOST_SHOWN:
        lines.append(f"  {''.ljust(_WIDTH)}and {len(schedules) - _MOST_SHOWN} more: manage.py jobs schedule")
    return "\n".join(lines)


def facts_of(options: WorkerOptions) -> Iterator[tuple[str, str]]:
    """Yield what a worker is and does, in words; never a password."""
    yield "database", _database()
    yield "queues", ", ".join(options.queues) if options.queues else "all"
    processes = "1 process" if options.processes == 1 else f"{options.processes} processes"
    yield "runs", f"{options.capacity} jobs at a time, in {processes}"
    yield "limits", ", ".join(_limits_of(options)) or "none"
    yield "tasks", str(len({id(task) for task in app.tasks.values()}))
    yield "schedules", str(len(all_schedules()))


def version_of(package: str) -> str:
    """Return a package's version; one that runs from its sources has none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "(from source)"


def _is_heard() -> bool:
    """Whether somebody set up logging so that a line of ours is shown."""
    return logger.hasHandlers() and logger.isEnabledFor(logging.INFO)


def _database() -> str:
    database = settings.DATABASES.get(database_alias(), {})
    host = database.get("HOST") or "the default host"
    port = f":{database['PORT']}" if database.get("PORT") else ""
    return f"{database.get('NAME', '?')} at {host}{port}, as {database.get('USER') or 'the system user'}"


def _limits_of(options: WorkerOptions) -> Iterator[str]:
    if options.soft_time_limit:
        yield f"soft {options.soft_time_limit.total_seconds():g} s"
    if options.time_limit:
        yield f"hard {options.time_limit.total_seconds():g} s"
    for queue, limit in sorted(queue_settings().queue_limits.items()):
        yield f"{queue} {_words_of_limit(limit)}"


def _words_of_limit(limit: QueueLimit) -> str:
    words = [str(limit.rate)] if limit.rate else []
    words += [f"{limit.concurrency} at a time"] if limit.concurrency else []
    return " and ".join(words)


def _words_of(schedule: Schedule) -> str:
    return f"{schedule.name}: {schedule.cron_expression} {schedule.zone}, next {_next_run_of(schedule)}"


def _next_run_of(schedule: Schedule) -> str:
    try:
        upcoming = schedule.cron.next_after(timezone.now())
    except (InvalidCron, UnknownTimeZone) as error:
        return f"never: {error}"
    return "never" if upcoming is None else _in_words(upcoming)


def _in_words(instant: datetime) -> str:
    return timezone.localtime(instant).strftime("%Y-%m-%d %H:%M:%S")


def keep_own_lines_from_raising() -> None:
    """Let a handler or filter that raises cost no line of ours more than itself, from now on in this process.

    A worker writes lines between the steps of its work: a claim, an end, a rescue would stop half-way.
    """
    for name, each in list(logging.root.manager.loggerDict.items()):
        if isinstance(each, logging.Logger) and name.startswith("procrastinate_tasks."):
            vars(each)["handle"] = partial(_handle, type(each).handle.__get__(each))


def _handle(handle: Callable[[logging.LogRecord], object], record: logging.LogRecord) -> None:
    try:
        handle(record)
    except (SoftTimeLimitExceeded, JobAborted):  # meant for the job that writes the line
        raise
    except Exception:
        if logging.lastResort is not None:
            with suppress(Exception):  # there is no standard error left to say it on
                logging.lastResort.handle(record)
