"""What staff do to a schedule: run its task now, disable it, enable it."""

from __future__ import annotations

from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks import schedule
from procrastinate_tasks.action_policies import Action, Refusal
from procrastinate_tasks.action_reports import TargetReport, refuse_all
from procrastinate_tasks.exceptions import InvalidTaskArguments, UnknownSchedule, UnknownTask
from procrastinate_tasks.models import ActionOutcome
from procrastinate_tasks.statements import statement

_LONGEST_PERSON = 150


def disable(*, name: str, by: str, reason: str = "") -> bool:
    """Let a schedule defer nothing until it is enabled; False when it was disabled already.

    Args:
        by: who disables it, as colleagues know them.

    Raises:
        UnknownSchedule: no schedule of this process's code has this name.
        ValueError: nobody is named.
    """
    if not by.strip():
        raise ValueError("Disabling a schedule needs a name: by whom?")
    schedule.find_schedule(name)
    return _changed("disable_schedule", schedule_name=name, by=by.strip()[:_LONGEST_PERSON], reason=reason)


def enable(*, name: str) -> bool:
    """Let a schedule go on with its next tick; those that passed are lost. False if it was enabled.

    Raises:
        UnknownSchedule: no schedule of this process's code has this name.
    """
    schedule.find_schedule(name)
    return _changed("enable_schedule", schedule_name=name)


def run_now(*, name: str) -> int | None:
    """Defer a schedule's job at once; its next tick comes when it would have come.

    Returns:
        The job's id; None when a job with its queueing lock already waits.

    Raises:
        UnknownSchedule: no schedule of this process's code has this name.
        InvalidTaskArguments, UnknownTask: its arguments or its task's name are wrong.
    """
    return schedule.defer_job(schedule.find_schedule(name))


def act_on_schedule(action: Action, *, name: str, by: str, reason: str) -> tuple[TargetReport, ...]:
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


def _changed(statement_name: str, **parameters: object) -> bool:
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    (row,) = connector.execute_query_all(statement(statement_name), **parameters)
    changed: bool = row["changed"]
    return changed
