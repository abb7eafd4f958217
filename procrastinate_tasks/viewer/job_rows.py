"""The rows of the job list, ready to be shown: arguments without secrets, the actions a page offers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import TextField
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from procrastinate_tasks.actions.available_actions import AvailableAction, available_actions_of
from procrastinate_tasks.actions.permissions import HasPermissions
from procrastinate_tasks.actions.policies import Action, JobToActOn, Tier
from procrastinate_tasks.actions.reports import TARGET_TYPES, ActionReport, TargetReport
from procrastinate_tasks.formatting import amount_in_words, short_error
from procrastinate_tasks.jobs.arguments import arguments_to_show
from procrastinate_tasks.jobs.descriptions import JobDescription, descriptions_of
from procrastinate_tasks.jobs.states import JobState
from procrastinate_tasks.models import Job
from procrastinate_tasks.queries.job import _IS_DUE_LATER, _RUNS, moment_of_interest, most_attempts
from procrastinate_tasks.queries.jobs import JobRow

_WHEN_LABELS: Mapping[JobState, str | Promise] = {
    JobState.READY: _("waits since"),
    JobState.BLOCKED: _("waits since"),
    JobState.PAUSED: _("waits since"),
    JobState.SCHEDULED: pgettext_lazy("when a job will run", "due"),
    JobState.RETRYING: pgettext_lazy("when a job will run", "due"),
    JobState.RUNNING: _("started"),
    JobState.ORPHANED: _("started"),
    JobState.FAILED: _("ended"),
    JobState.SUCCEEDED: _("ended"),
    JobState.CANCELLED: _("ended"),
    JobState.ABORTED: _("ended"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownJob:
    """A row of the list. ``moment`` is what the state makes of interest, ``lasted`` its wait or its run."""

    row: JobRow
    description: JobDescription
    amount: str
    attempt: int
    most_attempts: int | None
    moment: datetime | None
    moment_label: str
    lasted: timedelta | None
    error: str
    offers: tuple[ActionButton, ...]

    @property
    def amount_untold(self) -> str:
        """The amount, unless something the job is about is called by it."""
        return (
            "" if any(self.amount in related.label for related in self.description.related) else self.amount
        )


def show_rows(
    rows: Sequence[JobRow],
    descriptions: Mapping[int, JobDescription],
    *,
    user: HasPermissions,
    back: str,
    site_name: str,
) -> tuple[ShownJob, ...]:
    """Put rows, their descriptions and what may be done with them together; takes no query."""
    return tuple(
        _show_row(
            row,
            descriptions[row.id],
            action_buttons(_to_act_on(row), descriptions[row.id], user=user, back=back, site_name=site_name),
        )
        for row in rows
    )


def _show_row(row: JobRow, description: JobDescription, offers: tuple[ActionButton, ...]) -> ShownJob:
    return ShownJob(
        row=row,
        description=description,
        amount=amount_in_words(description.amount) if description.amount else "",
        attempt=row.attempts + (1 if row.state in _RUNS else 0),
        most_attempts=most_attempts(row.task_name),
        moment=moment_of_interest(row),
        moment_label=str(_WHEN_LABELS[row.state]),
        lasted=_lasted(row),
        error=short_error(row.last_exception, row.last_message),
        offers=offers,
    )


def _lasted(row: JobRow) -> timedelta | None:
    if row.state in _IS_DUE_LATER or row.started_at is None:
        return None
    if row.state in _RUNS:
        return row.now - row.started_at
    has_run = row.changed_at is not None and row.status in ("succeeded", "failed", "aborted")
    return row.changed_at - row.started_at if has_run and row.changed_at else None


def _to_act_on(row: JobRow) -> JobToActOn:
    return JobToActOn(
        id=row.id,
        now=row.now,
        status=row.status,
        task_name=row.task_name,
        queue_name=row.queue_name,
        scheduled_at=row.scheduled_at,
        attempts=row.attempts,
        worker_is_alive=row.worker_is_alive,
        abort_requested=row.abort_requested,
        is_parked=row.status == "failed" and row.last_outcome == "parked",
        queueing_lock=row.queueing_lock,
        twin_id=row.twin_id,
    )


# Hidden wherever they stand in a name, and those that are too short for that where they are a word of it.
_SECRET_PARTS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "authorization",
    "credential",
    "card",
)
_SECRET_WORDS = {"key", "pass", "pwd", "pin", "nip", "cvc", "cvv", "clabe", "iban"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


_HIDDEN = "•••"


def show_arguments(arguments: Mapping[str, object]) -> str:
    """Return arguments as text to read; values of keys such as ``token`` are dots, at every depth."""
    return json.dumps(_without_secrets(arguments), indent=2, ensure_ascii=False, sort_keys=True)


def _without_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            key: _HIDDEN if _is_secret(str(key)) else _without_secrets(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value


def _is_secret(key: str) -> bool:
    is_part = any(part in key.casefold() for part in _SECRET_PARTS)
    return is_part or not _SECRET_WORDS.isdisjoint(word.casefold() for word in _WORD.findall(key))


"""Stands for the reason that the page asks for: the dry run is about the jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One target: ``job_id`` is None for a queue or a schedule, ``story`` None for a job that is gone."""

    target: str
    job_id: int | None
    description: JobDescription | None
    amount: str
    report: TargetReport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A job as far as its description needs it."""

    id: int
    task_name: str
    args: Mapping[str, object]


