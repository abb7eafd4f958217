"""What staff may do to queues."""

from __future__ import annotations

from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.action_policies import Action, Refusal
from procrastinate_tasks.action_reports import TargetReport, refuse_all
from procrastinate_tasks.conf import project_name, queue_settings
from procrastinate_tasks.exceptions import InvalidQueueLimit, UnknownQueue
from procrastinate_tasks.limits import QueueLimit, Rate, find_problem, limit_columns, limit_facts
from procrastinate_tasks.models import ActionOutcome
from procrastinate_tasks.queries import list_queue_names, list_queue_rules
from procrastinate_tasks.statements import statement

_LONGEST_PERSON = 150


def pause(*, queue: str, by: str, reason: str = "") -> bool:
    """Let no worker of ours start another job of a queue, until it is resumed; running jobs finish.

    It holds from the moment the current transaction commits, and through every restart.

    Args:
        by: who pauses, as colleagues know them.

    Returns:
        False when the queue was paused already; by whom and why stays as it was.

    Raises:
        UnknownQueue: no task, job or limit names this queue.
        ValueError: nobody is named.
    """
    if not by.strip():
        raise ValueError("A pause needs a name: by whom?")
    _require_known(queue)
    return _changed("pause_queue", queue=queue, by=by.strip()[:_LONGEST_PERSON], reason=reason)


def resume(*, queue: str) -> bool:
    """Let workers start the jobs of a paused queue again, at once; False when it was not paused.

    Raises:
        UnknownQueue: no task, job or limit names this queue.
    """
    _require_known(queue)
    return _changed("resume_queue", queue=queue)


def limit(*, queue: str, rate: Rate | None = None, concurrency: int | None = None) -> None:
    """Limit a queue on all workers together, instead of what the settings say; at once, through restarts.

    Without any limit the settings hold again.

    Args:
        rate: how many of its jobs may start within a period.
        concurrency: how many of its jobs run at a time; more that run already finish.

    Raises:
        InvalidQueueLimit: a limit that nothing could keep.
        UnknownQueue: no task, job or limit names this queue.
    """
    wanted = QueueLimit(rate=rate, concurrency=concurrency)
    problem = find_problem(wanted)
    if problem:
        raise InvalidQueueLimit(queue, problem)
    _require_known(queue)
    is_by_hand = wanted != QueueLimit()
    limit_in_force = wanted if is_by_hand else queue_settings().queue_limits.get(queue, wanted)
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    connector.execute_query_all(
        statement("limit_queue"),
        queue=queue,
        rate_limit=limit_in_force.rate and limit_in_force.rate.count,
        rate_period=limit_in_force.rate and limit_in_force.rate.per,
        concurrency_limit=limit_in_force.concurrency,
        by_hand=is_by_hand,
        project="" if is_by_hand else project_name(),
    )


def declare_limits() -> None:
    """Put the limits of the settings in force, as each worker does when it starts."""
    columns = limit_columns(queue_settings().queue_limits, project=project_name())
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    connector.execute_query_all(statement("declare_limits"), **columns)
    lift_limits()


def lift_limits() -> None:
    """Lift the limits that no living worker declares, where one of their project lives."""
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    connector.execute_query_all(statement("lift_limits"))


def act_on_queue(
    action: Action, *, queue: str, by: str, reason: str, limit_wanted: QueueLimit
) -> tuple[TargetReport, ...]:
    """Pause, resume or limit a queue, and tell what became of it instead of raising."""
    detail: dict[str, object] = {}
    try:
        if action is Action.LIMIT:
            before = _limit_of(queue)
            limit(queue=queue, rate=limit_wanted.rate, concurrency=limit_wanted.concurrency)
            detail = {"before": limit_facts(before), "after": limit_facts(_limit_of(queue))}
        elif action is Action.PAUSE and not pause(queue=queue, by=by, reason=reason):
            return refuse_all(action, [queue], Refusal.PAUSED_ALREADY)
        elif action is Action.RESUME and not resume(queue=queue):
            return refuse_all(action, [queue], Refusal.NOT_PAUSED)
    except UnknownQueue as unknown:
        return refuse_all(action, [queue], Refusal.UNKNOWN_QUEUE, suggestion=unknown.suggestion)
    except InvalidQueueLimit as invalid:
        return refuse_all(action, [queue], Refusal.INVALID_LIMIT, problem=invalid.problem)
    return (TargetReport(action=action, target=queue, outcome=ActionOutcome.APPLIED, detail=detail),)


def _limit_of(queue: str) -> QueueLimit:
    rules = {rule.queue: rule.limit for rule in list_queue_rules()}
    return rules.get(queue, QueueLimit())


def _require_known(queue: str) -> None:
    known = list_queue_names()
    if queue not in known:
        raise UnknownQueue(queue, known)


def _changed(name: str, **parameters: object) -> bool:
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    (row,) = connector.execute_query_all(statement(name), **parameters)
    changed: bool = row["changed"]
    return changed
