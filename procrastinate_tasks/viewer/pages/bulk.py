"""Bulk operations: what each came to so far, job by job, and the form that stops one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from procrastinate_tasks.actions import bulk
from procrastinate_tasks.actions.audit import VIEW_AUDIT
from procrastinate_tasks.actions.permissions import is_allowed
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ACTION_LABELS, ActionRequest
from procrastinate_tasks.actions.services import record_refused
from procrastinate_tasks.database import database_now
from procrastinate_tasks.formatting import amounts_in_words
from procrastinate_tasks.models import ActionOutcome, BulkItem, BulkOperation, BulkState
from procrastinate_tasks.queries.aftermath import Aftermath, Became, End, read_aftermath
from procrastinate_tasks.queries.filters import LARGEST_ID, describe_filter, read_whole
from procrastinate_tasks.viewer.forms import actor_of, new_token, read_token
from procrastinate_tasks.viewer.rendering import render_page, render_refusal, stream_csv

OPERATIONS_PER_PAGE = 50


ITEMS_PER_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOperation:
    """An operation in words; ``done`` is how many jobs have had their turn."""

    operation: BulkOperation
    label: str
    filters: str
    done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownItem:
    item: BulkItem
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEnd:
    """How many of an operation's jobs came to one end, and the money of these."""

    label: str
    count: int
    amount: str
    url: str
    is_bad: bool


_LETS_RUN = (Action.RETRY, Action.RELEASE, Action.RUN_NOW, Action.RESCUE)


_ENDS: Mapping[Became, str | Promise] = {
    Became.SUCCEEDED: pgettext_lazy("several jobs", "succeeded"),
    Became.FAILED: gettext_lazy("failed again"),
    Became.WAITING: gettext_lazy("waiting"),
    Became.RUNNING: gettext_lazy("running now"),
    Became.STOPPED: gettext_lazy("cancelled or stopped since"),
    Became.UNKNOWN: gettext_lazy("pruned, and not known"),
}


# --- All of them ------------------------------------------------------------------------------------------


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    operations = _visible(request)
    before = read_whole(request.GET.get("before", ""))
    if before is not None:
        operations = operations.filter(pk__lt=before)
    found = list(operations[: OPERATIONS_PER_PAGE + 1])
    shown = found[:OPERATIONS_PER_PAGE]
    context = {
        "title": _("Bulk operations"),
        "operations": [show_operation(operation) for operation in shown],
        "older_url": f"?before={shown[-1].pk}" if len(found) > OPERATIONS_PER_PAGE else "",
        "newest_url": "?" if before is not None else "",
        "is_own": not request.user.has_perm(VIEW_AUDIT),
        "may_bulk": is_allowed(request.user, Action.START_BULK),
        "now": database_now(),
    }
    return render_page(request, site, "bulk.html", context)


# --- One of them ------------------------------------------------------------------------------------------


def show_one(
    request: HttpRequest, site: AdminSite, operation_id: int
) -> HttpResponse | StreamingHttpResponse:
    """Show an operation and its jobs; a POST stops it."""
    operation = _visible(request).filter(pk=min(operation_id, LARGEST_ID)).first()
    if operation is None:
        context = {"title": _("Bulk operation %(id)d is not known") % {"id": operation_id}}
        return render_page(request, site, "bulk_gone.html", context, status=404)
    if request.method == "POST":
        return _stop(request, site, operation)
    if request.GET.get("format") == "csv":
        return _export(operation)
    return render_page(request, site, "bulk_detail.html", _describe(request, operation))


def _stop(request: HttpRequest, site: AdminSite, operation: BulkOperation) -> HttpResponse:
    actor = actor_of(request)
    if not is_allowed(request.user, Action.STOP_BULK):
        record_refused(ActionRequest(action=Action.STOP_BULK, targets=(str(operation.pk),), actor=actor))
        return render_refusal(request, site)
    report = bulk.stop(operation.pk, actor=actor, token=read_token(request))
    for target in report.targets:
        messages.add_message(
            request, messages.SUCCESS if target.was_applied else messages.WARNING, target.sentence
        )
    return redirect(request.get_full_path())