def lines_of(report: ActionReport) -> tuple[Line, ...]:
    """Put a report on jobs and their descriptions together."""
    ids = [int(target.target) for target in report.targets]
    descriptions = descriptions_of(_calls(ids))
    return tuple(_line(target, descriptions) for target in report.targets)


def _calls(ids: Sequence[int]) -> list[_Call]:
    """Read the arguments as text: a model's field would raise for those that Python cannot read."""
    rows = Job.objects.filter(id__in=ids).annotate(args_text=Cast("args", TextField()))
    return [
        _Call(id=job_id, task_name=task_name, args=arguments_to_show(text))
        for job_id, task_name, text in rows.values_list("id", "task_name", "args_text")
    ]


def _line(target: TargetReport, descriptions: Mapping[int, JobDescription]) -> Line:
    description = descriptions.get(int(target.target))
    amount = amount_in_words(description.amount) if description and description.amount else ""
    return Line(
        target=gettext("job %(id)s") % {"id": target.target},
        job_id=int(target.target),
        description=description,
        amount=amount,
        report=target,
    )


_ONLY_IF_POSSIBLE = (Action.RELEASE, Action.RESCUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionButton:
    """An action on one job: ``button`` is what its form sends, ``url`` the page to confirm it on.

    Neither is set where it is impossible: then ``why_not`` says why.
    """

    label: str
    button: str = ""
    url: str = ""
    why_not: str = ""


def action_buttons(
    job: JobToActOn, description: JobDescription, *, user: HasPermissions, back: str, site_name: str
) -> tuple[ActionButton, ...]:
    """Return what this user may do to a job; what is not possible now stands at the end."""
    offers = sorted(
        available_actions_of(job, user=user, safety=description.retry_safety),
        key=lambda offer: not offer.is_possible,
    )
    return tuple(
        _show(offer, job_id=job.id, back=back, site_name=site_name)
        for offer in offers
        if offer.is_permitted and (offer.is_possible or offer.action not in _ONLY_IF_POSSIBLE)
    )


def confirmation_address(action: Action, targets: Sequence[str], *, site_name: str, back: str) -> str:
    """Return where an action is looked at before it is done."""
    named = [(TARGET_TYPES[action].value, target) for target in targets]
    address = reverse("admin:queue_confirm", current_app=site_name)
    return f"{address}?{urlencode([('action', action.value), *named, ('next', back)])}"


def _show(offer: AvailableAction, *, job_id: int, back: str, site_name: str) -> ActionButton:
    if not offer.is_possible:
        return ActionButton(label=offer.label, why_not=offer.sentence)
    if offer.tier <= Tier.BUTTON and not offer.needs_reason:
        return ActionButton(label=offer.label, button=f"{offer.action}:{job_id}")
    url = confirmation_address(offer.action, (str(job_id),), site_name=site_name, back=back)
    return ActionButton(label=offer.label, url=url)
