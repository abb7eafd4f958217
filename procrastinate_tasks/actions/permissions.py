"""Which permission each action takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.jobs.descriptions import moves_money

APP = "procrastinate_tasks"

_CODENAMES: Mapping[Action, str] = {
    Action.RETRY: "retry_job",
    Action.RUN_NOW: "run_job",
    Action.CANCEL: "cancel_job",
    Action.ABORT: "abort_job",
    Action.RELEASE: "retry_job",
    Action.RESCUE: "rescue_job",
    Action.PAUSE: "pause_queue",
    Action.RESUME: "pause_queue",
    Action.PAUSE_TASK: "pause_queue",
    Action.RESUME_TASK: "pause_queue",
    Action.LIMIT: "limit_queue",
    Action.MUTE_FAULT: "retry_job",
    Action.UNMUTE_FAULT: "retry_job",
    Action.SILENCE_ALERT: "silence_alert",
    Action.UNSILENCE_ALERT: "silence_alert",
    Action.RUN_SCHEDULE: "run_schedule",
    Action.DISABLE_SCHEDULE: "disable_schedule",
    Action.ENABLE_SCHEDULE: "disable_schedule",
    Action.START_BULK: "bulk_jobs",
    Action.STOP_BULK: "bulk_jobs",
    Action.REPLAY: "retry_job",
}


_MAY_MOVE_MONEY = (Action.RETRY, Action.RUN_NOW, Action.RELEASE, Action.REPLAY)


class HasPermissions(Protocol):
    """A user."""

    def has_perm(self, perm: str) -> bool: ...


def required_permission(action: Action, *, task_name: str = "") -> str:
    """Return the permission, as ``app_label.codename``, for an action on a job of this task."""
    if action in _MAY_MOVE_MONEY and moves_money(task_name):
        return f"{APP}.retry_money_job"
    return f"{APP}.{_CODENAMES[action]}"


def is_allowed(user: HasPermissions, action: Action, *, task_name: str = "") -> bool:
    """Tell whether a user may do this to a job of this task."""
    return user.has_perm(required_permission(action, task_name=task_name))


def allowed_tasks(user: HasPermissions, action: Action) -> Callable[[str], bool]:
    """Return what ``actions.act`` takes as ``may``: whether the user may do this to jobs of a task."""
    return lambda task_name: is_allowed(user, action, task_name=task_name)


VIEW_JOBS = "procrastinate_tasks.view_job"

# Log lines too: a job says there what its code chose to say.
VIEW_TRACEBACKS = "procrastinate_tasks.view_job_traceback"

VIEW_STACKS = "procrastinate_tasks.view_job_stack"
