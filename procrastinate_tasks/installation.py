"""Puts this app's parts into Procrastinate's Django app, without any setting of the project."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from django.core.checks import register
from django.core.management import get_commands
from django.utils.module_loading import import_string
from procrastinate.app import App
from procrastinate.contrib.django import procrastinate_app

from procrastinate_tasks.checks import check_queue
from procrastinate_tasks.exceptions import AppsInWrongOrder
from procrastinate_tasks.jobs.deferring import JobManager
from procrastinate_tasks.monitoring.alerts.evaluation import alert_metrics
from procrastinate_tasks.monitoring.alerts.queue_rules import QUEUE_RULES
from procrastinate_tasks.monitoring.alerts.rules import register_rule
from procrastinate_tasks.monitoring.logging import hide_arguments_in_procrastinate_logs
from procrastinate_tasks.monitoring.metrics import register_metrics


def install() -> None:
    """Replace the job manager and let every worker report to Sentry, if the project does.

    Raises:
        AppsInWrongOrder: Procrastinate's own Django app is not ready yet.
    """
    app = procrastinate_app.current_app
    if not isinstance(app, App):
        raise AppsInWrongOrder
    hide_arguments_in_procrastinate_logs()
    # Our command subclasses Procrastinate's, whose app stands before ours: by order alone theirs would win.
    get_commands()["procrastinate"] = "procrastinate_tasks"
    app.import_paths = [
        *app.import_paths,
        "procrastinate_tasks.actions.bulk",
        "procrastinate_tasks.verification.probe",
    ]
    if find_spec("django.tasks") or find_spec("django_tasks"):
        # Only tasks that a worker has imported can run, and nothing else need import these.
        app.import_paths = [*app.import_paths, "procrastinate_tasks.tasks_api.runs"]
    app.job_manager = JobManager(app.connector)
    _register_own()
    defaults = app.worker_defaults
    app.worker_defaults = {
        **defaults,
        "task_middleware": [
            *defaults.get("task_middleware", []),
            *_begin_reporting(),
        ],
    }


def _begin_reporting() -> list[Callable[..., Any]]:
    """Return Sentry's middleware if the project has started Sentry, whose import is a sixth of a start."""
    if "sentry_sdk" not in sys.modules:
        return []
    middleware: list[Callable[..., Any]] = import_string(
        "procrastinate_tasks.monitoring.sentry.begin_reporting"
    )()
    return middleware


def _register_own() -> None:
    register(check_queue, "procrastinate_tasks")
    for rule in QUEUE_RULES:
        register_rule(rule)
    register_metrics("alerts", alert_metrics)
