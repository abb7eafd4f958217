"""What the page of one job asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import DateTimeField, Func
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.models import ProcrastinateEvent
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.arguments import arguments_to_show
from procrastinate_tasks.models import AuditEntry, JobAttempt, TargetType
from procrastinate_tasks.permissions import HasPermissions
from procrastinate_tasks.statements import statement
from procrastinate_tasks.viewer.queries.jobs import JobQuery, JobRow, list_jobs
from procrastinate_tasks.viewer.timeline import Event

MOST_EVENTS = 200
MOST_ATTEMPTS = 50
MOST_WITH_ITS_LOCK = 5
MOST_AUDITED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LockSharer:
    """Another unfinished job with the same lock; ``runs`` when it is the one that has it."""

    id: int
    task_name: str
    args: Mapping[str, object] = field(repr=False)
    runs: bool


def find_job(job_id: int) -> JobRow | None:
    """Return a job as the list knows it; None if it never was, or was pruned."""
    rows = list_jobs(JobQuery(ids=(min(job_id, 2**63 - 1),))).rows
    return rows[0] if rows else None


def list_events(job_id: int) -> tuple[Event, ...]:
    """Return a job's latest events, the oldest first. One of them may be of any instant: when it is due."""
    readable_at = Func("at", function="procrastinate_tasks_readable_v1", output_field=DateTimeField())
    events = ProcrastinateEvent.objects.filter(job_id=job_id, at__isnull=False).order_by("-id")
    latest = events.values_list("type", readable_at)[:MOST_EVENTS]
    return tuple(Event(type=kind, at=at) for kind, at in reversed(latest))


def list_attempts(job_id: int) -> list[JobAttempt]:
    """Return a job's latest attempts, the latest first; they outlive the job for a while."""
    return list(JobAttempt.objects.filter(job_id=job_id).order_by("-id")[:MOST_ATTEMPTS])


def list_lock_sharers(row: JobRow) -> tuple[LockSharer, ...]:
    """Return the unfinished jobs with a job's lock, the one that has it first."""
    if row.lock is None or row.status not in ("todo", "doing"):
        return ()
    rows = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS).execute_query_all(
        statement("same_lock"), lock=row.lock, job_id=row.id, limit=MOST_WITH_ITS_LOCK + 1
    )
    return tuple(LockSharer(**{**row, "args": arguments_to_show(row["args"])}) for row in rows)


def list_audit(job_id: int, *, user: HasPermissions, user_id: object) -> list[AuditEntry]:
    """Return what people did to a job; without the permission to see everybody's deeds, one's own."""
    entries = AuditEntry.objects.filter(target_type=TargetType.JOB, target_id=str(job_id))
    if not user.has_perm("procrastinate_tasks.view_audit"):
        entries = entries.filter(user_id=str(user_id))
    return list(entries.order_by("-id")[:MOST_AUDITED])
