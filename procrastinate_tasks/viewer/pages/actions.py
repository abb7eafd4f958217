"""Acting: the page that looks first, the form's target, and the page that tells what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from procrastinate_tasks.actions import audit, services
from procrastinate_tasks.actions.available_actions import needs_care
from procrastinate_tasks.actions.job_actions import May
from procrastinate_tasks.actions.permissions import allowed_tasks
from procrastinate_tasks.actions.policies import Action, Refusal, Tier, decide_tier, needs_reason
from procrastinate_tasks.actions.reports import ACTION_LABELS, MOST_JOBS, ActionReport, ActionRequest
from procrastinate_tasks.formatting import amounts_in_words
from procrastinate_tasks.jobs.descriptions import moves_money
from procrastinate_tasks.models import AuditEntry, TargetType
from procrastinate_tasks.queries.standstill import list_standstill
from procrastinate_tasks.viewer.alert_rows import title_of_alert
from procrastinate_tasks.viewer.forms import ANY_REASON, ActionForm, actor_of, new_token, way_back
from procrastinate_tasks.viewer.job_rows import Line, confirmation_address, lines_of
from procrastinate_tasks.viewer.rendering import render_page, render_refusal

_RUNS_IT_AGAIN = (Action.RETRY, Action.RELEASE, Action.RESCUE, Action.RUN_NOW)


_CONSEQUENCES: Mapping[Action, str | Promise] = {
    Action.PAUSE: gettext_lazy("Running jobs will finish, and no other job of the queue will start."),
    Action.RESUME: gettext_lazy("Workers will start the queue's jobs again, at once."),
    Action.PAUSE_TASK: gettext_lazy(
        "Running jobs will finish, and no other job of the task will start; other tasks go on."
    ),
    Action.RESUME_TASK: gettext_lazy("Workers will start the task's jobs again, at once."),
    Action.LIMIT: gettext_lazy("The limits hold for all workers together, at once and through restarts."),
    Action.MUTE_FAULT: gettext_lazy(
        "Nobody is told of this fault any more, until a later release has it too. Its jobs fail as before."
    ),
    Action.UNMUTE_FAULT: gettext_lazy("The fault is told of again, from now on."),
    Action.SILENCE_ALERT: gettext_lazy(
        "Nobody is told of it anew until it is over, gets much worse, or its time has come. Whoever hears of"
        " alerts is told that you silenced it, with your note. Health checks and metrics count it as before."
    ),
    Action.UNSILENCE_ALERT: gettext_lazy("It is told again at once, as long as it is not over."),
    Action.RUN_SCHEDULE: gettext_lazy("One job will be deferred now; the next regular run stays as it is."),
    Action.DISABLE_SCHEDULE: gettext_lazy("It will defer nothing, through restarts, until it is enabled."),
    Action.ENABLE_SCHEDULE: gettext_lazy("It will defer again, from its next time on."),
}

# --- Looking first ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What an action would come to, told line by line for jobs, and how much confirmation it takes."""

    request: ActionRequest
    report: ActionReport
    lines: tuple[Line, ...]

    @property
    def is_permitted(self) -> bool:
        return any(target.refusal is not Refusal.NOT_PERMITTED for target in self.report.targets)

    @property
    def possible(self) -> int:
        return len(self.report.applied)

    @property
    def left(self) -> int:
        return len(self.report.targets) - self.possible

    @property
    def tier(self) -> Tier:
        action = self.request.action
        careful = any(
            needs_care(action, task_name=line.report.task_name, safety=line.description.retry_safety)
            for line in self.lines
            if line.report.was_applied and line.description is not None
        )
        return decide_tier(action, count=len(self.request.targets), needs_care=careful)

    @property
    def is_typed(self) -> bool:
        return self.tier >= Tier.TYPED

    @property
    def needs_reason(self) -> bool:
        if self.request.target_type is not TargetType.JOB:
            return self.is_typed or needs_reason(self.request.action, moves_money=False)
        moves_any_money = any(moves_money(target.task_name) for target in self.report.applied)
        return needs_reason(self.request.action, moves_money=moves_any_money)


def _look_first(wanted: ActionRequest, may: May) -> DryRun:
    report = services.preview(replace(wanted, reason=wanted.reason or ANY_REASON), may=may)
    lines = lines_of(report) if wanted.target_type is TargetType.JOB else ()
    return DryRun(request=wanted, report=report, lines=lines)


