"""What people do to jobs, queues and schedules: looked at first, then one transaction with its record.

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

from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.job_actions import May, act_on_jobs, anybody, look_at_jobs
from procrastinate_tasks.actions.policies import Action, Refusal
from procrastinate_tasks.actions.reports import ActionReport, Actor, Request, TargetReport, refuse_all
from procrastinate_tasks.conf import QueueLimit
from procrastinate_tasks.database import statement
from procrastinate_tasks.exceptions import (
    InvalidQueueLimit,
    InvalidTaskArguments,
    UnknownQueue,
    UnknownSchedule,
    UnknownTask,
)
from procrastinate_tasks.models import ActionOutcome, TargetType
from procrastinate_tasks.queues.control import (
    limit_facts,
    limit_queue,
    list_queue_rules,
    pause_queue,
    resume_queue,
)
from procrastinate_tasks.schedule.state import disable, enable, run_now

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
    request = make_request(action, TargetType.JOB, map(str, job_ids), actor=actor, reason=reason, token=token)
    return carry_out(request, lambda: act_on_jobs(action, job_ids, reason=reason, may=may))


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
    request = make_request(action, TargetType.QUEUE, [queue], actor=actor, reason=reason, token=token)
    return carry_out(
        request,
        lambda: _change_queue(
            action, queue=queue, by=actor.name, reason=reason, limit_wanted=limit or QueueLimit()
        ),
    )


# --- Schedules --------------------------------------------------------------------------------------------


def act_on_schedule(
    action: Action, *, name: str, actor: Actor, reason: str = "", token: str = ""
) -> ActionReport:
    """Run a schedule's task now, without moving the schedule, or disable or enable it; and write it down."""
    request = make_request(action, TargetType.SCHEDULE, [name], actor=actor, reason=reason, token=token)
    return carry_out(request, lambda: _change_schedule(action, name=name, by=actor.name, reason=reason))


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
    request = make_request(action, target_type, targets, actor=actor, reason=reason, token="")
    return carry_out(request, lambda: refuse_all(action, targets, refusal))


logger = logging.getLogger(__name__)

LONGEST_LOCK_WAIT = timedelta(seconds=5)


def make_request(
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


def carry_out(request: Request, effect: Callable[[], tuple[TargetReport, ...]]) -> ActionReport:
    """Do it and record it in one transaction, or record that it failed."""
    with transaction.atomic(using=procrastinate_settings.DATABASE_ALIAS):
        earlier = audit.find_earlier(request)
        if earlier is not None:
            return earlier
        targets = do_or_fail(request, effect)
        audit.record(request, targets)
    audit.log(request, targets)
    return ActionReport(action=request.action, targets=targets, group=request.group)


def do_or_fail(request: Request, effect: Callable[[], tuple[TargetReport, ...]]) -> tuple[TargetReport, ...]:
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
        statement("actions/limit_lock_waits"), milliseconds=LONGEST_LOCK_WAIT // timedelta(milliseconds=1)
    )


def _change_queue(
    action: Action, *, queue: str, by: str, reason: str, limit_wanted: QueueLimit
) -> tuple[TargetReport, ...]:
    """Pause, resume or limit a queue, and tell what became of it instead of raising."""
    detail: dict[str, object] = {}
    try:
        if action is Action.LIMIT:
            before = _limit_of(queue)
            limit_queue(queue=queue, rate=limit_wanted.rate, concurrency=limit_wanted.concurrency)
            detail = {"before": limit_facts(before), "after": limit_facts(_limit_of(queue))}
        elif action is Action.PAUSE and not pause_queue(queue=queue, by=by, reason=reason):
            return refuse_all(action, [queue], Refusal.PAUSED_ALREADY)
        elif action is Action.RESUME and not resume_queue(queue=queue):
            return refuse_all(action, [queue], Refusal.NOT_PAUSED)
    except UnknownQueue as unknown:
        return refuse_all(action, [queue], Refusal.UNKNOWN_QUEUE, suggestion=unknown.suggestion)
    except InvalidQueueLimit as invalid:
        return refuse_all(action, [queue], Refusal.INVALID_LIMIT, problem=invalid.problem)
    return (TargetReport(action=action, target=queue, outcome=ActionOutcome.APPLIED, detail=detail),)


def _limit_of(queue: str) -> QueueLimit:
    rules = {rule.queue: rule.limit for rule in list_queue_rules()}
    return rules.get(queue, QueueLimit())


def _change_schedule(action: Action, *, name: str, by: str, reason: str) -> tuple[TargetReport, ...]:
    """Do one of the three, and tell what became of it instead of raising."""
    detail: dict[str, object] = {}
    try:
        if action is Action.RUN_SCHEDULE:
            job_id = run_now(name=name)
            if job_id is None:
                return refuse_all(action, [name], Refusal.RUN_WAITS)
            detail = {"job_id": job_id}
        elif action is Action.DISABLE_SCHEDULE and not disable(name=name, by=by, reason=reason):
            return refuse_all(action, [name], Refusal.DISABLED_ALREADY)
        elif action is Action.ENABLE_SCHEDULE and not enable(name=name):
            return refuse_all(action, [name], Refusal.NOT_DISABLED)
    except UnknownSchedule as unknown:
        return refuse_all(action, [name], Refusal.UNKNOWN_SCHEDULE, suggestion=unknown.suggestion)
    except (InvalidTaskArguments, UnknownTask) as invalid:
        return refuse_all(action, [name], Refusal.INVALID_SCHEDULE, problem=str(invalid))
    return (TargetReport(action=action, target=name, outcome=ActionOutcome.APPLIED, detail=detail),)
