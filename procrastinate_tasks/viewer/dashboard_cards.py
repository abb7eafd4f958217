"""The dashboard's cards: one number each, with what it is made of, its age and whether it is well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from procrastinate_tasks.formatting import (
    age_in_words,
    count_in_words,
    duration_in_words,
    percentage_in_words,
)
from procrastinate_tasks.monitoring.snapshot import Snapshot
from procrastinate_tasks.queries.history import DashboardFacts
from procrastinate_tasks.viewer.concerns import LONG_WAIT, SLOW_WAIT
from procrastinate_tasks.viewer.navigation import Links

_NEARLY_FULL = 0.8


class Health(StrEnum):
    """How a number is; told by a word beside its colour."""

    PLAIN = "plain"
    GOOD = "good"
    SLOW = "slow"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A part of a card's number, or what goes with it."""

    label: str
    value: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """``value`` is the number, ``verdict`` a word about it."""

    title: str
    value: str
    url: str
    verdict: str = ""
    health: Health = Health.PLAIN
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The unfinished jobs of all queues by what they wait for; each is counted once."""

    ready: int
    blocked: int
    paused: int
    scheduled: int
    to_be_retried: int
    running: int
    orphaned: int
    failed_last_day: int


def total_up(snapshot: Snapshot, *, blocked: int) -> Totals:
    """Add up the queues. ``blocked`` jobs are ready but for a lock."""
    ready = sum(queue.ready for queue in snapshot.queues)
    return Totals(
        ready=max(0, ready - blocked),
        blocked=min(blocked, ready),
        paused=sum(queue.paused for queue in snapshot.queues),
        scheduled=sum(queue.scheduled for queue in snapshot.queues),
        to_be_retried=sum(queue.to_be_retried for queue in snapshot.queues),
        running=sum(queue.running for queue in snapshot.queues),
        orphaned=sum(queue.orphaned for queue in snapshot.queues),
        failed_last_day=sum(queue.failed_last_day for queue in snapshot.queues),
    )


def build_cards(
    snapshot: Snapshot, facts: DashboardFacts, totals: Totals, *, links: Links
) -> tuple[Card, ...]:
    """Return the seven cards."""
    return (
        _waiting(snapshot, totals, links),
        _running(snapshot, totals, links),
        _failed(facts, totals, links),
        _orphaned(totals, links),
        _workers(snapshot, links),
        _connections(snapshot, links),
        _release(snapshot, facts, links),
    )


def wait_verdict(wait: timedelta) -> tuple[str, Health]:
    """Say whether a wait is long: within a minute it is not, above five it is."""
    if wait > LONG_WAIT:
        return _("too long"), Health.BAD
    return (_("slow"), Health.SLOW) if wait > SLOW_WAIT else (_("prompt"), Health.GOOD)


def _waiting(snapshot: Snapshot, totals: Totals, links: Links) -> Card:
    slowest = max(snapshot.queues, key=lambda queue: queue.oldest_wait, default=None)
    waits = slowest is not None and slowest.oldest_wait > timedelta(0)
    verdict, health = wait_verdict(slowest.oldest_wait) if slowest and waits else ("", Health.PLAIN)
    oldest = (
        [
            Detail(
                label=_("Oldest wait"),
                value=_("%(span)s in %(queue)s")
                % {"span": duration_in_words(slowest.oldest_wait), "queue": slowest.queue},
                url=links.to("queues"),
            )
        ]
        if slowest and waits
        else []
    )
    parts = [
        (_("blocked by a lock"), totals.blocked, "blocked"),
        (_("in a paused queue"), totals.paused, "paused"),
        (_("scheduled for later"), totals.scheduled, "scheduled"),
        (_("to be retried"), totals.to_be_retried, "retrying"),
    ]
    return Card(
        title=pgettext("several jobs", "Ready"),
        value=count_in_words(totals.ready, most=10**9),
        url=links.to("jobs", tab="ready"),
        verdict=_("wait: %(verdict)s") % {"verdict": verdict} if verdict else "",
        health=health,
        details=(*oldest, *(_part(label, count, links.to("jobs", tab=tab)) for label, count, tab in parts)),
    )


def _running(snapshot: Snapshot, totals: Totals, links: Links) -> Card:
    slots = sum(worker.capacity or 0 for worker in snapshot.living_workers)
    return Card(
        title=_("Running"),
        value=count_in_words(totals.running, most=10**9),
        url=links.to("jobs", tab="running"),
        verdict=_("of %(slots)s slots") % {"slots": count_in_words(slots)},
        health=Health.SLOW if slots and totals.running >= slots else Health.PLAIN,
        details=(Detail(label=_("waiting for a thread"), value="0"),),
    )


def _failed(facts: DashboardFacts, totals: Totals, links: Links) -> Card:
    before = facts.failed_day_before
    change = totals.failed_last_day - (before or 0)
    sign = "+" if change > 0 else "−" if change < 0 else "±"
    details = [Detail(label=_("the day before"), value=_("not known yet") if before is None else str(before))]
    if before is not None:
        details.append(Detail(label=_("change"), value=f"{sign}{count_in_words(abs(change))}"))
    has_failed = totals.failed_last_day > 0
    return Card(
        title=_("Failed in 24 h"),
        value=count_in_words(totals.failed_last_day),
        url=links.to("failures"),
        verdict=_("look at them") if has_failed else _("none"),
        health=Health.BAD if has_failed else Health.GOOD,
        details=tuple(details),
    )


def _orphaned(totals: Totals, links: Links) -> Card:
    is_well = totals.orphaned == 0
    return Card(
        title=pgettext("several jobs", "Orphaned"),
        value=count_in_words(totals.orphaned),
        url=links.to("workers"),
        verdict=_("none") if is_well else _("their worker is gone"),
        health=Health.GOOD if is_well else Health.BAD,
    )


def _workers(snapshot: Snapshot, links: Links) -> Card:
    alive = snapshot.living_workers
    lost = len(snapshot.workers) - len(alive)
    last = max((worker.last_heartbeat for worker in snapshot.workers), default=None)
    details = [
        Detail(
            label=_("last heartbeat"),
            value=age_in_words(last, now=snapshot.taken_at) if last else _("never"),
        )
    ]
    if lost:
        details.append(Detail(label=_("lost"), value=count_in_words(lost), url=links.to("workers")))
    return Card(
        title=_("Workers"),
        value=count_in_words(len(alive)),
        url=links.to("workers"),
        verdict=pgettext("several workers", "alive") if alive else _("none is alive"),
        health=Health.GOOD if alive and not lost else Health.SLOW if alive else Health.BAD,
        details=tuple(details),
    )


def _connections(snapshot: Snapshot, links: Links) -> Card:
    use = snapshot.connections
    is_nearly_full = use.used >= _NEARLY_FULL * use.limit
    return Card(
        title=_("Connections"),
        value=f"{use.used}/{use.limit}",
        url=links.to("system"),
        verdict=_("nearly full") if is_nearly_full else percentage_in_words(use.used, use.limit),
        health=Health.BAD if is_nearly_full else Health.PLAIN,
    )


def _release(snapshot: Snapshot, facts: DashboardFacts, links: Links) -> Card:
    since = facts.release_since
    running = sorted({worker.release for worker in snapshot.living_workers if worker.release})
    details = []
    if since:
        details.append(Detail(label=_("first seen"), value=age_in_words(since, now=snapshot.taken_at)))
    if len(running) > 1:
        details.append(Detail(label=_("running at once"), value=", ".join(running)))
    return Card(
        title=pgettext("of software", "Release"),
        value=facts.release or "–",
        url=links.to("system"),
        verdict="" if facts.release else _("not named by the settings"),
        health=Health.SLOW if len(running) > 1 else Health.PLAIN,
        details=tuple(details),
    )


def _part(label: str, count: int, url: str) -> Detail:
    return Detail(label=label, value=count_in_words(count, most=10**9), url=url if count else "")
