"""What needs a person's attention, in sentences, the most urgent first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from procrastinate_tasks.actions.permissions import HasPermissions
from procrastinate_tasks.formatting import age_in_words, count_in_words, span_in_words
from procrastinate_tasks.jobs.descriptions import moves_money, title_of
from procrastinate_tasks.monitoring.snapshot import QueueLoad, Snapshot
from procrastinate_tasks.queries.history import DashboardFacts
from procrastinate_tasks.queues.pauses import Pause, PauseKind
from procrastinate_tasks.schedule.state import ScheduleInfo
from procrastinate_tasks.viewer.alert_rows import rows_of
from procrastinate_tasks.viewer.cron_words import schedule_in_words
from procrastinate_tasks.viewer.navigation import Links

MOST_SENTENCES = 7
SLOW_WAIT = timedelta(minutes=1)
LONG_WAIT = timedelta(minutes=5)
LONG_PAUSE = timedelta(hours=1)
_CONNECTIONS_LEFT = 0.2
_STALE_CHARTS = timedelta(minutes=20)


class Urgency(IntEnum):
    """How soon somebody should look; the greater the sooner."""

    LOOK = 1
    SOON = 2
    NOW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """A sentence, and the page that shows what it is about; ``act_url`` is where an alert is silenced."""

    urgency: Urgency
    sentence: str
    url: str
    act_url: str = ""
    is_silenced: bool = False


def find_concerns(
    snapshot: Snapshot, facts: DashboardFacts, *, links: Links, user: HasPermissions | None = None
) -> list[Concern]:
    """Return everything that a person should look at, the most urgent first."""
    found = [
        *_of_alerts(facts, links, user),
        *_of_workers(snapshot, links),
        *_of_money(snapshot, links),
        *_of_new_faults(facts, links),
        *(concern for queue in snapshot.queues for concern in _of_queue(queue, snapshot, links)),
        *(concern for pause in snapshot.pauses for concern in _of_pause(pause, snapshot, links)),
        *(concern for item in snapshot.schedule for concern in _of_schedule(item, snapshot, links)),
        *_of_connections(snapshot, links),
        *_of_charts(snapshot, facts, links),
    ]
    return sorted(found, key=lambda concern: -concern.urgency)


def _of_alerts(facts: DashboardFacts, links: Links, user: HasPermissions | None) -> Iterator[Concern]:
    """Tell what was told by mail and elsewhere; of a rule that the code has no more, nothing."""
    for row in rows_of(facts.alerts, user=user, links=links, back=links.to("dashboard")):
        told = f"{row.heading}. {row.alert.words}"
        yield Concern(
            urgency=Urgency.LOOK if row.alert.is_silenced else Urgency.NOW,
            sentence=f"{row.silence}. {told}" if row.alert.is_silenced else told,
            url=row.url,
            act_url=row.act_url,
            is_silenced=row.alert.is_silenced,
        )


def _of_workers(snapshot: Snapshot, links: Links) -> Iterator[Concern]:
    waiting = sum(queue.due for queue in snapshot.queues)
    orphaned = sum(queue.orphaned for queue in snapshot.queues)
    if not snapshot.living_workers:
        text = ngettext(
            "No worker is alive, and %(count)s job waits: start one (on Heroku, look at worker=1).",
            "No worker is alive, and %(count)s jobs wait: start one (on Heroku, look at worker=1).",
            waiting,
        )
        yield _concern(Urgency.NOW, text % {"count": count_in_words(waiting)}, links.to("workers"))
    if orphaned:
        text = ngettext(
            "%(count)s job has lost its worker.", "%(count)s jobs have lost their worker.", orphaned
        )
        yield _concern(
            Urgency.NOW, text % {"count": count_in_words(orphaned)}, links.to("jobs", tab="orphaned")
        )


def _of_money(snapshot: Snapshot, links: Links) -> Iterator[Concern]:
    failed: Counter[str] = Counter()
    for item in snapshot.failed:
        failed[item.task] += item.last_day if moves_money(item.task) else 0
    for task_name, jobs in sorted((+failed).items()):
        text = ngettext(
            "Money: %(count)s job of “%(task)s” failed in the last 24 h.",
            "Money: %(count)s jobs of “%(task)s” failed in the last 24 h.",
            jobs,
        )
        values = {"task": title_of(task_name), "count": count_in_words(jobs)}
        url = links.to("jobs", tab="failed", task=task_name, ended="24h")
        yield _concern(Urgency.NOW, text % values, url)


def _of_queue(queue: QueueLoad, snapshot: Snapshot, links: Links) -> Iterator[Concern]:
    if queue.oldest_wait > LONG_WAIT:
        text = _("Queue %(queue)s: the oldest ready job has waited for %(span)s.")
        values = {"queue": queue.queue, "span": span_in_words(queue.oldest_wait)}
        yield _concern(Urgency.SOON, text % values, links.to("queues"))


def _of_new_faults(facts: DashboardFacts, links: Links) -> Iterator[Concern]:
    faults = facts.new_faults
    if not faults:
        return
    worst = faults[0]
    text = ngettext(
        "%(count)s fault is new since %(release)s: %(error)s in “%(task)s”.",
        "%(count)s faults are new since %(release)s, the worst is %(error)s in “%(task)s”.",
        len(faults),
    )
    values = {
        "count": count_in_words(len(faults)),
        "release": worst.release,
        "error": worst.exception_name,
        "task": title_of(worst.task_name),
    }
    yield _concern(Urgency.NOW, text % values, links.to("failures", new="yes"))


def _of_pause(pause: Pause, snapshot: Snapshot, links: Links) -> Iterator[Concern]:
    paused_for = snapshot.taken_at - pause.paused_at
    if paused_for > LONG_PAUSE:
        is_queue = pause.kind is PauseKind.QUEUE
        text = (
            _("Queue %(name)s has been paused by %(person)s for %(span)s.")
            if is_queue
            else _("“%(name)s” has been paused by %(person)s for %(span)s.")
        )
        values = {
            "name": pause.name if is_queue else title_of(pause.name),
            "person": pause.paused_by,
            "span": span_in_words(paused_for),
        }
        yield _concern(Urgency.SOON, text % values, links.to("queues"))


def _of_schedule(item: ScheduleInfo, snapshot: Snapshot, links: Links) -> Iterator[Concern]:
    title = title_of(item.task_name)
    if item.problem:
        text = _("“%(task)s” cannot run: %(problem)s")
        yield _concern(Urgency.NOW, text % {"task": title, "problem": item.problem}, links.to("schedule"))
    elif item.overdue_since is not None and snapshot.taken_at - item.overdue_since > SLOW_WAIT:
        text = _("“%(task)s” should have started %(age)s (%(times)s).")
        values = {
            "task": title,
            "age": age_in_words(item.overdue_since, now=snapshot.taken_at),
            "times": schedule_in_words(cron=item.cron, zone=item.zone),
        }
        yield _concern(Urgency.SOON, text % values, links.to("schedule"))
    elif item.disabled_at is not None and snapshot.taken_at - item.disabled_at > LONG_PAUSE:
        text = _("“%(task)s” has been disabled by %(person)s for %(span)s.")
        span = span_in_words(snapshot.taken_at - item.disabled_at)
        values = {"task": title, "person": item.disabled_by, "span": span}
        yield _concern(Urgency.LOOK, text % values, links.to("schedule"))


def _of_connections(snapshot: Snapshot, links: Links) -> Iterator[Concern]:
    use = snapshot.connections
    if use.limit - use.used < _CONNECTIONS_LEFT * use.limit:
        text = _("%(used)s of %(limit)s database connections are open.")
        values = {"used": count_in_words(use.used), "limit": count_in_words(use.limit)}
        yield _concern(Urgency.SOON, text % values, links.to("system"))


def _of_charts(snapshot: Snapshot, facts: DashboardFacts, links: Links) -> Iterator[Concern]:
    if facts.rolled_up_to is None or not snapshot.living_workers:
        return
    if snapshot.taken_at - facts.rolled_up_to > _STALE_CHARTS:
        text = _("The charts end %(age)s: no worker sums up what ended.")
        values = {"age": age_in_words(facts.rolled_up_to, now=snapshot.taken_at)}
        yield _concern(Urgency.LOOK, text % values, links.to("system"))


def _concern(urgency: Urgency, sentence: str, url: str) -> Concern:
    return Concern(urgency=urgency, sentence=sentence, url=url)
