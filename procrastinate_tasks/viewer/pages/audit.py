"""The audit log: who did what to which job, queue or schedule, why, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _

from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.audit import (
    ROWS_PER_PAGE,
    VIEW_AUDIT,
    AuditFilter,
    entries_for,
    read_audit_filter,
)
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ACTION_LABELS
from procrastinate_tasks.database import database_now
from procrastinate_tasks.models import ActionOutcome, AuditEntry, TargetType
from procrastinate_tasks.queries.filters import read_whole
from procrastinate_tasks.viewer.rendering import QueryTookTooLong, render_page, statement_timeout, stream_csv

_MOST_EXPORTED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """An entry in words, in the reader's language."""

    entry: AuditEntry
    action: str
    target_type: str
    sentence: str


def show(request: HttpRequest, site: AdminSite) -> HttpResponse | StreamingHttpResponse:
    chosen = read_audit_filter(request.GET)
    if request.GET.get("format") == "csv":
        return _export(request, chosen)
    context: dict[str, object] = {
        "title": _("Audit log"),
        "chosen": chosen,
        "is_own": not request.user.has_perm(VIEW_AUDIT),
        "actions": _labels(),
        "outcomes": ActionOutcome.choices,
        "targets": TargetType.choices,
        "csv_url": chosen.address(format="csv"),
        "is_filtered": chosen != AuditFilter(),
        "now": database_now(),
    }
    try:
        with statement_timeout():
            context |= _page(request, chosen)
    except QueryTookTooLong:
        context["took_too_long"] = True
    return render_page(request, site, "audit.html", context)


def _page(request: HttpRequest, chosen: AuditFilter) -> dict[str, object]:
    entries = entries_for(chosen, user=request.user, user_id=request.user.pk)
    before = read_whole(request.GET.get("before", ""))
    if before is not None:
        entries = entries.filter(id__lt=before)
    found = list(entries[: ROWS_PER_PAGE + 1])
    shown = found[:ROWS_PER_PAGE]
    return {
        "entries": [_show_entry(entry) for entry in shown],
        "newest_url": chosen.address() if before is not None else "",
        "older_url": chosen.address(before=shown[-1].pk) if len(found) > ROWS_PER_PAGE else "",
    }


def _export(request: HttpRequest, chosen: AuditFilter) -> StreamingHttpResponse:
    entries = entries_for(chosen, user=request.user, user_id=request.user.pk)[:_MOST_EXPORTED]
    heading = (
        _("When (UTC)"),
        _("Who"),
        _("Through"),
        _("Action"),
        _("Target type"),
        _("Target"),
        _("Task"),
        _("Outcome"),
        _("What became of it"),
        _("Reason"),
        _("Request"),
    )
    return stream_csv(heading, _rows(entries.iterator(chunk_size=500)), name="audit")


def _rows(entries: Iterator[AuditEntry]) -> Iterator[tuple[object, ...]]:
    for entry in entries:
        shown = _show_entry(entry)
        yield (
            entry.at.isoformat(timespec="seconds"),
            entry.actor,
            entry.get_channel_display(),
            shown.action,
            shown.target_type,
            entry.target_id,
            entry.task_name,
            entry.get_outcome_display(),
            shown.sentence,
            entry.reason,
            entry.request_id,
        )


def _show_entry(entry: AuditEntry) -> ShownEntry:
    report = audit.report_of(entry)
    return ShownEntry(
        entry=entry,
        action=str(ACTION_LABELS[report.action]),
        target_type=entry.get_target_type_display(),
        sentence=report.sentence,
    )


def _labels() -> list[tuple[str, str]]:
    """Return the actions by name; two of them are called the same, and told apart by what they are about."""
    return [(action.value, _distinct_label(action)) for action in Action]


def _distinct_label(action: Action) -> str:
    label = str(ACTION_LABELS[action])
    about = _("schedule")
    return f"{label} ({about})" if action is Action.RUN_SCHEDULE else label
