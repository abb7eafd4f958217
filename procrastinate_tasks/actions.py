"""What staff do to jobs, queues and schedules: each time one transaction with the record of it.

Whoever calls checks that the person may; ``permissions`` tells what that takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from procrastinate_tasks import operations, schedule_switch
from procrastinate_tasks.action_policies import Action, Refusal
from procrastinate_tasks.action_reports import ActionReport, Actor, TargetReport, refuse_all
from procrastinate_tasks.carrying_out import carry_out, make_request
from procrastinate_tasks.job_actions import May, act_on_jobs, anybody, look_at_jobs
from procrastinate_tasks.limits import QueueLimit
from procrastinate_tasks.models import TargetType

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
        lambda: operations.act_on_queue(
            action, queue=queue, by=actor.name, reason=reason, limit_wanted=limit or QueueLimit()
        ),
    )


# --- Schedules --------------------------------------------------------------------------------------------


def act_on_schedule(
    action: Action, *, name: str, actor: Actor, reason: str = "", token: str = ""
) -> ActionReport:
    """Run a schedule's task now, without moving the schedule, or disable or enable it; and write it down."""
    request = make_request(action, TargetType.SCHEDULE, [name], actor=actor, reason=reason, token=token)
    return carry_out(
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
    request = make_request(action, target_type, targets, actor=actor, reason=reason, token="")
    return carry_out(request, lambda: refuse_all(action, targets, refusal))
