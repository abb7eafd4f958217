"""Registers what the job viewer tells of the site's own tasks."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from bookings.job_descriptions import describe_alike
from procrastinate_tasks.jobs.descriptions import Kind, TaskDescription, describe_task

describe_task(
    "reyes_estancias.tasks.clear_sessions",
    TaskDescription(
        title=_("Clear sessions"),
        kind=Kind.OTHER,
        describe=describe_alike(
            sentence=_("Deletes the sessions that are over"),
            retry_reason=_("It deletes only what is over already."),
            runbook=_("It runs again the next night. If it keeps failing, read the error of the attempt."),
        ),
    ),
)
