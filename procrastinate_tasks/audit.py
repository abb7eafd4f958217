"""Writes down what people do: an audit entry for each target, Django's own log entry, and one log line."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from django.apps import apps
from django.db.models import QuerySet
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.action_policies import Action, Refusal
from procrastinate_tasks.action_reports import ActionReport, Actor, TargetReport
from procrastinate_tasks.action_words import ACTION_LABELS
from procrastinate_tasks.models import ActionOutcome, AuditEntry, Job, TargetType
from procrastinate_tasks.statements import statement

logger = logging.getLogger(__name__)

_LONGEST_NAME = 150
_LONGEST_TARGET = 255
_LONGEST_REPRESENTATION = 200
_MOST_TARGETS_LOGGED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One click, or one command: who wants what of which targets, and why.

    ``token`` is that of the form: what it asked for once is not done twice.
    """

    action: Action
    target_type: TargetType
    targets: tuple[str, ...]
    actor: Actor
    reason: str = ""
    token: str = ""
    group: UUID = field(default_factory=uuid4)


def group_of(token: str, *, action: Action, targets: Iterable[str], actor: Actor) -> UUID:
    """Return the group of a form's audit entries: the same for the same person, deed and token only."""
    if not token:
        return uuid4()
    name = "\n".join([token, action, actor.channel, str(actor.user_id), actor.name, *sorted(targets)])
    return uuid5(NAMESPACE_URL, name)


def find_earlier(request: Request) -> ActionReport | None:
    """Return what came of this form when it was sent before; waits for one that is being carried out.

    To be called in a transaction.
    """
    if not request.token:
        return None
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    connector.execute_query_one(statement("lock_token"), token=str(request.group))
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


def record(request: Request, targets: Iterable[TargetReport]) -> None:
    """Write one entry for each target, in the current transaction."""
    targets = list(targets)
    _entries().bulk_create(_entry(request, target) for target in targets)
    applied = [target for target in targets if target.was_applied]
    if request.actor.user_id is not None and apps.is_installed("django.contrib.admin"):
        _write_django_s_log(request, applied)


def log(request: Request, targets: Iterable[TargetReport]) -> None:
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


def _entry(request: Request, target: TargetReport) -> AuditEntry:
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


def _write_django_s_log(request: Request, applied: Iterable[TargetReport]) -> None:
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
    return AuditEntry.objects.using(procrastinate_settings.DATABASE_ALIAS)
