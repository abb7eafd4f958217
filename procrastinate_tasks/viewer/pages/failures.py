"""T4: what fails, by task and fault; and one fault: since which release, how often, its text and its jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from procrastinate_tasks.actions.permissions import is_allowed
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.formatting import MOST_COUNTED
from procrastinate_tasks.jobs.descriptions import title_of
from procrastinate_tasks.jobs.faults import key_of_fault
from procrastinate_tasks.models import Outcome
from procrastinate_tasks.queries.failures import (
    HOURS,
    JOBS_PER_PAGE,
    MOST_GROUPS,
    FailureGroup,
    FaultKey,
    count_by_hour,
    find_failure_group,
    list_failure_groups,
    list_struck_jobs,
)
from procrastinate_tasks.queries.filters import JobFilter, read_whole, understand
from procrastinate_tasks.queries.jobs import list_ids
from procrastinate_tasks.queries.tabs import Tab
from procrastinate_tasks.viewer.charts import bars, hours_between
from procrastinate_tasks.viewer.navigation import Links
from procrastinate_tasks.viewer.rendering import render_page

PERIODS = {
    "1h": (timedelta(hours=1), gettext_lazy("1 h")),
    "24h": (timedelta(hours=24), gettext_lazy("24 h")),
    "7d": (timedelta(days=7), gettext_lazy("7 d")),
}
_OUTCOMES = {outcome.value: outcome.label for outcome in Outcome}
_MOST_AT_ONCE = 100
_CHART_HEIGHT = 60
_LONGEST_TEXT = 300


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the faults; with ``fault`` and ``exception`` one of them, and the jobs it struck in ``period``.

    ``q`` finds those whose fingerprint or error it is in, ``new`` those of the newest release.
    """
    names = ("task", "q", "fault", "exception")
    task, text, fingerprint, exception = (_read(request, name) for name in names)
    wanted = FaultKey(task_name=task, fingerprint=fingerprint, exception_class=exception)
    is_one = bool(wanted.fingerprint or wanted.exception_class)
    chosen = find_failure_group(wanted) if is_one else None
    if chosen is not None:
        return _show_group(request, site, chosen)
    links, only_new = Links(site.name), request.GET.get("new") == "yes"
    groups = list_failure_groups(task)
    shown = [group for group in groups if group.says(text) and (not only_new or _is_told_as_new(group))]
    context = {
        "title": _("Failures"),
        "rows": [(group, _cells(group, links)) for group in sorted(shown, key=lambda group: group.is_muted)],
        "task": task,
        "task_title": title_of(task) if task else "",
        "q": text,
        "only_new": only_new,
        "is_filtered": bool(task or text or only_new),
        "everything_url": links.to("failures"),
        "is_cut": len(groups) >= MOST_GROUPS,
        "is_gone": is_one,
    }
    return render_page(request, site, "failures.html", context)


def _read(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").strip()[:_LONGEST_TEXT].replace("\x00", "")


def _is_told_as_new(group: FailureGroup) -> bool:
    return group.is_new and not group.is_muted and group.last_day > 0


def _show_group(request: HttpRequest, site: AdminSite, group: FailureGroup) -> HttpResponse:
    links = Links(site.name)
    period, before = request.GET.get("period", ""), read_whole(request.GET.get("before", ""))
    since = group.now - PERIODS[period][0] if period in PERIODS else None
    found = list_struck_jobs(group, since=since, before=before)
    jobs = found[:JOBS_PER_PAGE]
    chosen = JobFilter(
        tab=Tab.FAILED, task=group.task_name, fault=f"{group.fingerprint}:{group.exception_class}"
    )
    failed = list_ids(understand(chosen).query, limit=MOST_COUNTED + 1)
    hours = count_by_hour(group)
    context = {
        "title": group.exception_name,
        "group": group,
        "cells": _cells(group, links),
        "hours": hours,
        "hours_drawing": bars(hours, height=_CHART_HEIGHT),
        "ticks": hours_between(group.now - timedelta(hours=HOURS), group.now, every=6),
        "runs_of_day": sum(hours),
        "period": period,
        "all_url": _address(group, links),
        "faults_url": links.to("failures"),
        "jobs": [(job, links.to_job(job.job_id), _OUTCOMES.get(job.outcome, job.outcome)) for job in jobs],
        "older_url": _address(group, links, period=period, before=str(jobs[-1].run_id))
        if len(found) > JOBS_PER_PAGE
        else "",
        "failed": len(failed),
        "failed_url": links.to("jobs", **chosen.snapshot()),
        "retry_url": _retry_address(request, links, group, chosen, failed),
        "mute_url": _mute_address(request, links, group),
        "shows_tracebacks": request.user.has_perm("procrastinate_tasks.view_job_traceback"),
    }
    return render_page(request, site, "failure.html", context)


def _mute_address(request: HttpRequest, links: Links, group: FailureGroup) -> str:
    action = Action.UNMUTE_FAULT if group.muted_at else Action.MUTE_FAULT
    if not is_allowed(request.user, action):
        return ""
    key = key_of_fault(
        task=group.task_name, fingerprint=group.fingerprint, exception_class=group.exception_class
    )
    return links.to_confirm(action, back=_address(group, links), target={"fault": key})


def _retry_address(
    request: HttpRequest, links: Links, group: FailureGroup, chosen: JobFilter, failed: Sequence[int]
) -> str:
    """Return where all of them are retried; more than an address can name are a bulk operation."""
    if not failed or not is_allowed(request.user, Action.RETRY, task_name=group.task_name):
        return ""
    if len(failed) <= _MOST_AT_ONCE:
        return links.to_confirm(Action.RETRY, back=request.get_full_path(), job_ids=failed)
    if not is_allowed(request.user, Action.START_BULK):
        return ""
    return links.to("bulk_new", **chosen.snapshot(), action=Action.RETRY)


def _cells(group: FailureGroup, links: Links) -> list[Mapping[str, object]]:
    """Return each period's count with the address of the jobs it counts."""
    counts = {"1h": group.last_hour, "24h": group.last_day, "7d": group.last_week}
    cells = [
        {"label": PERIODS[period][1], "count": count, "url": _address(group, links, period=period)}
        for period, count in counts.items()
    ]
    return [*cells, {"label": _("Total"), "count": group.total, "url": _address(group, links)}]


def _address(group: FailureGroup, links: Links, *, period: str = "", before: str = "") -> str:
    return links.to(
        "failures",
        task=group.task_name,
        fault=group.fingerprint,
        exception=group.exception_class,
        period=period,
        before=before,
    )
