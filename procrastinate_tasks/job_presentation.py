"""What the queue app tells of its own jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from procrastinate_tasks.bulk import RUN_TASK
from procrastinate_tasks.presentation import JobArgs, JobStory, RetrySafety, TaskPresentation, present


def tell_bulk_runs(jobs: Sequence[JobArgs]) -> Mapping[int, JobStory]:
    """Name the bulk operation that a job carries on."""
    return {
        job.id: JobStory(
            sentence=_("Carry out bulk operation %(id)s") % {"id": job.args["operation_id"]},
            retry_safety=RetrySafety.SAFE,
            retry_reason=_("It goes on where it was, and does nothing twice."),
        )
        for job in jobs
    }


present(
    RUN_TASK,
    TaskPresentation(
        title=gettext_lazy("Bulk operation"), tell=tell_bulk_runs, related_argument="operation_id"
    ),
)
