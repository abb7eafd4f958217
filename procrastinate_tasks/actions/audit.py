"""Writes down what people do, and reads it back: an entry for each target, Django's own, and one log line."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.db.models import QuerySet

from procrastinate_tasks.actions.permissions import HasPermissions
from procrastinate_tasks.actions.policies import Action, Refusal
from procrastinate_tasks.actions.reports import ACTION_LABELS, ActionReport, ActionRequest, TargetReport
from procrastinate_tasks.database import database_alias, fetch_row
from procrastinate_tasks.models import ActionOutcome, AuditEntry, Job, TargetType
from procrastinate_tasks.queries.filters import read_day, start_of
from procrastinate_tasks.queries.job import MOST_AUDITED

logger = logging.getLogger(__name__)

_LONGEST_NAME = 150


_LONGEST_TARGET = 255


_LONGEST_REPRESENTATION = 200


_MOST_TARGETS_LOGGED = 20

_ONE_AT_A_TIME = """
-- Let one request with a token go on at a time; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended(%(token)s, 0))::text AS locked
"""


def find_earlier(request: ActionRequest) -> ActionReport | None:
    """Return what came of this form when it was sent before; waits for one that is being carried out.

    To be called in a transaction.
    """
    if not request.token:
        return None
    fetch_row(_ONE_AT_A_TIME, token=str(request.group))
    entries = list(_entries().filter(group=request.group).order_by("id"))
    if not entries:
        return None
    targets = tuple(report_of(entry) for entry in entries)
    return ActionReport(action=request.action, targets=targets, group=request.group, is_repeat=True)


def report_of(entry: AuditEntry) -> TargetReport:
    """Return an audit entry as the report it was made from, which tells it in the reader's language."""
    known = entry.refusal in set(Refusal)
    return TargetReport(
        action=Action(entry.action),
        target=entry.target_id,
        outcome=ActionOutcome(entry.outcome),
        refusal=Refusal(entry.refusal) if known else None,
        task_name=entry.task_name,
        detail=entry.detail,
    )


def record(request: ActionRequest, targets: Iterable[TargetReport]) -> None:
    """Write one entry for each target, in the current transaction."""
    targets = list(targets)
    _entries().bulk_create(_entry(request, target) for target in targets)
    applied = [target for target in targets if target.was_applied]
    if request.actor.user_id is not None and apps.is_installed("django.contrib.admin"):
        _write_django_s_log(request, applied)


def log(request: ActionRequest, targets: Iterable[TargetReport]) -> None:
    """Write one line, without names, reasons or arguments."""
    targets = list(targets)
    outcomes = [target.outcome for target in targets]
    logger.info(
        "Action by hand",
        extra={
            "event": "action",
            "action": request.action.value,
            "channel": request.actor.channel.value,
            "user_id": request.actor.user_id,
            "target_type": request.target_type.value,
            "targets": [target.target for target in targets[:_MOST_TARGETS_LOGGED]],
            "applied": outcomes.count(ActionOutcome.APPLIED),
            "refused": outcomes.count(ActionOutcome.REFUSED),
            "failed": outcomes.count(ActionOutcome.FAILED),
            "group": str(request.group),
        },
    )


def _entry(request: ActionRequest, target: TargetReport) -> AuditEntry:
    actor = request.actor
    return AuditEntry(
        group=request.group,
        actor=actor.name[:_LONGEST_NAME],
        user_id="" if actor.user_id is None else str(actor.user_id),
        channel=actor.channel,
        action=request.action,
        target_type=request.target_type,
        target_id=target.target[:_LONGEST_TARGET],
        task_name=target.task_name,
        reason=request.reason,
        outcome=target.outcome,
        refusal=target.refusal or "",
        detail=dict(target.detail),
        request_id=actor.request_id,
    )


def _write_django_s_log(request: ActionRequest, applied: Iterable[TargetReport]) -> None:
    log_entry: Any = apps.get_model("admin", "LogEntry")
    content_type: Any = apps.get_model("contenttypes", "ContentType")
    is_about_jobs = request.target_type is TargetType.JOB
    job_type = content_type.objects.get_for_model(Job, for_concrete_model=False)
    log_entry.objects.bulk_create(
        log_entry(
            user_id=request.actor.user_id,
            content_type=job_type if is_about_jobs else None,
            object_id=target.target,
            object_repr=f"{target.task_name or request.target_type.label} {target.target}"[
                :_LONGEST_REPRESENTATION
            ],
            action_flag=2,  # CHANGE
            change_message=str(ACTION_LABELS[request.action]),
        )
        for target in applied
    )


def _entries() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.using(database_alias())


ROWS_PER_PAGE = 50


VIEW_AUDIT = "procrastinate_tasks.view_audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What the log's address says, as text; empty means anything."""

    who: str = ""
    action: str = ""
    outcome: str = ""
    target: str = ""
    name: str = ""
    since: str = ""
    until: str = ""

    def address(self, **changes: object) -> str:
        """Return the query string of the same filter with some of it changed."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | changes
        return "?" + urlencode({name: value for name, value in values.items() if value})


def read_audit_filter(parameters: Mapping[str, str]) -> AuditFilter:
    """Read a filter from an address; what makes no sense counts as nothing."""
    values = {
        field.name: parameters.get(field.name, "").strip()[:255].replace("\x00", "")
        for field in fields(AuditFilter)
    }
    allowed: dict[str, set[str]] = {"action": {*Action}, "outcome": {*ActionOutcome}, "target": {*TargetType}}
    for name, choices in allowed.items():
        values[name] = values[name] if values[name] in choices else ""
    for name in ("since", "until"):
        values[name] = values[name] if read_day(values[name]) else ""
    return AuditFilter(**values)


def entries_for(chosen: AuditFilter, *, user: HasPermissions, user_id: object) -> QuerySet[AuditEntry]:
    """Return the entries a user may see, the latest first; without the permission, one's own."""
    entries = AuditEntry.objects.order_by("-id")
    if not user.has_perm(VIEW_AUDIT):
        entries = entries.filter(user_id=str(user_id))
    if since := read_day(chosen.since):
        entries = entries.filter(at__gte=start_of(since))
    if until := read_day(chosen.until):
        entries = entries.filter(at__lt=start_of(until + timedelta(days=1)))
    exact = {
        "actor": chosen.who,
        "action": chosen.action,
        "outcome": chosen.outcome,
        "target_type": chosen.target,
        "target_id": chosen.name,
    }
    return entries.filter(**{name: value for name, value in exact.items() if value})


def list_audit(job_id: int, *, user: HasPermissions, user_id: object) -> list[AuditEntry]:
    """Return what people did to a job; without the permission to see everybody's deeds, one's own."""
    entries = AuditEntry.objects.filter(target_type=TargetType.JOB, target_id=str(job_id))
    if not user.has_perm(VIEW_AUDIT):
        entries = entries.filter(user_id=str(user_id))
    return list(entries.order_by("-id")[:MOST_AUDITED])