def _describe(request: HttpRequest, operation: BulkOperation) -> dict[str, object]:
    outcome = request.GET.get("outcome", "")
    items = operation.items.order_by("id")
    if outcome in set(ActionOutcome):
        items = items.filter(outcome=outcome)
    aftermath = _aftermath(operation)
    became = request.GET.get("became", "")
    ends = {end.became.value: end for end in aftermath.ends} if aftermath else {}
    if became in ends:
        items = items.filter(job_id__in=ends[became].job_ids)
    after = read_whole(request.GET.get("after", ""))
    found = list(items.filter(id__gt=after or 0)[: ITEMS_PER_PAGE + 1])
    shown = found[:ITEMS_PER_PAGE]
    chosen = f"outcome={outcome}&" if outcome in set(ActionOutcome) else ""
    chosen += f"became={became}&" if became in ends else ""
    now = database_now()
    return {
        "title": _("Bulk operation %(id)d") % {"id": operation.pk},
        "shown": show_operation(operation),
        "items": [_show_item(item, action=Action(operation.action)) for item in shown],
        "ends": [_show_end(end) for end in ends.values()],
        "is_aftermath_cut": aftermath is not None and aftermath.is_cut,
        "became": _ENDS[Became(became)] if became in ends else "",
        "outcome": outcome,
        "outcomes": ActionOutcome.choices,
        "more_url": f"?{chosen}after={shown[-1].pk}" if len(found) > ITEMS_PER_PAGE else "",
        "first_url": f"?{chosen}" if after else "",
        "may_stop": operation.state == BulkState.RUNNING and is_allowed(request.user, Action.STOP_BULK),
        "is_abandoned": bulk.is_abandoned(operation, now=now),
        "run_task": bulk.RUN_TASK,
        "token": new_token(),
        "now": now,
    }


def _aftermath(operation: BulkOperation) -> Aftermath | None:
    """Return what came of an operation that lets jobs run; the others are done with their deed."""
    return read_aftermath(operation.pk) if operation.action in _LETS_RUN else None


def _show_end(end: End) -> ShownEnd:
    return ShownEnd(
        label=str(_ENDS[end.became]),
        count=len(end.job_ids),
        amount=amounts_in_words(end.amounts),
        url=f"?became={end.became.value}",
        is_bad=end.became is Became.FAILED,
    )


def _export(operation: BulkOperation) -> StreamingHttpResponse:
    heading = (_("Job"), _("Outcome"), _("What became of it"), _("When (UTC)"))
    return stream_csv(heading, _rows(operation), name=f"bulk-operation-{operation.pk}")


def _rows(operation: BulkOperation) -> Iterator[tuple[object, ...]]:
    for item in operation.items.order_by("id").iterator(chunk_size=500):
        shown = _show_item(item, action=Action(operation.action))
        done_at = item.done_at.isoformat(timespec="seconds") if item.done_at else ""
        yield item.job_id, item.get_outcome_display(), shown.sentence, done_at


# --- In words ---------------------------------------------------------------------------------------------


def show_operation(operation: BulkOperation) -> ShownOperation:
    return ShownOperation(
        operation=operation,
        label=str(ACTION_LABELS[Action(operation.action)]),
        filters=describe_filter(operation.filters),
        done=operation.requested - operation.remaining,
    )


def _show_item(item: BulkItem, *, action: Action) -> ShownItem:
    report = bulk.report_of_item(item, action=action)
    return ShownItem(item=item, sentence=report.sentence if report else _("Its turn has not come."))


def _visible(request: HttpRequest) -> QuerySet[BulkOperation]:
    operations = BulkOperation.objects.order_by("-id")
    if request.user.has_perm(VIEW_AUDIT):
        return operations
    return operations.filter(user_id=str(request.user.pk))
