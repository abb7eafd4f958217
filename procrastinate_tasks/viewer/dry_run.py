"""What an action would come to, or came to, target by target, ready to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from procrastinate_tasks.action_policies import Action, Tier, decide_tier, needs_reason
from procrastinate_tasks.action_reports import ActionReport, TargetReport
from procrastinate_tasks.actions import preview
from procrastinate_tasks.arguments import arguments_to_show
from procrastinate_tasks.models import Job, TargetType
from procrastinate_tasks.offers import needs_care
from procrastinate_tasks.permissions import HasPermissions, allowed_tasks
from procrastinate_tasks.presentation import JobStory, moves_money, stories_of
from procrastinate_tasks.viewer.asked import Asked
from procrastinate_tasks.viewer.rows import amount_in_words

_ANY_REASON = "(dry run)"
"""Stands for the reason that the page asks for: the dry run is about the jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One target: ``job_id`` is None for a queue or a schedule, ``story`` None for a job that is gone."""

    target: str
    job_id: int | None
    story: JobStory | None
    amount: str
    report: TargetReport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A job as far as its story needs it."""

    id: int
    task_name: str
    args: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What an action would come to, and how much confirmation it takes."""

    asked: Asked
    lines: tuple[Line, ...]
    tier: Tier
    needs_reason: bool
    possible: int


def look_first(asked: Asked, *, user: HasPermissions) -> DryRun:
    """Tell what would become of each target, changing nothing."""
    if asked.target_type is not TargetType.JOB:
        tier = decide_tier(asked.action)
        return DryRun(asked=asked, lines=(), tier=tier, needs_reason=tier is Tier.TYPED, possible=1)
    report = preview(
        asked.action,
        job_ids=asked.job_ids,
        reason=asked.reason or _ANY_REASON,
        may=allowed_tasks(user, asked.action),
    )
    lines = lines_of(report)
    possible = [line for line in lines if line.report.was_applied]
    return DryRun(
        asked=asked,
        lines=lines,
        tier=_tier(asked, possible),
        needs_reason=_needs_reason(asked.action, possible),
        possible=len(possible),
    )


def lines_of(report: ActionReport) -> tuple[Line, ...]:
    """Put a report on jobs and their stories together."""
    ids = [int(target.target) for target in report.targets]
    stories = stories_of(_calls(ids))
    return tuple(_line(target, stories) for target in report.targets)


def _calls(ids: Sequence[int]) -> list[_Call]:
    """Read the arguments as text: a model's field would raise for those that Python cannot read."""
    rows = Job.objects.filter(id__in=ids).annotate(args_text=Cast("args", TextField()))
    return [
        _Call(id=job_id, task_name=task_name, args=arguments_to_show(text))
        for job_id, task_name, text in rows.values_list("id", "task_name", "args_text")
    ]


def _line(target: TargetReport, stories: Mapping[int, JobStory]) -> Line:
    story = stories.get(int(target.target))
    amount = amount_in_words(story.amount) if story and story.amount else ""
    return Line(
        target=_("job %(id)s") % {"id": target.target},
        job_id=int(target.target),
        story=story,
        amount=amount,
        report=target,
    )


def _tier(asked: Asked, possible: Sequence[Line]) -> Tier:
    careful = any(
        needs_care(asked.action, task_name=line.report.task_name, safety=line.story.retry_safety)
        for line in possible
        if line.story is not None
    )
    return decide_tier(asked.action, count=len(asked.job_ids), needs_care=careful)


def _needs_reason(action: Action, possible: Sequence[Line]) -> bool:
    return any(
        needs_reason(action, moves_money=moves_money(line.report.task_name)) for line in possible
    ) or needs_reason(action, moves_money=False)
