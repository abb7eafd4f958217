"""What the tests of the overview pages share: staff, workers, attempts, and reading a page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse

from procrastinate_tasks.models import JobAttempt, Outcome

PAGES = (
    "queue_dashboard",
    "queue_alerts",
    "queue_failures",
    "queue_queues",
    "queue_workers",
    "queue_schedule",
    "queue_system",
)


def staff(*codenames: str) -> Client:
    """Return a client of a member of staff with these permissions of the queue app."""
    user = User.objects.create_user(f"staff-{User.objects.count()}", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=codenames, content_type__app_label="procrastinate_tasks")
    )
    client = Client()
    client.cookies["django_language"] = "en"
    client.force_login(user)
    return client


def page(client: Client, name: str, **query: str) -> Any:
    """Return a page of the viewer, which must answer."""
    response = client.get(reverse(f"admin:{name}"), query)
    assert response.status_code == 200, response.status_code
    return response


def a_worker(*, silent: timedelta = timedelta(0), **columns: object) -> int:
    """Register a worker of ours that beat so long ago."""
    values: dict[str, object] = {
        "host": "worker.1",
        "pid": 17,
        "release": "v42",
        "capacity": 4,
        "running": 0,
        "memory_bytes": 100 * 1024**2,
        "max_memory_bytes": 512 * 1024**2,
        "orphaned_after": timedelta(seconds=30),
        **columns,
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT worker_id FROM procrastinate_register_worker_v1()")
        (worker_id,) = cursor.fetchone()
        parameters: list[Any] = [worker_id, *values.values()]
        beat: list[Any] = [silent, worker_id]
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - %s WHERE id = %s", beat)
        cursor.execute(
            f"INSERT INTO procrastinate_tasks_liveworker (worker_id, started_at, {', '.join(values)})"
            f" VALUES (%s, now(), {', '.join(['%s'] * len(values))})",
            parameters,
        )
    return int(worker_id)


def set_job(job_id: int | None, **columns: object) -> None:
    """Change columns of a job by hand."""
    parameters: list[Any] = [*columns.values(), job_id]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE procrastinate_jobs SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",
            parameters,
        )


def an_attempt(
    *,
    finished_at: datetime,
    job_id: int = 0,
    lasted: timedelta = timedelta(seconds=1),
    outcome: Outcome = Outcome.SUCCEEDED,
    task_name: str = "sample.remember",
    queue_name: str = "sample",
    **columns: str,
) -> JobAttempt:
    """Record an attempt."""
    return JobAttempt.objects.create(
        job_id=job_id,
        attempt=1,
        task_name=task_name,
        queue_name=queue_name,
        host="h",
        started_at=finished_at - lasted,
        finished_at=finished_at,
        outcome=outcome,
        **columns,
    )


def a_failure(*, finished_at: datetime, fingerprint: str = "f1", **columns: Any) -> JobAttempt:
    """Record an attempt that failed for good."""
    return an_attempt(
        finished_at=finished_at,
        fingerprint=fingerprint,
        **{
            "outcome": Outcome.FAILED,
            "exception_class": "sample.errors.Broken",
            "message": "it broke\nsomewhere",
            "release": "v42",
            **columns,
        },
    )
