"""The page of one job: what it does, what became of each attempt, who stands in its way, what can be done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.audit import list_audit
from procrastinate_tasks.actions.permissions import VIEW_STACKS, VIEW_TRACEBACKS
from procrastinate_tasks.actions.reports import ACTION_LABELS, TargetReport
from procrastinate_tasks.formatting import duration_in_words
from procrastinate_tasks.jobs.descriptions import JobDescription, descriptions_of, find_description
from procrastinate_tasks.jobs.states import STATE_LABELS
from procrastinate_tasks.models import AuditEntry
from procrastinate_tasks.queries.filters import JobFilter
from procrastinate_tasks.queries.job import (
    Attempt,
    Event,
    LockSharer,
    find_progress,
    list_lock_sharers,
    list_logs,
    look_at,
    progress_in_words,
    steps_of,
)
from procrastinate_tasks.queries.jobs import JobRow
from procrastinate_tasks.queues.diagnosis import why_not_running
from procrastinate_tasks.queues.pauses import PAUSES
from procrastinate_tasks.viewer.forms import new_token
from procrastinate_tasks.viewer.job_rows import ShownJob, show_arguments, show_rows
from procrastinate_tasks.viewer.rendering import render_page

_IS_EXPLAINED = ("todo", "doing", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """An audit entry in words."""

    entry: AuditEntry
    label: str
    report: TargetReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSharer:
    sharer: LockSharer
    description: JobDescription


def show(request: HttpRequest, site: AdminSite, job_id: int) -> HttpResponse:
    row, attempts, events, (_now, pauses) = look_at(job_id, PAUSES)
    seen = {
        "pauses": pauses,
        "attempts": attempts,
        "shows_tracebacks": request.user.has_perm(VIEW_TRACEBACKS),
    }
    if row is None:
        title = _("Job %(id)d is not kept") % {"id": job_id}
        return render_page(request, site, "job_gone.html", {"title": title, **seen}, status=404)
    context = {**_describe(request, site, row, attempts, events), **_inside(request, row), **seen}
    return render_page(request, site, "job.html", context)


def _inside(request: HttpRequest, row: JobRow) -> dict[str, object]:
    """What the job itself says: its log lines, and where it stands, each for those who may see it."""
    return {
        "logs": list_logs(row.id) if request.user.has_perm(VIEW_TRACEBACKS) else None,
        "asks_stack": row.status == "doing" and request.user.has_perm(VIEW_STACKS),
    }


def _describe(
    request: HttpRequest,
    site: AdminSite,
    row: JobRow,
    attempts: Sequence[Attempt],
    events: Sequence[Event],
) -> dict[str, object]:
    sharers = list_lock_sharers(row)
    descriptions = descriptions_of([row, *sharers])
    (shown,) = show_rows(
        [row], descriptions, user=request.user, back=request.get_full_path(), site_name=site.name
    )
    may_see_arguments = request.user.has_perm("procrastinate_tasks.view_job_arguments")
    progress = find_progress(row.id)
    deeds = list_audit(row.id, user=request.user, user_id=request.user.pk)
    return {
        "title": shown.description.sentence,
        "job": shown,
        "why": why_not_running(row.id) if row.status in _IS_EXPLAINED else None,
        "steps": steps_of(events),
        "arguments": show_arguments(row.args) if may_see_arguments else None,
        "sharers": [ShownSharer(sharer=sharer, description=descriptions[sharer.id]) for sharer in sharers],
        "progress": progress,
        "progress_words": progress_in_words(progress) if progress else "",
        "deeds": [_deed(entry) for entry in deeds],
        "is_own": not request.user.has_perm(audit.VIEW_AUDIT),
        "siblings_query": _siblings(row),
        "summary": _summarize(shown, attempts),
        "not_now": _not_now(shown),
        "token": new_token(),
    }


def _not_now(shown: ShownJob) -> dict[str, str]:
    """Return which actions are impossible, by the reason that they share."""
    labels: dict[str, list[str]] = defaultdict(list)
    for offer in shown.offers:
        if offer.why_not:
            labels[offer.why_not].append(offer.label)
    return {reason: ", ".join(names) for reason, names in labels.items()}


def _deed(entry: AuditEntry) -> Deed:
    report = audit.report_of(entry)
    return Deed(entry=entry, label=str(ACTION_LABELS[report.action]), report=report)


def _siblings(row: JobRow) -> str:
    """Return the list of all jobs about the same object, "" if the task names none."""
    presentation = find_description(row.task_name)
    value = row.args.get(presentation.related_argument) if presentation else None
    if presentation is None or not isinstance(value, int | str):
        return ""
    return JobFilter(about=f"{presentation.related_argument}:{value}").address()


def _summarize(shown: ShownJob, attempts: Sequence[Attempt]) -> str:
    """Return what a colleague or supporter needs to know, without arguments or messages."""
    row = shown.row
    facts = {
        _("Job"): f"{row.id} · {row.task_name} · {row.queue_name}",
        _("State"): f"{STATE_LABELS[row.state]} ({row.status}), {shown.attempt}/{shown.most_attempts or '?'}",
        _("Last event"): row.changed_at.isoformat(timespec="seconds") if row.changed_at else "–",
        _("Ran for"): duration_in_words(shown.lasted),
    }
    if attempts:
        last = attempts[0]
        known = (
            last.outcome_label,
            last.exception_class,
            last.fingerprint,
            last.host,
            last.release,
        )
        facts[_("Last attempt")] = " · ".join(filter(None, known))
    return "\n".join(f"{name}: {fact}" for name, fact in facts.items())
