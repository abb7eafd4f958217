"""What people do to jobs, queues and schedules: looked at first, then one transaction with its record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from psycopg.errors import DeadlockDetected, LockNotAvailable

from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.alert_silences import silence_alert, unsilence_alert
from procrastinate_tasks.actions.job_actions import May, act_on_jobs, anybody, look_at_jobs
from procrastinate_tasks.actions.policies import Action, Refusal
from procrastinate_tasks.actions.reports import ActionReport, ActionRequest, Actor, TargetReport, refuse_all
from procrastinate_tasks.conf import QueueLimit
from procrastinate_tasks.database import DATABASE_FAULTS, atomic, fetch_row
from procrastinate_tasks.exceptions import (
    AlreadyOver,
    InvalidQueueLimit,
    InvalidTaskArguments,
    UnknownAlert,
    UnknownFault,
    UnknownQueue,
    UnknownSchedule,
    UnknownTask,
)
from procrastinate_tasks.jobs.faults import mute_fault, unmute_fault
from procrastinate_tasks.models import ActionOutcome, TargetType
from procrastinate_tasks.queues.control import limit_facts, limit_queue, list_queue_rules
from procrastinate_tasks.queues.pauses import pause_queue, pause_task, resume_queue, resume_task
from procrastinate_tasks.schedule.state import disable, enable, run_now

__all__ = [
    "Action",
    "ActionReport",
    "ActionRequest",
    "Actor",
    "TargetReport",
    "act",
    "act_on_queue",
    "act_on_schedule",
    "perform",
    "preview",
    "record_refused",
]

logger = logging.getLogger(__name__)

LONGEST_LOCK_WAIT = timedelta(seconds=5)

_LIMIT_LOCK_WAITS = """
-- Give up after a while, in this transaction, when somebody else holds a lock.
SELECT set_config('lock_timeout', %(milliseconds)s::text, true) AS lock_timeout
"""


def perform(request: ActionRequest, *, may: May = anybody) -> ActionReport:
    """Do what is asked for, and write down what became of each target, in one transaction.

    A target that cannot be acted on is refused, and tells why; the others are not held up by it. Whatever
    goes wrong in the database is reported too, and leaves the surrounding transaction usable. A form's token
    that comes again does nothing, and gets the first report.

    Args:
        may: whether the actor may act on jobs of a task, for queues and schedules on those of none; see
            ``permissions.allowed_tasks``.
    """
    return do_and_record(request, lambda: _act(request, may))


def preview(request: ActionRequest, *, may: May = anybody) -> ActionReport:
    """Tell what ``perform`` would come to now, and change nothing: what would be done reads as applied.

    Queues and schedules are not looked at: only whether the actor may.
    """
    if request.target_type is TargetType.JOB:
        targets = look_at_jobs(request, may=may)
    else:
        targets = _done(request) if may("") else refuse_all(request, Refusal.NOT_PERMITTED)
    return ActionReport(action=request.action, targets=targets, is_dry_run=True)


def act(
    action: Action,
    *,
    job_ids: Iterable[int],
    actor: Actor,
    reason: str = "",
    token: str = "",
    may: May = anybody,
) -> ActionReport:
    """``perform`` an action on jobs."""
    targets = tuple(map(str, job_ids))
    request = ActionRequest(action=action, targets=targets, actor=actor, reason=reason, token=token)
    return perform(request, may=may)


def act_on_queue(
    action: Action,
    *,
    queue: str,
    actor: Actor,
    reason: str = "",
    limit: QueueLimit | None = None,
    until: datetime | None = None,
) -> ActionReport:
    """Pause, resume or limit a queue; see ``perform``."""
    return perform(
        ActionRequest(
            action=action,
            targets=(queue,),
            actor=actor,
            reason=reason,
            limit=limit or QueueLimit(),
            until=until,
        )
    )


def act_on_schedule(action: Action, *, name: str, actor: Actor, reason: str = "") -> ActionReport:
    """Run a schedule's task now, without moving the schedule, or disable or enable it; see ``perform``."""
    return perform(ActionRequest(action=action, targets=(name,), actor=actor, reason=reason))


