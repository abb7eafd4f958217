"""Starting a bulk operation: what the filter finds, what would become of it, and the form that starts it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from procrastinate_tasks.actions import bulk
from procrastinate_tasks.actions.bulk import BulkPreview
from procrastinate_tasks.actions.permissions import allowed_tasks, is_allowed
from procrastinate_tasks.actions.policies import JOB_ACTIONS, Action
from procrastinate_tasks.actions.reports import ACTION_LABELS, ActionReport, ActionRequest, refused_sentence
from procrastinate_tasks.actions.services import record_refused
from procrastinate_tasks.formatting import amounts_in_words
from procrastinate_tasks.queries.filters import JobFilter, filter_in_words, read_filter, understand
from procrastinate_tasks.queries.jobs import list_ids
from procrastinate_tasks.viewer.forms import ANY_REASON, LONGEST_REASON, actor_of, new_token, read_token
from procrastinate_tasks.viewer.job_rows import lines_of
from procrastinate_tasks.viewer.rendering import (
    QueryTookTooLong,
    render_page,
    render_refusal,
    statement_timeout,
)

PACES = (20, 60, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is about to be started, and what is still missing of it."""

    chosen: JobFilter
    action: Action | None
    job_ids: list[int]
    reason: str = ""
    pace_per_minute: int | None = None
    typed: str = ""

    @property
    def is_too_large(self) -> bool:
        return len(self.job_ids) > bulk.MOST_JOBS

    def find_problem(self) -> str:
        if not self.reason:
            return _("A reason is needed: colleagues will read it in the audit log.")
        if self.typed != str(len(self.job_ids)):
            return _("Type “%(text)s” to confirm: so many jobs match now. Nothing was done.") % {
                "text": len(self.job_ids)
            }
        return ""


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Look at what a filter finds; a POST starts the operation."""
    action = _read_action(request)
    if not _is_permitted(request, action):
        return _refuse(request, site)
    try:
        with statement_timeout():
            plan = _plan(request, action)
            context = _describe(request, plan)
    except QueryTookTooLong:
        context = {"title": _("New bulk operation"), "took_too_long": True}
        return render_page(request, site, "bulk_new.html", context)
    if request.method != "POST" or plan.action is None or plan.is_too_large or not plan.job_ids:
        return render_page(request, site, "bulk_new.html", context)
    problem = plan.find_problem()
    if problem:
        return render_page(request, site, "bulk_new.html", context | {"problem": problem})
    return _start(request, site, plan, plan.action)


def _start(request: HttpRequest, site: AdminSite, plan: Plan, action: Action) -> HttpResponse:
    report = bulk.start(
        action,
        job_ids=plan.job_ids,
        filters=plan.chosen.snapshot(),
        actor=actor_of(request),
        reason=plan.reason,
        token=read_token(request),
        pace_per_minute=plan.pace_per_minute,
    )
    (target,) = report.targets
    messages.add_message(
        request, messages.SUCCESS if target.was_applied else messages.WARNING, target.sentence
    )
    if not target.was_applied:
        return redirect(request.get_full_path())
    return redirect(reverse("admin:queue_bulk_detail", args=[target.target], current_app=site.name))


def _plan(request: HttpRequest, action: Action | None) -> Plan:
    chosen = read_filter(request.GET)
    return Plan(
        chosen=chosen,
        action=action,
        job_ids=list_ids(understand(chosen).query, limit=bulk.MOST_JOBS + 1),
        reason=request.POST.get("reason", "").strip().replace("\x00", "")[:LONGEST_REASON],
        pace_per_minute=next((pace for pace in PACES if str(pace) == request.POST.get("pace")), None),
        typed=request.POST.get("typed", "").strip(),
    )


def _describe(request: HttpRequest, plan: Plan) -> dict[str, object]:
    return {
        "title": _("New bulk operation"),
        "plan": plan,
        "filters": filter_in_words(plan.chosen),
        "hidden": plan.chosen.snapshot(),
        "count": _count(plan),
        "most": number_format(bulk.MOST_JOBS, force_grouping=True),
        "actions": _allowed_actions(request),
        "paces": PACES,
        "back_query": plan.chosen.address(),
        "token": read_token(request) or new_token(),
        **(_dry_run(request, plan, plan.action) if plan.action else {}),
    }


def _dry_run(request: HttpRequest, plan: Plan, action: Action) -> dict[str, object]:
    if plan.is_too_large or not plan.job_ids:
        return {}
    wanted = ActionRequest(
        action=action,
        targets=tuple(map(str, plan.job_ids)),
        actor=actor_of(request),
        reason=plan.reason or ANY_REASON,
    )
    preview = bulk.preview(wanted, may=allowed_tasks(request.user, action))
    return {
        "preview": preview,
        "stake": amounts_in_words(preview.stake.amounts),
        "chosen_pace": _chosen_pace(request, plan, preview),
        "label": ACTION_LABELS[action],
        "refused": [
            (refused_sentence(refusal, {"twin_id": "…"}), count) for refusal, count in preview.refused.items()
        ],
        "lines": lines_of(ActionReport(action=action, targets=preview.sample, is_dry_run=True)),
        "is_sample": preview.looked_at < preview.requested,
        "looked_at": number_format(preview.looked_at, force_grouping=True),
    }


def _chosen_pace(request: HttpRequest, plan: Plan, preview: BulkPreview) -> int | None:
    """Return the pace that stands in the form: money goes slowly unless somebody says otherwise."""
    if request.method == "POST":
        return plan.pace_per_minute
    return bulk.PACE_OF_MONEY if preview.stake.moves_money else None


def _count(plan: Plan) -> str:
    count = min(len(plan.job_ids), bulk.MOST_JOBS)
    return number_format(count, force_grouping=True) + ("+" if plan.is_too_large else "")


def _read_action(request: HttpRequest) -> Action | None:
    word = (request.POST or request.GET).get("action", "")
    return next((action for action in JOB_ACTIONS if action == word), None)


def _allowed_actions(request: HttpRequest) -> list[tuple[str, str]]:
    return [
        (action.value, str(ACTION_LABELS[action]))
        for action in JOB_ACTIONS
        if is_allowed(request.user, action)
    ]


def _is_permitted(request: HttpRequest, action: Action | None) -> bool:
    return is_allowed(request.user, Action.START_BULK) and (
        action is None or is_allowed(request.user, action)
    )


def _refuse(request: HttpRequest, site: AdminSite) -> HttpResponse:
    if request.method == "POST":
        refused = ActionRequest(action=Action.START_BULK, targets=(bulk.NEW,), actor=actor_of(request))
        record_refused(refused)
    return render_refusal(request, site)
