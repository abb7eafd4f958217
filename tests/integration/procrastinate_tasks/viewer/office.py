"""Pool at the job viewer's pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from procrastinate_tasks.jobs.descriptions import JobArgs, JobDescription, RetrySafety, TaskDescription

OPERATOR = (
    "view_job",
    "view_job_arguments",
    "view_job_traceback",
    "retry_job",
    "run_job",
    "cancel_job",
    "abort_job",
    "rescue_job",
    "pause_queue",
    "bulk_jobs",
    "view_audit",
)


def staff_client(*codenames: str, name: str = "", language: str = "en") -> Client:
    """Return the browser of a member of the staff with these permissions."""
    user = User.objects.create_user(name or "-".join(codenames)[:150], is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return browser_of(user, language=language)


def browser_of(user: User, *, language: str = "en") -> Client:
    client = Client()
    client.force_login(user)
    client.cookies["django_language"] = language
    return client


def address(name: str, *arguments: object) -> str:
    return reverse(f"admin:{name}", args=arguments)


def listed_ids(client: Client, **query: Any) -> list[int]:
    """Return the ids of the listed jobs, as they stand on the page."""
    response = client.get(address("queue_jobs"), query)
    assert response.status_code == 200
    return [shown.row.id for shown in response.context.get("rows", ())]


def safe_to_repeat(**options: Any) -> TaskDescription:
    """Return a presentation whose task one may repeat by one click."""

    def describe(calls: Sequence[JobArgs]) -> Mapping[int, JobDescription]:
        return {
            call.id: JobDescription(
                sentence=f"Remembers {call.args['number']}", retry_safety=RetrySafety.SAFE
            )
            for call in calls
        }

    return TaskDescription(**{"title": "Remember a number", "describe": describe, **options})
