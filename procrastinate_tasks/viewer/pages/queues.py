"""T5: each queue, what it waits for and what holds it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from procrastinate_tasks.actions.permissions import HasPermissions, is_allowed
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.conf import QueueLimit
from procrastinate_tasks.formatting import duration_in_words
from procrastinate_tasks.jobs.descriptions import title_of
from procrastinate_tasks.monitoring.snapshot import QueueLoad, Snapshot, look
from procrastinate_tasks.queries.history import FACTS, HOURS_OF_QUEUES, Ended
from procrastinate_tasks.queries.queues import list_tasks
from procrastinate_tasks.queues.control import QUEUE_NAMES
from procrastinate_tasks.queues.pauses import Pause, PauseKind
from procrastinate_tasks.viewer.charts import Drawing, bars
from procrastinate_tasks.viewer.dashboard_cards import Health, wait_verdict
from procrastinate_tasks.viewer.navigation import Links
from procrastinate_tasks.viewer.rendering import render_page

_SPARK = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A queue as it is shown; ``drawing`` if anything ended lately."""

    load: QueueLoad
    is_waiting: bool
    wait: str
    verdict: str
    health: Health
    listening: int
    limits: tuple[str, ...]
    ended: int
    drawing: Drawing | None
    links: Mapping[str, str]


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    links = Links(site.name)
    snapshot, (facts, hours, names) = look(FACTS, HOURS_OF_QUEUES, QUEUE_NAMES)
    loads = {load.queue: load for load in snapshot.queues}
    rows = [
        _row(
            loads.get(name) or QueueLoad(queue=name),
            snapshot,
            hours.get(name, ()),
            links={**_links(name, links), **_actions(name, loads.get(name), request, links)},
        )
        for name in sorted({*names, *loads})
    ]
    context = {
        "title": _("Queues"),
        "rows": rows,
        "tasks": _tasks(snapshot, request, links),
        "may_pause": is_allowed(request.user, Action.PAUSE),
        "a_task_is_paused": any(pause.kind is PauseKind.TASK for pause in snapshot.pauses),
        "taken_at": snapshot.taken_at,
        "pauses": snapshot.pauses,
        "rolled_up_to": facts.rolled_up_to,
    }
    return render_page(request, site, "queues.html", context)


def _tasks(snapshot: Snapshot, request: HttpRequest, links: Links) -> list[tuple[str, Pause | None, str]]:
    """Return each task with its pause, and where one pauses or resumes it; nothing where one may not."""
    pauses = {pause.name: pause for pause in snapshot.pauses if pause.kind is PauseKind.TASK}
    may, back = is_allowed(request.user, Action.PAUSE_TASK), links.to("queues")
    found = []
    for name in sorted({*pauses, *(task.name for task in list_tasks())}, key=lambda name: title_of(name)):
        wanted = Action.RESUME_TASK if name in pauses else Action.PAUSE_TASK
        url = links.to_confirm(wanted, back=back, target={"task": name}) if may else ""
        found.append((name, pauses.get(name), url))
    return found


def _row(
    load: QueueLoad, snapshot: Snapshot, hours: Sequence[Ended], *, links: Mapping[str, str]
) -> QueueRow:
    verdict, health = wait_verdict(load.oldest_wait)
    is_waiting = load.ready > 0
    return QueueRow(
        load=load,
        is_waiting=is_waiting,
        wait=duration_in_words(load.oldest_wait),
        verdict="" if load.is_paused else verdict,
        health=Health.PLAIN if load.is_paused or not is_waiting else health,
        listening=sum(worker.serves(load.queue) for worker in snapshot.living_workers),
        limits=_limits_in_words(load),
        ended=sum(hour.runs for hour in hours),
        drawing=bars([hour.runs for hour in hours], height=_SPARK) if hours else None,
        links=links,
    )


def _limits_in_words(load: QueueLoad) -> tuple[str, ...]:
    if load.rule is None or load.rule.limit == QueueLimit():
        return ()
    limit, words = load.rule.limit, []
    if limit.rate is not None:
        text = _("%(count)d per %(span)s (%(started)d started)")
        started = load.rule.recent_starts or 0
        span = duration_in_words(limit.rate.per)
        words.append(text % {"count": limit.rate.count, "span": span, "started": started})
    if limit.concurrency is not None:
        words.append(_("%(count)d at a time") % {"count": limit.concurrency})
    words.append(_("set by hand") if load.rule.limits_by_hand else _("from the settings"))
    return tuple(words)


def _links(name: str, links: Links) -> dict[str, str]:
    tabs = ("ready", "blocked", "paused", "scheduled", "retrying", "running", "orphaned", "failed")
    found = {tab: links.to("jobs", tab=tab, queue=name) for tab in tabs}
    found["failed"] = links.to("jobs", tab="failed", queue=name, ended="24h")
    return {**found, "workers": links.to("workers", state="alive", queue=name)}


def _actions(name: str, load: QueueLoad | None, request: HttpRequest, links: Links) -> dict[str, str]:
    """Return the addresses of what this user may do to a queue."""
    back = links.to("queues")
    is_paused = load is not None and load.is_paused
    user: HasPermissions = request.user
    found = {}
    wanted = Action.RESUME if is_paused else Action.PAUSE
    if is_allowed(user, wanted):
        found[wanted.value] = links.to_confirm(wanted, back=back, target={"queue": name})
    if is_allowed(user, Action.LIMIT):
        target = {"queue": name, **_present_limit(load)}
        found["limit"] = links.to_confirm(Action.LIMIT, back=back, target=target)
    return found


def _present_limit(load: QueueLoad | None) -> dict[str, str]:
    """Return the limits in force, which the form starts from."""
    limit = load.rule.limit if load and load.rule else QueueLimit()
    values = {
        "rate": limit.rate.count if limit.rate else None,
        "rate_seconds": f"{limit.rate.per.total_seconds():.15g}" if limit.rate else None,
        "concurrency": limit.concurrency,
    }
    return {name: str(value) for name, value in values.items() if value is not None}
