"""Faults for the alerts to find, and what was told of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import django
from django.core import mail
from django.db import connection
from django.test import override_settings

from procrastinate_tasks.models import LiveWorker
from procrastinate_tasks.monitoring.alerts import delivery, evaluation
from procrastinate_tasks.monitoring.alerts.rules import AlertRule, _rules_by_name

AT_ONCE = {
    "PROCRASTINATE_TASKS_ALERT_LASTING": timedelta(0),
    "PROCRASTINATE_TASKS_ALERT_CALM_FOR": timedelta(0),
    "ADMINS": ["turno@example.com"] if django.VERSION >= (6,) else [("", "turno@example.com")],
    "EMAIL_SUBJECT_PREFIX": "",
}


def register_worker(*, silent: timedelta = timedelta(0), **portrait: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - %s::interval) RETURNING id",
            [str(silent)],
        )
        worker_id: int = cursor.fetchone()[0]
    facts = {"host": "one", "pid": 7, "capacity": 4, "orphaned_after": timedelta(seconds=3.5), **portrait}
    LiveWorker.objects.create(worker_id=worker_id, **facts)
    return worker_id


def insert_ready_jobs(count: int, *, queue: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args)"
            " SELECT %s, 'sample.remember', 0, '{}' FROM generate_series(1, %s)",
            [queue, count],
        )


def look() -> set[str]:
    """Look once, send what is due, and return the rules whose alerts fire."""
    assert evaluation.run_once(every=timedelta(0)) is not None
    # A round ends sessions that fall silent in its transaction, which here is the test's.
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout TO DEFAULT")
    delivery.deliver_due()
    return {alert.rule for alert in evaluation.list_firing()}


def told() -> list[str]:
    """Return the titles of the e-mails that went out, and empty the box."""
    titles = [str(message.subject) for message in mail.outbox]
    mail.outbox.clear()
    return titles


@contextmanager
def only_rule(rule: AlertRule) -> Iterator[None]:
    """Let this rule be the only one for a while."""
    kept = dict(_rules_by_name)
    _rules_by_name.clear()
    _rules_by_name[rule.name] = rule
    try:
        yield
    finally:
        _rules_by_name.clear()
        _rules_by_name.update(kept)


def settings_at_once(**more: Any) -> override_settings:
    return override_settings(**{**AT_ONCE, **more})
