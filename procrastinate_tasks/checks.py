"""System checks: what can be known to be wrong before a job runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from django.apps.config import AppConfig
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections
from procrastinate.contrib.django import app
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks import conf
from procrastinate_tasks.conf import (
    DEFAULTS,
    QueueLimit,
    QueueSettings,
    django_name,
    find_limit_problem,
    queue_settings,
)
from procrastinate_tasks.exceptions import (
    InvalidCron,
    InvalidQueueName,
    InvalidTaskArguments,
    UnknownTimeZone,
)
from procrastinate_tasks.jobs.deferring import JobManager, encode_arguments
from procrastinate_tasks.jobs.descriptions import described_tasks
from procrastinate_tasks.jobs.task_options import TaskOptions, all_options, require_queue_name
from procrastinate_tasks.schedule import periodic

_LONGEST_NAME = 128
_MAY_BE_ZERO = frozenset({"connection_limit", "alert_lasting", "alert_calm_for"})


def check_queue(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Run every check of the queue app; a setting of the wrong type hides the checks that would use it."""
    wrong_types = list(_check_setting_types())
    if wrong_types:
        return wrong_types
    settings = queue_settings()
    return [
        *_check_installation(),
        *_check_worker_middleware(),
        *_check_database(),
        *_check_settings(settings),
        *_check_queue_limits(settings),
        *_check_alerts(settings),
        *_check_queue_names(settings),
        *(message for options in all_options() for message in _check_task(options, settings)),
        *(message for declared in periodic.all_schedules() for message in _check_schedule(declared)),
        *_check_presentations(),
    ]


def _check_installation() -> Iterator[CheckMessage]:
    if not isinstance(app.job_manager, JobManager):
        yield Error(
            "Procrastinate's app does not use the job manager of procrastinate_tasks.",
            hint="Nothing else may replace app.job_manager: look at PROCRASTINATE_ON_APP_READY.",
            id="procrastinate_tasks.E001",
        )


def _check_worker_middleware() -> Iterator[CheckMessage]:
    given = app.worker_defaults.get("worker_middleware") or []
    if given:
        names = ", ".join(getattr(each, "__qualname__", repr(each)) for each in given)
        yield Warning(
            f"PROCRASTINATE_WORKER_DEFAULTS has worker_middleware that no worker of ours runs: {names}.",
            hint="Move it to task_middleware: plain functions wrap sync tasks, async ones async tasks.",
            id="procrastinate_tasks.W005",
        )


def _check_database() -> Iterator[CheckMessage]:
    alias = procrastinate_settings.DATABASE_ALIAS
    if alias not in connections:
        yield Error(
            f"PROCRASTINATE_DATABASE_ALIAS is {alias!r}, which DATABASES does not have.",
            hint=f"Name one of: {', '.join(connections)}.",
            id="procrastinate_tasks.E002",
        )
    elif connections[alias].vendor != "postgresql":
        yield Error(
            f"The queue's database {alias!r} is {connections[alias].vendor}.",
            hint="Jobs live in PostgreSQL: use its engine here, or set PROCRASTINATE_DATABASE_ALIAS.",
            id="procrastinate_tasks.E002",
        )
    if not django_settings.USE_TZ:
        yield Error(
            "USE_TZ is off, and jobs are due at aware times.",
            hint="Set USE_TZ = True.",
            id="procrastinate_tasks.E003",
        )


def _check_setting_types() -> Iterator[CheckMessage]:
    for name, default in DEFAULTS.items():
        value = getattr(django_settings, django_name(name), default)
        if type(value) is not type(default):
            example = "timedelta(seconds=30)" if isinstance(default, timedelta) else repr(default)
            yield Error(
                f"{django_name(name)} is {value!r}, not of type {type(default).__name__}.",
                hint=f"Write it as {example}, for example.",
                id="procrastinate_tasks.E004",
            )


def _check_settings(settings: QueueSettings) -> Iterator[CheckMessage]:
    for name, default in DEFAULTS.items():
        value = getattr(settings, name)
        if name in _MAY_BE_ZERO and not value:
            continue
        if isinstance(default, timedelta | int) and value <= type(default)(0):
            yield Error(
                f"{django_name(name)} is {value!r}.",
                hint="It must be more than zero.",
                id="procrastinate_tasks.E005",
            )
    if settings.soft_time_limit >= settings.time_limit:
        yield _limits_in_wrong_order("the settings", settings.soft_time_limit, settings.time_limit)


