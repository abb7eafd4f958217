"""T6: the workers, what each runs, and the jobs that lost theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from procrastinate_tasks.actions.permissions import is_allowed
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.conf import project_name
from procrastinate_tasks.database import ask_together
from procrastinate_tasks.formatting import bytes_in_words, duration_in_words, percentage_in_words
from procrastinate_tasks.queries.workers import (
    MOST_JOBS,
    JobInProgress,
    WorkerHeartbeat,
    jobs_in_progress,
    workers,
)
from procrastinate_tasks.queues.pauses import PAUSES
from procrastinate_tasks.viewer.dashboard_cards import Health
from procrastinate_tasks.viewer.navigation import Links
from procrastinate_tasks.viewer.rendering import render_page

_MOST_RESCUED_AT_ONCE = 100
_MOST_JOBS_NAMED = 5
_NEARLY_FULL = 0.8
_NOTICEABLE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker as it is shown; ``others`` are jobs it runs beyond those that are named."""

    worker: WorkerHeartbeat
    state: str
    health: Health
    clock: str
    is_clock_wrong: bool
    memory: str
    is_memory_short: bool
    jobs: tuple[tuple[JobInProgress, str], ...]
    others: int


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    links = Links(site.name)
    (now, pauses), found, jobs = ask_together(PAUSES, workers(), jobs_in_progress())
    chosen = _chosen(request, found)
    orphaned = [job for job in jobs if job.is_orphaned]
    may_rescue = is_allowed(request.user, Action.RESCUE)
    to_rescue = [job.id for job in orphaned][:_MOST_RESCUED_AT_ONCE]
    context = {
        "title": _("Workers"),
        "now": now,
        "pauses": pauses,
        "project": project_name(),
        "rows": [_row(worker, jobs, links) for worker in chosen],
        "everything_url": links.to("workers") if request.GET.get("state") or request.GET.get("queue") else "",
        "alive": sum(worker.is_alive for worker in chosen),
        "orphaned": [(job, links.to_job(job.id)) for job in orphaned],
        "is_cut": len(jobs) >= MOST_JOBS,
        "rescue_url": links.to_confirm(Action.RESCUE, back=links.to("workers"), job_ids=to_rescue)
        if may_rescue and to_rescue
        else "",
        "to_rescue": len(to_rescue),
    }
    return render_page(request, site, "workers.html", context)


def _chosen(request: HttpRequest, found: Sequence[WorkerHeartbeat]) -> list[WorkerHeartbeat]:
    """Return the workers of the address: ``state`` alive or lost, those that serve ``queue``."""
    is_alive = {"alive": True, "lost": False}.get(request.GET.get("state", ""))
    queue = request.GET.get("queue", "")
    return [
        worker
        for worker in found
        if is_alive in (None, worker.is_alive) and (not queue or worker.serves(queue))
    ]


def _row(worker: WorkerHeartbeat, jobs: Sequence[JobInProgress], links: Links) -> WorkerRow:
    own = [job for job in jobs if job.worker_id == worker.id]
    state, health = heartbeat_verdict(worker)
    return WorkerRow(
        worker=worker,
        state=state,
        health=health,
        clock=clock_in_words(worker.clock_skew),
        is_clock_wrong=worker.clock_skew is not None and abs(worker.clock_skew) > _NOTICEABLE,
        memory=_memory(worker),
        is_memory_short=bool(worker.max_memory_bytes)
        and (worker.memory_bytes or 0) > _NEARLY_FULL * (worker.max_memory_bytes or 0),
        jobs=tuple((job, links.to_job(job.id)) for job in own[:_MOST_JOBS_NAMED]),
        others=max(0, worker.running - _MOST_JOBS_NAMED),
    )


def heartbeat_verdict(worker: WorkerHeartbeat) -> tuple[str, Health]:
    """Say whether a worker is well: doubtful after half the silence it may keep, lost after all of it."""
    if not worker.is_alive:
        return _("Lost"), Health.BAD
    if worker.heartbeat_age > worker.orphaned_after / 2:
        return _("Doubtful"), Health.SLOW
    return _("Well"), Health.GOOD


def clock_in_words(skew: timedelta | None) -> str:
    """Say how a host's clock goes, by the database's; nothing where a worker has not said it."""
    if skew is None:
        return ""
    if abs(skew) <= _NOTICEABLE:
        return _("its clock is right")
    ahead, behind = _("its clock is %(difference)s ahead"), _("its clock is %(difference)s behind")
    return (ahead if skew > timedelta(0) else behind) % {"difference": duration_in_words(abs(skew))}


def _memory(worker: WorkerHeartbeat) -> str:
    if worker.memory_bytes is None:
        return "–"
    if not worker.max_memory_bytes:
        return _("%(used)s, no limit") % {"used": bytes_in_words(worker.memory_bytes)}
    text = _("%(used)s of %(limit)s (%(share)s)")
    return text % {
        "used": bytes_in_words(worker.memory_bytes),
        "limit": bytes_in_words(worker.max_memory_bytes),
        "share": percentage_in_words(worker.memory_bytes, worker.max_memory_bytes),
    }
