"""Which actions a page offers on a job: possible ones, and impossible ones with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode

from procrastinate_tasks.action_policies import (
    JOB_ACTIONS,
    Action,
    JobToActOn,
    Tier,
    decide_action,
    decide_tier,
)
from procrastinate_tasks.action_words import ACTION_LABELS, tell_refused
from procrastinate_tasks.permissions import HasPermissions, is_allowed
from procrastinate_tasks.presentation import JobStory, RetrySafety, moves_money

_RUNS_IT_AGAIN = (Action.RETRY, Action.RELEASE, Action.RESCUE)
_ONLY_IF_POSSIBLE = (Action.RELEASE, Action.RESCUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An action on one job: ``button`` is what its form sends, ``url`` the page to confirm it on.

    Neither is set where it is impossible: then ``why_not`` says why.
    """

    action: Action
    label: str
    button: str = ""
    url: str = ""
    why_not: str = ""


def offers_for(
    job: JobToActOn, story: JobStory, *, user: HasPermissions, back: str, site_name: str
) -> tuple[Offer, ...]:
    """Return what this user may do to a job, and what of that is not possible now."""
    allowed = [action for action in JOB_ACTIONS if is_allowed(user, action, task_name=job.task_name)]
    offers = (_offer(action, job, story, back=back, site_name=site_name) for action in allowed)
    return tuple(offer for offer in offers if not offer.why_not or offer.action not in _ONLY_IF_POSSIBLE)


def needs_care(action: Action, *, task_name: str, story: JobStory) -> bool:
    """Tell whether an action deserves a second look: money, or a run that may do something twice."""
    may_do_twice = story.retry_safety in (RetrySafety.UNSAFE, RetrySafety.UNKNOWN)
    return moves_money(task_name) or (action in _RUNS_IT_AGAIN and may_do_twice)


def confirmation_address(
    action: Action, *, site_name: str, back: str, job_ids: Sequence[int] = (), **target: str
) -> str:
    """Return where an action is looked at before it is done; ``queue`` or ``schedule`` may be the target."""
    query = [("action", action.value), *[("job", job_id) for job_id in job_ids], *target.items()]
    address = reverse("admin:queue_confirm", current_app=site_name)
    return f"{address}?{urlencode([*query, ('next', back)])}"


def _offer(action: Action, job: JobToActOn, story: JobStory, *, back: str, site_name: str) -> Offer:
    label = str(ACTION_LABELS[action])
    verdict = decide_action(action, job)
    if verdict.refusal is not None:
        why_not = tell_refused(verdict.refusal, {"twin_id": verdict.twin_id})
        return Offer(action=action, label=label, why_not=why_not)
    tier = decide_tier(action, needs_care=needs_care(action, task_name=job.task_name, story=story))
    if tier <= Tier.BUTTON:
        return Offer(action=action, label=label, button=f"{action}:{job.id}")
    url = confirmation_address(action, site_name=site_name, back=back, job_ids=(job.id,))
    return Offer(action=action, label=label, url=url)