def _check_queue_limits(settings: QueueSettings) -> Iterator[CheckMessage]:
    known = sorted({task.queue for task in app.tasks.values()})
    for queue, limit in settings.queue_limits.items():
        problem = find_limit_problem(limit) if isinstance(limit, QueueLimit) else "it is no QueueLimit"
        if problem:
            yield Error(
                f"PROCRASTINATE_TASKS_QUEUE_LIMITS, queue {queue!r}: {problem}.",
                hint="Write QueueLimit(rate=Rate(20, per=timedelta(seconds=1)), concurrency=5), for example.",
                id="procrastinate_tasks.E012",
            )
        if queue not in known:
            likely = get_close_matches(queue, known, n=1)
            meant = f"Did you mean {likely[0]!r}? " if likely else ""
            yield Warning(
                f"PROCRASTINATE_TASKS_QUEUE_LIMITS limits the queue {queue!r}, which no task uses.",
                hint=f"{meant}The queues of the registered tasks are: {', '.join(known)}.",
                id="procrastinate_tasks.W003",
            )


def _check_alerts(settings: QueueSettings) -> Iterator[CheckMessage]:
    problem = conf.find_threshold_problem(settings.alert_thresholds)
    if problem:
        yield Error(
            f"PROCRASTINATE_TASKS_ALERT_THRESHOLDS: {problem}.",
            hint="Write AlertThresholds(queue_depth=500, memory_share=0.8), for example.",
            id="procrastinate_tasks.E013",
        )
    if settings.alert_webhook_url and not _is_web_address(settings.alert_webhook_url):
        yield Error(
            "PROCRASTINATE_TASKS_ALERT_WEBHOOK_URL is no address of a web site.",
            hint="It begins with https://, and alerts are sent to it with POST.",
            id="procrastinate_tasks.E014",
        )
    if settings.site_url and not _is_web_address(settings.site_url):
        yield Error(
            "PROCRASTINATE_TASKS_SITE_URL is no address of a web site.",
            hint="It begins with https://, and the links in the messages of alerts begin with it.",
            id="procrastinate_tasks.E015",
        )


def _is_web_address(text: str) -> bool:
    url = urlsplit(text)
    return url.scheme in ("http", "https") and bool(url.hostname)


def _check_queue_names(settings: QueueSettings) -> Iterator[CheckMessage]:
    """Plain Procrastinate's decorator takes any name, and its jobs cannot be deferred."""
    named = {task.queue: f"Task {task.name!r}" for task in app.tasks.values()}
    named |= dict.fromkeys(settings.queue_limits, "PROCRASTINATE_TASKS_QUEUE_LIMITS")
    for queue, where in named.items():
        try:
            require_queue_name(queue)
        except InvalidQueueName as refusal:
            yield Error(
                f"{where}: {refusal}",
                hint="Give the queue a shorter name: no job can be deferred to this one.",
                id="procrastinate_tasks.E006",
            )


def _check_task(options: TaskOptions, settings: QueueSettings) -> Iterator[CheckMessage]:
    if len(options.name) > _LONGEST_NAME:
        yield Error(
            f"The name {options.name!r} of {options.function_path} has more than {_LONGEST_NAME} characters.",
            hint="Give the task a shorter name: the database refuses this one.",
            id="procrastinate_tasks.E006",
        )
    unknown = [name for name in options.log_fields if name not in options.signature.parameters]
    if unknown:
        yield Error(
            f"Task {options.name!r} has no argument {', '.join(unknown)}, which its log_fields name.",
            hint=f"Its arguments are: {', '.join(options.signature.parameters) or 'none'}.",
            id="procrastinate_tasks.E007",
        )
    soft = options.soft_time_limit or settings.soft_time_limit
    hard = options.time_limit or settings.time_limit
    if (options.soft_time_limit or options.time_limit) and soft >= hard:
        yield _limits_in_wrong_order(f"task {options.name!r}", soft, hard)


def _limits_in_wrong_order(where: str, soft: timedelta, hard: timedelta) -> CheckMessage:
    return Error(
        f"In {where}, the soft time limit {soft} is not below the time limit {hard}.",
        hint="A task needs the time between the two to clean up: lower the soft limit or raise the other.",
        id="procrastinate_tasks.E008",
    )


def _check_schedule(declared: periodic.Schedule) -> Iterator[CheckMessage]:
    complaints: tuple[tuple[str, Callable[[], object]], ...] = (
        ("procrastinate_tasks.E009", lambda: declared.cron),
        ("procrastinate_tasks.E010", lambda: encode_arguments(declared.task_name, declared.args)),
    )
    for check_id, look in complaints:
        try:
            look()
        except (InvalidCron, UnknownTimeZone, InvalidTaskArguments) as error:
            yield Error(
                f"Schedule {declared.name!r}: {error}",
                hint="Correct its @periodic(...); until then it defers nothing.",
                id=check_id,
            )


def _check_presentations() -> Iterator[CheckMessage]:
    app.perform_import_paths()
    for task_name in described_tasks():
        if task_name not in app.tasks:
            likely = get_close_matches(task_name, list(app.tasks), n=1)
            yield Warning(
                f"The task {task_name!r} is presented, and no task has this name.",
                hint=f"Did you mean {likely[0]!r}?" if likely else "Take its describe_task() away.",
                id="procrastinate_tasks.W004",
            )
