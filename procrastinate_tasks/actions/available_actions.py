"""What can be done to a job now, and why the rest cannot: for buttons that are disabled with their reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from procrastinate_tasks.actions import reports
from procrastinate_tasks.actions.job_actions import read_jobs
from procrastinate_tasks.actions.permissions import HasPermissions, is_allowed
from procrastinate_tasks.actions.policies import (
    JOB_ACTIONS,
    Action,
    JobToActOn,
    Refusal,
    Tier,
    decide_action,
    decide_tier,
    needs_reason,
)
from procrastinate_tasks.jobs.descriptions import RetrySafety, moves_money

_REPEATS = (Action.RETRY, Action.RELEASE)
_SAFE = (RetrySafety.SAFE, RetrySafety.SAFE_BY_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableAction:
    """One action on one job: whether it is possible, and what it takes.

    ``is_permitted`` tells whether to show it at all, ``is_possible`` whether to enable it; ``sentence`` says
    why it is not possible.
    """

    action: Action
    label: str
    is_permitted: bool
    is_possible: bool
    sentence: str
    tier: Tier
    needs_reason: bool


def available_actions_for(
    job_ids: Sequence[int], *, user: HasPermissions, safety: Mapping[int, RetrySafety] | None = None
) -> dict[int, tuple[AvailableAction, ...]]:
    """Return the offers of each job by its id, in one statement.

    Args:
        safety: what the jobs' stories say; a retry of one that is not known to be safe takes a dry run.
    """
    safety = safety or {}
    return {
        job_id: available_actions_of(job, user=user, safety=safety.get(job_id, RetrySafety.UNKNOWN))
        for job_id, job in read_jobs(job_ids).items()
    }


def available_actions_of(
    job: JobToActOn, *, user: HasPermissions, safety: RetrySafety
) -> tuple[AvailableAction, ...]:
    """Return the offers of one job that was read already."""
    return tuple(_offer(action, job, user=user, safety=safety) for action in JOB_ACTIONS)


def needs_care(action: Action, *, task_name: str, safety: RetrySafety) -> bool:
    """Tell whether an action deserves a second look: money may move, or something may happen twice."""
    return moves_money(task_name) or (action in _REPEATS and safety not in _SAFE)


def _offer(action: Action, job: JobToActOn, *, user: HasPermissions, safety: RetrySafety) -> AvailableAction:
    verdict = decide_action(action, job)
    is_delicate = needs_care(action, task_name=job.task_name, safety=safety)
    return AvailableAction(
        action=action,
        label=str(reports.ACTION_LABELS[action]),
        is_permitted=is_allowed(user, action, task_name=job.task_name),
        is_possible=verdict.is_possible,
        sentence=_sentence_of(verdict.refusal, twin_id=verdict.twin_id),
        tier=decide_tier(action, needs_care=is_delicate),
        needs_reason=needs_reason(action, moves_money=moves_money(job.task_name)),
    )


def _sentence_of(refusal: Refusal | None, *, twin_id: int | None) -> str:
    return "" if refusal is None else reports.refused_sentence(refusal, {"twin_id": twin_id})