def record_refused(request: ActionRequest) -> ActionReport:
    """Write down what somebody tried without being allowed to; who may later may send the same form."""
    return do_and_record(replace(request, token=""), lambda: refuse_all(request, Refusal.NOT_PERMITTED))


def do_and_record(request: ActionRequest, effect: Callable[[], tuple[TargetReport, ...]]) -> ActionReport:
    """Do it and record it in one transaction, or record that it failed."""
    with atomic():
        earlier = audit.find_earlier(request)
        if earlier is not None:
            return earlier
        targets = do_or_fail(request, effect)
        audit.record(request, targets)
    audit.log(request, targets)
    return ActionReport(action=request.action, targets=targets, group=request.group)


def do_or_fail(
    request: ActionRequest, effect: Callable[[], tuple[TargetReport, ...]]
) -> tuple[TargetReport, ...]:
    try:
        with atomic():
            _limit_lock_waits()
            return effect()
    except DATABASE_FAULTS as error:
        return _failure(request, error)


def _failure(request: ActionRequest, error: Exception) -> tuple[TargetReport, ...]:
    if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
        return refuse_all(request, Refusal.BUSY)
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
    fetch_row(_LIMIT_LOCK_WAITS, milliseconds=LONGEST_LOCK_WAIT // timedelta(milliseconds=1))


def _act(request: ActionRequest, may: May) -> tuple[TargetReport, ...]:
    """Do what is asked for, and tell what became of it instead of raising."""
    if request.target_type is TargetType.JOB:
        return act_on_jobs(request, may=may)
    if not may(""):
        return refuse_all(request, Refusal.NOT_PERMITTED)
    try:
        return _CHANGES[request.action](request)
    except UnknownQueue as unknown:
        return refuse_all(request, Refusal.UNKNOWN_QUEUE, suggestion=unknown.suggestion)
    except AlreadyOver:
        return refuse_all(request, Refusal.OVER_ALREADY)
    except InvalidQueueLimit as invalid:
        return refuse_all(request, Refusal.INVALID_LIMIT, problem=invalid.problem)
    except UnknownSchedule as unknown:
        return refuse_all(request, Refusal.UNKNOWN_SCHEDULE, suggestion=unknown.suggestion)
    except (InvalidTaskArguments, UnknownTask) as invalid:
        return refuse_all(request, Refusal.INVALID_SCHEDULE, problem=str(invalid))


def _done(request: ActionRequest, **detail: object) -> tuple[TargetReport, ...]:
    (target,) = request.targets
    return (TargetReport(action=request.action, target=target, outcome=ActionOutcome.APPLIED, detail=detail),)


def _done_unless(
    request: ActionRequest, *, has_changed: bool, otherwise: Refusal
) -> tuple[TargetReport, ...]:
    return _done(request) if has_changed else refuse_all(request, otherwise)


def _pause(request: ActionRequest) -> tuple[TargetReport, ...]:
    (queue,) = request.targets
    has_changed = pause_queue(queue=queue, by=request.actor.name, reason=request.reason, until=request.until)
    return _until(request, has_changed=has_changed, otherwise=Refusal.PAUSED_ALREADY)


def _pause_task(request: ActionRequest) -> tuple[TargetReport, ...]:
    (task,) = request.targets
    try:
        has_changed = pause_task(task=task, by=request.actor.name, reason=request.reason, until=request.until)
    except UnknownTask as unknown:
        return refuse_all(request, Refusal.UNKNOWN_TASK, suggestion=unknown.suggestion)
    return _until(request, has_changed=has_changed, otherwise=Refusal.PAUSED_ALREADY)


def _until(request: ActionRequest, *, has_changed: bool, otherwise: Refusal) -> tuple[TargetReport, ...]:
    if not has_changed:
        return refuse_all(request, otherwise)
    return _done(request, **({"until": request.until.isoformat()} if request.until else {}))


def _resume(request: ActionRequest) -> tuple[TargetReport, ...]:
    has_changed = resume_queue(queue=request.targets[0])
    return _done_unless(request, has_changed=has_changed, otherwise=Refusal.NOT_PAUSED)


def _resume_task(request: ActionRequest) -> tuple[TargetReport, ...]:
    has_changed = resume_task(task=request.targets[0])
    return _done_unless(request, has_changed=has_changed, otherwise=Refusal.NOT_PAUSED)


def _mute_fault(request: ActionRequest) -> tuple[TargetReport, ...]:
    try:
        has_changed = mute_fault(key=request.targets[0], by=request.actor.name, reason=request.reason)
    except UnknownFault:
        return refuse_all(request, Refusal.UNKNOWN_FAULT)
    return _done_unless(request, has_changed=has_changed, otherwise=Refusal.MUTED_ALREADY)


def _unmute_fault(request: ActionRequest) -> tuple[TargetReport, ...]:
    has_changed = unmute_fault(key=request.targets[0])
    return _done_unless(request, has_changed=has_changed, otherwise=Refusal.NOT_MUTED)


def _silence_alert(request: ActionRequest) -> tuple[TargetReport, ...]:
    if not request.reason:
        return refuse_all(request, Refusal.REASON_MISSING)
    (key,) = request.targets
    try:
        has_changed = silence_alert(key=key, by=request.actor.name, note=request.reason, until=request.until)
    except UnknownAlert:
        return refuse_all(request, Refusal.UNKNOWN_ALERT)
    return _until(request, has_changed=has_changed, otherwise=Refusal.SILENCED_ALREADY)


def _unsilence_alert(request: ActionRequest) -> tuple[TargetReport, ...]:
    try:
        has_changed = unsilence_alert(key=request.targets[0])
    except UnknownAlert:
        return refuse_all(request, Refusal.UNKNOWN_ALERT)
    return _done_unless(request, has_changed=has_changed, otherwise=Refusal.NOT_SILENCED)


def _limit(request: ActionRequest) -> tuple[TargetReport, ...]:
    (queue,) = request.targets
    before = _limit_of(queue)
    limit_queue(queue=queue, rate=request.limit.rate, concurrency=request.limit.concurrency)
    return _done(request, before=limit_facts(before), after=limit_facts(_limit_of(queue)))


def _limit_of(queue: str) -> QueueLimit:
    rules = {rule.queue: rule.limit for rule in list_queue_rules()}
    return rules.get(queue, QueueLimit())


def _run_schedule(request: ActionRequest) -> tuple[TargetReport, ...]:
    job_id = run_now(name=request.targets[0])
    return refuse_all(request, Refusal.RUN_WAITS) if job_id is None else _done(request, job_id=job_id)


def _disable_schedule(request: ActionRequest) -> tuple[TargetReport, ...]:
    has_changed = disable(name=request.targets[0], by=request.actor.name, reason=request.reason)
    return _done_unless(request, has_changed=has_changed, otherwise=Refusal.DISABLED_ALREADY)


def _enable_schedule(request: ActionRequest) -> tuple[TargetReport, ...]:
    has_changed = enable(name=request.targets[0])
    return _done_unless(request, has_changed=has_changed, otherwise=Refusal.NOT_DISABLED)


_CHANGES: Mapping[Action, Callable[[ActionRequest], tuple[TargetReport, ...]]] = {
    Action.PAUSE: _pause,
    Action.RESUME: _resume,
    Action.PAUSE_TASK: _pause_task,
    Action.RESUME_TASK: _resume_task,
    Action.LIMIT: _limit,
    Action.MUTE_FAULT: _mute_fault,
    Action.UNMUTE_FAULT: _unmute_fault,
    Action.SILENCE_ALERT: _silence_alert,
    Action.UNSILENCE_ALERT: _unsilence_alert,
    Action.RUN_SCHEDULE: _run_schedule,
    Action.DISABLE_SCHEDULE: _disable_schedule,
    Action.ENABLE_SCHEDULE: _enable_schedule,
}
