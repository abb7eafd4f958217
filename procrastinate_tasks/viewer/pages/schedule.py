"""T7: what runs by itself, when, and how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from procrastinate_tasks.actions.permissions import is_allowed
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.database import ask_together
from procrastinate_tasks.formatting import duration_in_words
from procrastinate_tasks.jobs.descriptions import title_of
from procrastinate_tasks.models import Outcome
from procrastinate_tasks.queries.history import RUNS_SHOWN, LastRun, RunSlot, read_last_runs, read_run_slots
from procrastinate_tasks.queues.pauses import PAUSES
from procrastinate_tasks.schedule.state import STATES, ScheduleInfo, schedule_of
from procrastinate_tasks.viewer.charts import Drawing, bars
from procrastinate_tasks.viewer.cron_words import schedule_in_words
from procrastinate_tasks.viewer.dashboard_cards import Health
from procrastinate_tasks.viewer.navigation import Links
from procrastinate_tasks.viewer.rendering import render_page

_SPARK = 24
_LONGEST_RESULT = 60
_OUTCOMES = {outcome.value: outcome.label for outcome in Outcome}
_STILL = ("todo", "doing")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """A schedule as it is shown: one bar a run for the latest, those that failed from below."""

    item: ScheduleInfo
    has_title: bool
    words: str
    state: str
    health: Health
    last_words: str
    last_result: str
    last_health: Health
    job_url: str
    good_runs: Drawing | None
    bad_runs: Drawing | None
    runs_words: str
    actions: Mapping[str, str]


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    links = Links(site.name)
    (now, pauses), states = ask_together(PAUSES, STATES)
    items = schedule_of(states, now=now)
    last_runs = read_last_runs([item.last_job_id for item in items if item.last_job_id is not None])
    slots = read_run_slots([item.task_name for item in items])
    rows = [
        _row(
            item,
            last_runs.get(item.last_job_id or 0),
            slots.get(item.task_name, ()),
            links=links,
            actions=_actions(item, request, links),
        )
        for item in items
    ]
    context = {"title": _("Schedule"), "now": now, "pauses": pauses, "rows": rows, "runs_shown": RUNS_SHOWN}
    return render_page(request, site, "schedule.html", context)


def _row(
    item: ScheduleInfo,
    last: LastRun | None,
    slots: Sequence[RunSlot],
    *,
    links: Links,
    actions: Mapping[str, str],
) -> ScheduleRow:
    state, health = _state(item)
    last_words, last_health = _last_in_words(item, last)
    most = max((slot.succeeded + slot.failed + slot.retried for slot in slots), default=1)
    padding = [0] * (RUNS_SHOWN - len(slots))
    return ScheduleRow(
        item=item,
        has_title=title_of(item.task_name) != item.name,
        words=schedule_in_words(cron=item.cron, zone=item.zone),
        state=state,
        health=health,
        last_words=last_words,
        last_result=_result_in_words(last),
        last_health=last_health,
        job_url=links.to_job(last.id) if last and last.status else "",
        good_runs=_bars([*padding, *(slot.succeeded for slot in slots)], most) if slots else None,
        bad_runs=_bars([*padding, *(slot.failed + slot.retried for slot in slots)], most) if slots else None,
        runs_words=_runs_in_words(slots),
        actions=actions,
    )


def _bars(counts: Sequence[int], most: int) -> Drawing:
    return bars([count / most for count in counts], height=_SPARK)


def _state(item: ScheduleInfo) -> tuple[str, Health]:
    if item.problem:
        return _("Cannot run"), Health.BAD
    if item.disabled_at is not None:
        return _("Disabled"), Health.SLOW
    return (_("Overdue"), Health.BAD) if item.overdue_since else (_("Active"), Health.GOOD)


def _last_in_words(item: ScheduleInfo, last: LastRun | None) -> tuple[str, Health]:
    if item.last_tick_at is None:
        return _("It has not run yet"), Health.PLAIN
    if last is None:
        return _("Skipped: its last job still waited"), Health.PLAIN
    if last.status in _STILL:
        return (_("Waits") if last.status == "todo" else _("Running")), Health.PLAIN
    if last.outcome is None:
        return _("Its result was pruned"), Health.PLAIN
    health = Health.GOOD if last.outcome == Outcome.SUCCEEDED else Health.BAD
    words = str(_OUTCOMES[last.outcome])
    return (f"{words} ({duration_in_words(last.lasted)})" if last.lasted else words), health


def _result_in_words(last: LastRun | None) -> str:
    if last is None:
        return ""
    if last.exception_class:
        return last.exception_class.rpartition(".")[2]
    text = (last.result or "").strip('"')
    return "" if text == "null" else text[:_LONGEST_RESULT]


def _runs_in_words(slots: Sequence[RunSlot]) -> str:
    runs = sum(slot.succeeded + slot.failed + slot.retried for slot in slots)
    failed = sum(slot.failed + slot.retried for slot in slots)
    words = ngettext("%(runs)d run", "%(runs)d runs", runs) % {"runs": runs}
    if not failed:
        return words
    return _("%(runs)s, %(failed)d failed") % {"runs": words, "failed": failed}


def _actions(item: ScheduleInfo, request: HttpRequest, links: Links) -> dict[str, str]:
    """Return the addresses of what this user may do to a schedule."""
    is_disabled = item.disabled_at is not None
    wanted = (Action.RUN_SCHEDULE, Action.ENABLE_SCHEDULE if is_disabled else Action.DISABLE_SCHEDULE)
    back = links.to("schedule")
    return {
        action.value: links.to_confirm(action, back=back, target={"schedule": item.name})
        for action in wanted
        if is_allowed(request.user, action)
    }
