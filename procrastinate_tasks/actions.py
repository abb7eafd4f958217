"""What staff do to jobs, queues and schedules: each time one transaction with the record of it.

Whoever calls checks that the person may; ``permissions`` tells what that takes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from django.db import DatabaseError, transaction
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import ConnectorException
from psycopg.errors import DeadlockDetected, LockNotAvailable

from procrastinate_tasks import audit, operations, schedule_switch
from procrastinate_tasks.action_policies import Action, Refusal
from procrastinate_tasks.action_reports import ActionReport, Actor, TargetReport, refuse_all
from procrastinate_tasks.audit import Request
from procrastinate_tasks.job_actions import May, act_on_jobs, look_at_jobs
from procrastinate_tasks.limits import QueueLimit
from procrastinate_tasks.models import ActionOutcome, TargetType
from procrastinate_tasks.statements import statement

__all__ = [
    "Action",
    "ActionReport",
    "Actor",
    "TargetReport",
    "act",
    "act_on_queue",
    "act_on_schedule",
    "preview",
    "record_refused",
]

logger = logging.getLogger(__name__)

LONGEST_LOCK_WAIT = timedelta(seconds=5)


def anybody(task_name: str) -> bool:
    """Allow everything: for those who are trusted with the machine itself."""
    return True


# --- Jobs -------------------------------------------------------------------------------------------------


def act(
    action: Action,
    *,
    job_ids: Sequence[int],
    actor: Actor,
    reason: str = "",
    token: str = "",
    may: May = anybody,
) -> ActionReport:
    """Act on jobs, and write down what became of each.

    A job that cannot be acted on is refused, and tells why; the others are not held up by it. Whatever goes
    wrong in the database is reported too, and leaves the surrounding transaction usable.

    Args:
        token: the form's; when it comes again, nothing is done and the first report is returned.
        may: whether the actor may act on jobs of a task; see ``permissions.allowed_tasks``.
    """
    request = _request(action, TargetType.JOB, map(str, job_ids), actor=actor, reason=reason, token=token)
    return _carry_out(request, lambda: act_on_jobs(action, job_ids, reason=reason, may=may))


def preview(action: Action, *, job_ids: Sequence[int], reason: str = "", may: May = anybody) -> ActionReport:
    """Tell what ``act`` would come to now, and change nothing: those that would be done read as applied."""
    targets = look_at_jobs(action, job_ids, reason=reason, may=may)
    return ActionReport(action=action, targets=targets, is_dry_run=True)


# --- Queues -----------------------------------------------------------------------------------------------


def act_on_queue(
    action: Action,
    *,
    queue: str,
    actor: Actor,
    reason: str = "",
    token: str = "",
    limit: QueueLimit | None = None,
) -> ActionReport:
    """Pause, resume or limit a queue, and write it down.

    Args:
        limit: the new limits; None, or one without limits, lets the settings hold again.
    """
    request = _request(action, TargetType.QUEUE, [queue], actor=actor, reason=reason, token=token)
    return _carry_out(
        request,
        lambda: operations.act_on_queue(
            action, queue=queue, by=actor.name, reason=reason, limit_wanted=limit or QueueLimit()
        ),
    )


# --- Schedules --------------------------------------------------------------------------------------------


def act_on_schedule(
    action: Action, *, name: str, actor: Actor, reason: str = "", token: str = ""
) -> ActionReport:
    """Run a schedule's task now, without moving the schedule, or disable or enable it; and write it down."""
    request = _request(action, TargetType.SCHEDULE, [name], actor=actor, reason=reason, token=token)
    return _carry_out(
        request, lambda: schedule_switch.act_on_schedule(action, name=name, by=actor.name, reason=reason)
    )


# --- What was not allowed ---------------------------------------------------------------------------------


def record_refused(
    action: Action,
    *,
    target_type: TargetType,
    targets: Sequence[str],
    actor: Actor,
    reason: str = "",
    refusal: Refusal = Refusal.NOT_PERMITTED,
) -> ActionReport:
    """Write down what somebody tried without being allowed to."""
    request = _request(action, target_type, targets, actor=actor, reason=reason, token="")
    return _carry_out(request, lambda: refuse_all(action, targets, refusal))


# --- How each is carried out ------------------------------------------------------------------------------


def _request(
    action: Action, target_type: TargetType, targets: Iterable[str], *, actor: Actor, reason: str, token: str
) -> Request:
    targets = tuple(dict.fromkeys(targets))
    return Request(
        action=action,
        target_type=target_type,
        targets=targets,
        actor=actor,
        reason=reason.strip(),
        token=token,
        group=audit.group_of(token, action=action, targets=targets, actor=actor),
    )


def _carry_out(request: Request, effect: Callable[[], tuple[TargetReport, ...]]) -> ActionReport:
    """Do it and record it in one transaction, or record that it failed."""
    with transaction.atomic(using=procrastinate_settings.DATABASE_ALIAS):
        earlier = audit.find_earlier(request)
        if earlier is not None:
            return earlier
        targets = _effect_or_failure(request, effect)
        audit.record(request, targets)
    audit.log(request, targets)
    return ActionReport(action=request.action, targets=targets, group=request.group)


def _effect_or_failure(
    request: Request, effect: Callable[[], tuple[TargetReport, ...]]
) -> tuple[TargetReport, ...]:
    try:
        with transaction.atomic(using=procrastinate_settings.DATABASE_ALIAS):
            _limit_lock_waits()
            return effect()
    except (DatabaseError, ConnectorException) as error:
        return _failure(request, error)


def _failure(request: Request, error: Exception) -> tuple[TargetReport, ...]:
    if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
        return refuse_all(request.action, request.targets, Refusal.BUSY)
    logger.error("An action failed in the database", exc_info=error, extra={"action": request.action.value})
    return tuple(
        TargetReport(
            action=request.action,
            target=target,
            outcome=ActionOutcome.FAILED,
            detail={"problem": type(error.__cause__ or error).__name__},
        )
        for target in request.targets
    )


def _limit_lock_waits() -> None:
    """Answer within seconds, whoever holds a job's row: the setting ends with the transaction."""
    DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS).execute_query_one(
        statement("limit_lock_waits"), milliseconds=LONGEST_LOCK_WAIT // timedelta(milliseconds=1)
    )
