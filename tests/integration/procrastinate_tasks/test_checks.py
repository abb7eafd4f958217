"""System checks: each fault has a stable id and a hint that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from procrastinate.contrib.django import app
from procrastinate.contrib.django.procrastinate_app import current_app

from procrastinate_tasks import checks
from procrastinate_tasks.checks import check_queue
from procrastinate_tasks.conf import AlertThresholds, QueueLimit, Rate
from procrastinate_tasks.jobs import descriptions, task_options
from procrastinate_tasks.jobs.descriptions import TaskDescription, describe_task
from procrastinate_tasks.jobs.task_options import TaskOptions, _options_by_name, find_options
from procrastinate_tasks.jobs.task_options import register as register_options
from procrastinate_tasks.schedule import periodic as periodic_module
from procrastinate_tasks.schedule.periodic import periodic
from tests.integration.procrastinate_tasks.sample_tasks import remember


@pytest.fixture(autouse=True)
def _no_leaks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(periodic_module, "_schedules_by_name", {})
    monkeypatch.setattr(task_options, "_options_by_name", dict(_options_by_name))
    yield


def ids() -> list[str | None]:
    messages = check_queue(None)
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


def register(**options: Any) -> None:
    known = find_options("sample.remember")
    assert known is not None
    fields: dict[str, Any] = {
        "name": "sample.faulty",
        "function_path": "tests.faulty",
        "signature": known.signature,
        **options,
    }
    register_options(TaskOptions(**fields))


def test_manage_py_check_runs_them(settings):
    settings.PROCRASTINATE_TASKS_TIME_LIMIT = timedelta(seconds=1)

    with pytest.raises(SystemCheckError, match=r"procrastinate_tasks\.E008"):
        call_command("check")


def test_a_sound_project_has_no_complaint():
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "check_id"),
    [
        ("TIME_LIMIT", 600, "procrastinate_tasks.E004"),
        ("ALERT_THRESHOLDS", AlertThresholds(queue_depth=0), "procrastinate_tasks.E013"),
        ("ALERT_WEBHOOK_URL", "file:///etc/passwd", "procrastinate_tasks.E014"),
        ("SITE_URL", "estancias.example", "procrastinate_tasks.E015"),
        ("MAX_CRASHES", "two", "procrastinate_tasks.E004"),
        ("MAX_CRASHES", 0, "procrastinate_tasks.E005"),
        ("RESCUE_EVERY", timedelta(0), "procrastinate_tasks.E005"),
        ("TIME_LIMIT", timedelta(seconds=540), "procrastinate_tasks.E008"),
        ("QUEUE_LIMITS", {"sample": QueueLimit(rate=Rate(0))}, "procrastinate_tasks.E012"),
        ("QUEUE_LIMITS", {"sample": QueueLimit(concurrency=0)}, "procrastinate_tasks.E012"),
        ("QUEUE_LIMITS", {"sample": 20}, "procrastinate_tasks.E012"),
        ("QUEUE_LIMITS", {"smaple": QueueLimit(concurrency=1)}, "procrastinate_tasks.W003"),
    ],
)
def test_settings(settings: Any, name: str, value: object, check_id: str):
    setattr(settings, f"PROCRASTINATE_TASKS_{name}", value)

    assert ids() == [check_id]


def test_a_misspelt_queue_is_told_the_likely_name(settings: Any):
    settings.PROCRASTINATE_TASKS_QUEUE_LIMITS = {"smaple": QueueLimit(concurrency=1)}

    (message,) = check_queue(None)

    assert (message.hint or "").startswith("Did you mean 'sample'?")


def test_another_job_manager(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(current_app, "job_manager", object())

    assert ids() == ["procrastinate_tasks.E001"]


def test_another_database(settings: Any, monkeypatch: pytest.MonkeyPatch):
    settings.PROCRASTINATE_DATABASE_ALIAS = "queue"
    assert ids() == ["procrastinate_tasks.E002"]

    monkeypatch.setattr(checks, "connections", {"queue": SimpleNamespace(vendor="sqlite")})
    assert ids() == ["procrastinate_tasks.E002"]


def test_naive_times(settings: Any):
    settings.USE_TZ = False

    assert ids() == ["procrastinate_tasks.E003"]


@pytest.mark.parametrize(
    ("options", "check_id"),
    [
        ({"name": "x" * 129}, "procrastinate_tasks.E006"),
        ({"log_fields": ("nmber",)}, "procrastinate_tasks.E007"),
        ({"soft_time_limit": timedelta(hours=1)}, "procrastinate_tasks.E008"),
        ({"time_limit": timedelta(seconds=1)}, "procrastinate_tasks.E008"),
    ],
)
def test_tasks(options: dict[str, object], check_id: str):
    register(**options)

    assert ids() == [check_id]


@pytest.mark.parametrize(
    ("options", "check_id"),
    [
        ({"cron": "61 * * * *"}, "procrastinate_tasks.E009"),
        ({"cron": "* * * * *", "timezone": "Mars/Base"}, "procrastinate_tasks.E009"),
        ({"cron": "* * * * *", "args": {"nmber": 1}}, "procrastinate_tasks.E010"),
        ({"cron": "* * * * *", "args": {"number": -1}}, "procrastinate_tasks.E010"),
    ],
)
def test_schedules(options: dict[str, Any], check_id: str):
    periodic(**{"args": {"number": 1}, **options})(remember)

    assert ids() == [check_id]


def test_a_presentation_of_a_task_that_is_none_is_told_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(descriptions, "_presentations", {})
    describe_task("sample.rememebr", TaskDescription(title="Remember", describe=lambda jobs: {}))

    (message,) = check_queue(None)

    assert (message.id, message.hint) == ("procrastinate_tasks.W004", "Did you mean 'sample.remember'?")


def test_worker_middleware_that_nobody_would_run_is_named(monkeypatch):
    async def count_jobs(call_next: Any, context: Any, worker: Any) -> Any:
        return await call_next()

    monkeypatch.setitem(app.worker_defaults, "worker_middleware", [count_jobs])

    (warning,) = check_queue(None)

    assert warning.id == "procrastinate_tasks.W005"
    assert "count_jobs" in warning.msg
    assert "task_middleware" in (warning.hint or "")
