"""The rows of the job list, ready to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from procrastinate.contrib.django import app
from procrastinate.retry import RetryStrategy

from procrastinate_tasks.action_policies import JobToActOn
from procrastinate_tasks.permissions import HasPermissions
from procrastinate_tasks.presentation import Amount, JobStory
from procrastinate_tasks.retries import Retries
from procrastinate_tasks.viewer.offers import ShownOffer, shown_offers
from procrastinate_tasks.viewer.queries.jobs import JobRow
from procrastinate_tasks.viewer.states import ShownState

_LONGEST_ERROR = 80
_WITHOUT_CENTS = ("CLP", "COP", "JPY", "KRW", "PYG", "VND")
_SIGNS = {"MXN": "$", "USD": "$", "EUR": "€", "GBP": "£"}

_WHEN_LABELS: Mapping[ShownState, str | Promise] = {
    ShownState.READY: _("waits since"),
    ShownState.BLOCKED: _("waits since"),
    ShownState.PAUSED: _("waits since"),
    ShownState.SCHEDULED: pgettext_lazy("when a job will run", "due"),
    ShownState.RETRYING: pgettext_lazy("when a job will run", "due"),
    ShownState.RUNNING: _("started"),
    ShownState.ORPHANED: _("started"),
    ShownState.FAILED: _("ended"),
    ShownState.SUCCEEDED: _("ended"),
    ShownState.CANCELLED: _("ended"),
    ShownState.ABORTED: _("ended"),
}
_WAITS = (ShownState.READY, ShownState.BLOCKED, ShownState.PAUSED)
_RUNS = (ShownState.RUNNING, ShownState.ORPHANED)
_IS_DUE_LATER = (ShownState.SCHEDULED, ShownState.RETRYING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownJob:
    """A row of the list. ``moment`` is what the state makes of interest, ``lasted`` its wait or its run."""

    row: JobRow
    story: JobStory
    amount: str
    attempt: int
    most_attempts: int | None
    moment: datetime | None
    moment_label: str
    lasted: timedelta | None
    error: str
    offers: tuple[ShownOffer, ...]

    @property
    def amount_untold(self) -> str:
        """The amount, unless something the job is about is called by it."""
        return "" if any(self.amount in related.label for related in self.story.related) else self.amount


def show_rows(
    rows: Sequence[JobRow],
    stories: Mapping[int, JobStory],
    *,
    user: HasPermissions,
    back: str,
    site_name: str,
) -> tuple[ShownJob, ...]:
    """Put rows, their stories and what may be done with them together; takes no query."""
    return tuple(
        _show_row(
            row,
            stories[row.id],
            shown_offers(_to_act_on(row), stories[row.id], user=user, back=back, site_name=site_name),
        )
        for row in rows
    )


def _show_row(row: JobRow, story: JobStory, offers: tuple[ShownOffer, ...]) -> ShownJob:
    return ShownJob(
        row=row,
        story=story,
        amount=amount_in_words(story.amount) if story.amount else "",
        attempt=row.attempts + (1 if row.state in _RUNS else 0),
        most_attempts=most_attempts(row.task_name),
        moment=moment_of_interest(row),
        moment_label=str(_WHEN_LABELS[row.state]),
        lasted=_lasted(row),
        error=short_error(row.last_exception, row.last_message),
        offers=offers,
    )


def moment_of_interest(row: JobRow) -> datetime | None:
    """Return since when a job waits, when it is due, when it started, or when it ended."""
    if row.state in _IS_DUE_LATER:
        return row.scheduled_at
    if row.state in _WAITS:
        moments = (row.changed_at, row.scheduled_at)
        return max((moment for moment in moments if moment is not None), default=None)
    return row.started_at if row.state in _RUNS else row.changed_at


def most_attempts(task_name: str) -> int | None:
    """Return how often a task is tried at most; None if it is not known."""
    task = app.tasks.get(task_name)
    strategy = task.retry_strategy if task else None
    if isinstance(strategy, Retries):
        return strategy.max_retries + 1
    if isinstance(strategy, RetryStrategy) and strategy.max_attempts:
        return strategy.max_attempts + 1
    return 1 if task and strategy is None else None


def short_error(exception_class: str, message: str) -> str:
    """Return an error as one short line: the exception's name and how its message begins."""
    name = exception_class.rpartition(".")[2]
    first_line = next(iter(message.splitlines()), "")
    text = f"{name}: {first_line}" if first_line else name
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"


def amount_in_words(amount: Amount) -> str:
    """Return money as it is written here: ``$1,250.50 MXN``."""
    currency = amount.currency.upper()
    decimals = 0 if currency in _WITHOUT_CENTS else 2
    value = Decimal(abs(amount.minor)).scaleb(-decimals)
    minus = "−" if amount.minor < 0 else ""
    number = number_format(value, decimal_pos=decimals, force_grouping=True)
    return f"{minus}{_SIGNS.get(currency, '')}{number} {currency}"


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
