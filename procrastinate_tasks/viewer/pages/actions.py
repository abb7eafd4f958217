"""Acting: the page that looks first, the form's target, and the page that tells what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.available_actions import needs_care
from procrastinate_tasks.actions.permissions import HasPermissions, allowed_tasks, is_allowed
from procrastinate_tasks.actions.policies import Action, Refusal, Tier, decide_tier, needs_reason
from procrastinate_tasks.actions.reports import ACTION_LABELS, MOST_JOBS, ActionReport, Asked
from procrastinate_tasks.actions.services import act, act_on_queue, act_on_schedule, preview, record_refused
from procrastinate_tasks.jobs.descriptions import moves_money
from procrastinate_tasks.models import AuditEntry, TargetType
from procrastinate_tasks.viewer.forms import actor_of, new_token, read_asked, read_token, way_back
from procrastinate_tasks.viewer.job_rows import Line, confirmation_address, lines_of
from procrastinate_tasks.viewer.rendering import render_page, render_refusal

_RUNS_IT_AGAIN = (Action.RETRY, Action.RELEASE, Action.RESCUE, Action.RUN_NOW)


_CONSEQUENCES: Mapping[Action, str | Promise] = {
    Action.PAUSE: gettext_lazy("Running jobs will finish, and no other job of the queue will start."),
    Action.RESUME: gettext_lazy("Workers will start the queue's jobs again, at once."),
    Action.LIMIT: gettext_lazy("The limits hold for all workers together, at once and through restarts."),
    Action.RUN_SCHEDULE: gettext_lazy("One job will be deferred now; the next regular run stays as it is."),
    Action.DISABLE_SCHEDULE: gettext_lazy("It will defer nothing, through restarts, until it is enabled."),
    Action.ENABLE_SCHEDULE: gettext_lazy("It will defer again, from its next time on."),
}

# --- Looking first ----------------------------------------------------------------------------------------


def confirm(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show what an action would come to, and ask for what it takes."""
    asked = read_asked(request.GET)
    if asked is None:
        return _ask_again(request, site)
    dry_run = look_first(asked, user=request.user)
    if not _is_permitted(request, dry_run):
        return render_refusal(request, site, sentence=_not_permitted(asked.action))
    return _render_confirmation(request, site, dry_run)


def _render_confirmation(
    request: HttpRequest, site: AdminSite, dry_run: DryRun, *, problem: str = "", token: str = ""
) -> HttpResponse:
    context = {
        "title": _title(dry_run.asked),
        "dry_run": dry_run,
        "left": len(dry_run.lines) - dry_run.possible,
        "label": ACTION_LABELS[dry_run.asked.action],
        "is_typed": dry_run.tier >= Tier.TYPED,
        "has_amounts": any(line.amount for line in dry_run.lines),
        "shows_safety": dry_run.asked.action in _RUNS_IT_AGAIN,
        "consequence": _CONSEQUENCES.get(dry_run.asked.action, ""),
        "problem": problem,
        "token": token or new_token(),
        "back": way_back(request, site_name=site.name),
        "is_limit": dry_run.asked.action is Action.LIMIT,
    }
    return render_page(request, site, "confirm.html", context)


# --- Acting -----------------------------------------------------------------------------------------------


