"""T4: what fails, by task and fault, and the jobs behind one fault."""

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
from procrastinate_tasks.models import Outcome
from procrastinate_tasks.queries.failures import (
    MOST_GROUPS,
    MOST_JOBS,
    FailureGroup,
    list_failure_groups,
    list_struck_jobs,
)
from procrastinate_tasks.queries.filters import JobFilter, understand
from procrastinate_tasks.queries.jobs import Tab, list_ids
from procrastinate_tasks.viewer.navigation import Links
from procrastinate_tasks.viewer.rendering import render_page

PERIODS = {
    "1h": (timedelta(hours=1), gettext_lazy("1 h")),
    "24h": (timedelta(hours=24), gettext_lazy("24 h")),
    "7d": (timedelta(days=7), gettext_lazy("7 d")),
}
_OUTCOMES = {outcome.value: outcome.label for outcome in Outcome}


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the faults; with ``fault`` and ``exception`` one of them, and the jobs it struck in ``period``."""
    task = request.GET.get("task", "")
    groups = list_failure_groups(task)
    wanted = (task, request.GET.get("fault", ""), request.GET.get("exception", ""))
    chosen = next((group for group in groups if _key_of(group) == wanted), None)
    if chosen is not None:
        return _show_group(request, site, chosen)
    links = Links(site.name)
    context = {
        "title": _("Failures"),
        "rows": [(group, _cells(group, links)) for group in groups],
        "task": task,
        "task_title": title_of(task) if task else "",
        "everything_url": links.to("failures"),
        "is_cut": len(groups) >= MOST_GROUPS,
        "is_gone": any(wanted[1:]),
    }
    return render_page(request, site, "failures.html", context)


def _show_group(request: HttpRequest, site: AdminSite, group: FailureGroup) -> HttpResponse:
    links = Links(site.name)
    period = request.GET.get("period", "")
    since = group.now - PERIODS[period][0] if period in PERIODS else None
    jobs = list_struck_jobs(group, since=since)
    chosen = JobFilter(
        tab=Tab.FAILED, task=group.task_name, fault=f"{group.fingerprint}:{group.exception_class}"
    )
    failed = list_ids(understand(chosen).query, limit=MOST_COUNTED + 1)
    context = {
        "title": group.exception_name,
        "group": group,
        "cells": _cells(group, links),
        "period": period,
        "all_url": _address(group, links),
        "faults_url": links.to("failures"),
        "jobs": [(job, links.to_job(job.job_id), _OUTCOMES.get(job.outcome, job.outcome)) for job in jobs],
        "failed": len(failed),
        "is_cut": len(jobs) >= MOST_JOBS,
        "failed_url": links.to("jobs", **chosen.snapshot()),
        "retry_url": _retry_address(request, links, group, chosen, failed),
    }
    return render_page(request, site, "failure.html", context)


def _retry_address(
    request: HttpRequest, links: Links, group: FailureGroup, chosen: JobFilter, failed: Sequence[int]
) -> str:
    """Return where all of them are retried; more than an address can name are a bulk operation."""
    if not failed or not is_allowed(request.user, Action.RETRY, task_name=group.task_name):
        return ""
    if len(failed) <= MOST_JOBS:
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


def _address(group: FailureGroup, links: Links, *, period: str = "") -> str:
    return links.to(
        "failures",
        task=group.task_name,
        fault=group.fingerprint,
        exception=group.exception_class,
        period=period,
    )


def _key_of(group: FailureGroup) -> tuple[str, str, str]:
    return group.task_name, group.fingerprint, group.exception_class