def confirm(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show what an action would come to, and ask for what it takes."""
    form = ActionForm(request.GET)
    if not form.is_valid():
        return _ask_again(request, site)
    wanted = form.request_by(actor_of(request))
    dry_run = _look_first(wanted, allowed_tasks(request.user, wanted.action))
    if not dry_run.is_permitted:
        return render_refusal(request, site, sentence=_not_permitted(wanted.action))
    return _render_confirmation(request, site, dry_run)


def _render_confirmation(
    request: HttpRequest, site: AdminSite, dry_run: DryRun, *, problem: str = ""
) -> HttpResponse:
    wanted = dry_run.request
    context = {
        "title": _("%(action)s: %(what)s") % {"action": ACTION_LABELS[wanted.action], "what": _what(wanted)},
        "dry_run": dry_run,
        "wanted": wanted,
        "label": ACTION_LABELS[wanted.action],
        "is_about_jobs": wanted.target_type is TargetType.JOB,
        "shows_safety": wanted.action in _RUNS_IT_AGAIN,
        "consequence": _CONSEQUENCES.get(wanted.action, ""),
        "problem": problem,
        "token": wanted.token or new_token(),
        "back": way_back(request, site_name=site.name),
        "is_limit": wanted.action is Action.LIMIT,
        "is_silence": wanted.action is Action.SILENCE_ALERT,
        **_standstill(wanted),
    }
    return render_page(request, site, "confirm.html", context)


def _standstill(wanted: ActionRequest) -> dict[str, object]:
    """Tell what a pause would hold back; nothing of other actions."""
    if wanted.action not in (Action.PAUSE, Action.PAUSE_TASK):
        return {}
    (name,) = wanted.targets
    tasks = list_standstill(**{"queue" if wanted.action is Action.PAUSE else "task": name})
    return {
        "is_pause": True,
        "standing": [(item, amounts_in_words(item.amounts)) for item in tasks],
        "has_sums": any(item.amounts for item in tasks),
    }


# --- Acting -----------------------------------------------------------------------------------------------


def perform(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Do what a form asks for, once, and lead to a page that tells what became of it."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    form = ActionForm(request.POST)
    if not form.is_valid():
        return _ask_again(request, site)
    wanted = form.request_by(actor_of(request))
    may = allowed_tasks(request.user, wanted.action)
    dry_run = _look_first(wanted, may)
    if not dry_run.is_permitted:
        services.record_refused(wanted)
        return render_refusal(request, site, sentence=_not_permitted(wanted.action))
    if dry_run.tier >= Tier.DRY_RUN and not form.is_confirmed:
        back = way_back(request, site_name=site.name)
        address = confirmation_address(wanted.action, wanted.targets, site_name=site.name, back=back)
        return redirect(address)
    problem = _find_problem(dry_run, typed=form.cleaned_data["typed"])
    if problem:
        return _render_confirmation(request, site, dry_run, problem=problem)
    return _lead_on(request, site, wanted, services.perform(wanted, may=may))


def _find_problem(dry_run: DryRun, *, typed: str) -> str:
    """Return what is still missing, which only the page in between asks for."""
    if dry_run.needs_reason and not dry_run.request.reason:
        return _("A reason is needed: colleagues will read it in the audit log.")
    expected = dry_run.request.expected_text
    if dry_run.is_typed and typed != expected:
        return _("Type “%(text)s” to confirm. Nothing was done.") % {"text": expected}
    return ""


def _lead_on(
    request: HttpRequest, site: AdminSite, wanted: ActionRequest, report: ActionReport
) -> HttpResponse:
    """Tell of one target where the reader came from, of several on a page of their own."""
    back = way_back(request, site_name=site.name)
    if len(report.targets) > 1 and report.group is not None:
        address = reverse("admin:queue_result", args=[report.group], current_app=site.name)
        return redirect(f"{address}?{urlencode({'next': back})}")
    for target in report.targets:
        level = messages.SUCCESS if target.was_applied else messages.WARNING
        messages.add_message(request, level, f"{_name_of(wanted, target.target)}: {target.sentence}")
    return redirect(back)


# --- What became of it ------------------------------------------------------------------------------------


def show_result(request: HttpRequest, site: AdminSite, group: UUID) -> HttpResponse:
    """Tell what became of an action, from the audit log: the page can be reloaded and shared."""
    entries = AuditEntry.objects.filter(group=group).order_by("id")
    if not request.user.has_perm(audit.VIEW_AUDIT):
        entries = entries.filter(user_id=str(request.user.pk))
    found = list(entries[:MOST_JOBS])
    if not found:
        raise Http404(_("There is no such action."))
    first = found[0]
    report = ActionReport(
        action=Action(first.action), targets=tuple(map(audit.report_of, found)), group=group
    )
    is_about_jobs = first.target_type == TargetType.JOB
    context = {
        "title": _("%(action)s: what became of it") % {"action": ACTION_LABELS[report.action]},
        "report": report,
        "first": first,
        "lines": lines_of(report) if is_about_jobs else (),
        "back": way_back(request, site_name=site.name),
    }
    return render_page(request, site, "result.html", context)


# --- Words and permissions --------------------------------------------------------------------------------


def _not_permitted(action: Action) -> str:
    return _("Your account does not have the permission for this: %(action)s.") % {
        "action": ACTION_LABELS[action]
    }


def _ask_again(request: HttpRequest, site: AdminSite) -> HttpResponse:
    context = {
        "title": _("Nothing to do"),
        "sentence": _("Choose at least one job and an action, then try again."),
        "back": way_back(request, site_name=site.name),
    }
    return render_page(request, site, "nothing_to_do.html", context, status=400)


def _what(wanted: ActionRequest) -> str:
    count = len(wanted.targets)
    if count == 1:
        return _name_of(wanted, wanted.targets[0])
    return ngettext("%(count)d job", "%(count)d jobs", count) % {"count": count}


def _name_of(wanted: ActionRequest, target: str) -> str:
    words = {
        TargetType.JOB: _("job %(name)s"),
        TargetType.QUEUE: _("queue %(name)s"),
        TargetType.TASK: _("task %(name)s"),
        TargetType.FAULT: _("fault %(name)s"),
        TargetType.ALERT: _("alert “%(name)s”"),
        TargetType.SCHEDULE: _("schedule %(name)s"),
    }
    if wanted.target_type is TargetType.ALERT:
        target = title_of_alert(target)
    return words[wanted.target_type] % {"name": " ".join(target.split("\t"))}