def perform(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Do what a form asks for, once, and lead to a page that tells what became of it."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    asked = read_asked(request.POST)
    if asked is None:
        return _ask_again(request, site)
    dry_run = look_first(asked, user=request.user)
    if not _is_permitted(request, dry_run):
        _record_refusal(request, asked)
        return render_refusal(request, site, sentence=_not_permitted(asked.action))
    if dry_run.tier >= Tier.DRY_RUN and not asked.is_confirmed:
        return redirect(_confirmation_address(request, site, asked))
    problem = _find_problem(dry_run)
    if problem:
        return _render_confirmation(request, site, dry_run, problem=problem, token=read_token(request))
    return _lead_on(request, site, asked, _carry_out(request, asked))


def _carry_out(request: HttpRequest, asked: Asked) -> ActionReport:
    actor, token = actor_of(request), read_token(request)
    if asked.target_type is TargetType.JOB:
        return act(
            asked.action,
            job_ids=asked.job_ids,
            actor=actor,
            reason=asked.reason,
            token=token,
            may=allowed_tasks(request.user, asked.action),
        )
    if asked.target_type is TargetType.QUEUE:
        return act_on_queue(
            asked.action, queue=asked.name, actor=actor, reason=asked.reason, token=token, limit=asked.limit
        )
    return act_on_schedule(asked.action, name=asked.name, actor=actor, reason=asked.reason, token=token)


def _find_problem(dry_run: DryRun) -> str:
    """Return what is still missing, which only the page in between asks for."""
    asked = dry_run.asked
    if dry_run.needs_reason and not asked.reason:
        return _("A reason is needed: colleagues will read it in the audit log.")
    if dry_run.tier >= Tier.TYPED and asked.typed != asked.expected_text:
        return _("Type “%(text)s” to confirm. Nothing was done.") % {"text": asked.expected_text}
    return ""


def _lead_on(request: HttpRequest, site: AdminSite, asked: Asked, report: ActionReport) -> HttpResponse:
    """Tell of one target where the reader came from, of several on a page of their own."""
    back = way_back(request, site_name=site.name)
    if len(report.targets) > 1 and report.group is not None:
        address = reverse("admin:queue_result", args=[report.group], current_app=site.name)
        return redirect(f"{address}?{urlencode({'next': back})}")
    for target in report.targets:
        level = messages.SUCCESS if target.was_applied else messages.WARNING
        messages.add_message(request, level, f"{_name_of(asked, target.target)}: {target.sentence}")
    return redirect(back)


# --- What became of it ------------------------------------------------------------------------------------


def show_result(request: HttpRequest, site: AdminSite, group: UUID) -> HttpResponse:
    """Tell what became of an action, from the audit log: the page can be reloaded and shared."""
    entries = AuditEntry.objects.filter(group=group).order_by("id")
    if not request.user.has_perm("procrastinate_tasks.view_audit"):
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


def _is_permitted(request: HttpRequest, dry_run: DryRun) -> bool:
    asked = dry_run.asked
    if asked.target_type is not TargetType.JOB:
        return is_allowed(request.user, asked.action)
    return any(line.report.refusal is not Refusal.NOT_PERMITTED for line in dry_run.lines)


def _record_refusal(request: HttpRequest, asked: Asked) -> None:
    record_refused(
        asked.action,
        target_type=asked.target_type,
        targets=asked.targets,
        actor=actor_of(request),
        reason=asked.reason,
    )


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


def _confirmation_address(request: HttpRequest, site: AdminSite, asked: Asked) -> str:
    return confirmation_address(
        asked.action,
        site_name=site.name,
        back=way_back(request, site_name=site.name),
        job_ids=asked.job_ids,
        **({asked.target_type.value: asked.name} if asked.name else {}),
    )


def _title(asked: Asked) -> str:
    return _("%(action)s: %(what)s") % {"action": ACTION_LABELS[asked.action], "what": _what(asked)}


def _what(asked: Asked) -> str:
    if len(asked.job_ids) == 1:
        return _name_of(asked, str(asked.job_ids[0]))
    if asked.job_ids:
        count = len(asked.job_ids)
        return ngettext("%(count)d job", "%(count)d jobs", count) % {"count": count}
    return _name_of(asked, asked.name)


def _name_of(asked: Asked, target: str) -> str:
    words = {
        TargetType.JOB: _("job %(name)s"),
        TargetType.QUEUE: _("queue %(name)s"),
        TargetType.SCHEDULE: _("schedule %(name)s"),
    }
    return words[asked.target_type] % {"name": target}


_ANY_REASON = "(dry run)"


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What an action would come to, and how much confirmation it takes."""

    asked: Asked
    lines: tuple[Line, ...]
    tier: Tier
    needs_reason: bool
    possible: int


def look_first(asked: Asked, *, user: HasPermissions) -> DryRun:
    """Tell what would become of each target, changing nothing."""
    if asked.target_type is not TargetType.JOB:
        tier = decide_tier(asked.action)
        return DryRun(asked=asked, lines=(), tier=tier, needs_reason=tier is Tier.TYPED, possible=1)
    report = preview(
        asked.action,
        job_ids=asked.job_ids,
        reason=asked.reason or _ANY_REASON,
        may=allowed_tasks(user, asked.action),
    )
    lines = lines_of(report)
    possible = [line for line in lines if line.report.was_applied]
    return DryRun(
        asked=asked,
        lines=lines,
        tier=_tier(asked, possible),
        needs_reason=_needs_reason(asked.action, possible),
        possible=len(possible),
    )


def _tier(asked: Asked, possible: Sequence[Line]) -> Tier:
    careful = any(
        needs_care(asked.action, task_name=line.report.task_name, safety=line.description.retry_safety)
        for line in possible
        if line.description is not None
    )
    return decide_tier(asked.action, count=len(asked.job_ids), needs_care=careful)


def _needs_reason(action: Action, possible: Sequence[Line]) -> bool:
    return any(
        needs_reason(action, moves_money=moves_money(line.report.task_name)) for line in possible
    ) or needs_reason(action, moves_money=False)
