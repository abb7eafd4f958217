"""The dashboard's cards: one number each, with what it is made of, its age and whether it is well."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from procrastinate_tasks.formatting import (
    count_in_words,
    percentage_in_words,
)
from procrastinate_tasks.monitoring.snapshot import Snapshot
from procrastinate_tasks.queries.history import DashboardFacts
from procrastinate_tasks.viewer.concerns import LONG_WAIT, SLOW_WAIT
from procrastinate_tasks.viewer.navigation import Links

_NEARLY_FULL = 0.8
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


class Health(StrEnum):
    """How a number is; told by a word beside its colour."""

    PLAIN = "plain"
    GOOD = "good"
    SLOW = "slow"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A part of a card's number, or what goes with it.

    Of what began at ``since`` the age is told, which grows by itself; of what lasts in a ``place``, how long.
    """

    label: str
    value: str = ""
    url: str = ""
    since: datetime | None = None
    place: str = ""


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


def total_up(snapshot: Snapshot) -> Totals:
    """Add up the queues."""
    return Totals(
        **{each.name: sum(getattr(load, each.name) for load in snapshot.queues) for each in fields(Totals)}
    )


def build_cards(
    snapshot: Snapshot, facts: DashboardFacts, totals: Totals, *, links: Links
) -> tuple[Card, ...]:
    """Return the seven cards."""
    return (
        _waiting(snapshot, totals, links),
        _running(snapshot, totals, links),
        _failed(snapshot, totals, links),
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
                url=links.to("queues"),
                since=slowest.oldest_ready_at,
                place=slowest.queue,
            )
        ]
        if slowest and waits
        else []
    )
    parts = [
        (_("blocked by a lock"), totals.blocked, "blocked"),
        (_("paused"), totals.paused, "paused"),
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


def _failed(snapshot: Snapshot, totals: Totals, links: Links) -> Card:
    before = sum(item.day_before for item in snapshot.failed)
    day_before = {"ended_from": snapshot.taken_at - 2 * _DAY, "ended_to": snapshot.taken_at - _DAY}
    url = links.to("jobs", tab="failed", **{name: at.isoformat() for name, at in day_before.items()})
    has_failed = totals.failed_last_day > 0
    return Card(
        title=_("Failed in 24 h"),
        value=count_in_words(totals.failed_last_day),
        url=links.to("jobs", tab="failed", ended="24h"),
        verdict=_("look at them") if has_failed else _("none"),
        health=Health.BAD if has_failed else Health.GOOD,
        details=(
            _part(_("the day before"), before, url),
            Detail(label=_("by fault"), value=_("look"), url=links.to("failures")),
        ),
    )


def _orphaned(totals: Totals, links: Links) -> Card:
    is_well = totals.orphaned == 0
    return Card(
        title=pgettext("several jobs", "Orphaned"),
        value=count_in_words(totals.orphaned),
        url=links.to("jobs", tab="orphaned"),
        verdict=_("none") if is_well else _("their worker is gone"),
        health=Health.GOOD if is_well else Health.BAD,
    )


def _workers(snapshot: Snapshot, links: Links) -> Card:
    alive = snapshot.living_workers
    lost = len(snapshot.workers) - len(alive)
    last = max((worker.last_heartbeat for worker in snapshot.workers), default=None)
    details = [_heartbeat(last, now=snapshot.taken_at)]
    if lost:
        details.append(
            Detail(label=_("lost"), value=count_in_words(lost), url=links.to("workers", state="lost"))
        )
    return Card(
        title=_("Workers"),
        value=count_in_words(len(alive)),
        url=links.to("workers", state="alive"),
        verdict=pgettext("several workers", "alive") if alive else _("none is alive"),
        health=Health.GOOD if alive and not lost else Health.SLOW if alive else Health.BAD,
        details=tuple(details),
    )


def _heartbeat(last: datetime | None, *, now: datetime) -> Detail:
    """Tell when the last was; one of this minute without its second, which is another at every look."""
    label = _("last heartbeat")
    if last is not None and now - last >= _MINUTE:
        return Detail(label=label, since=last)
    return Detail(label=label, value=_("less than a minute ago") if last else _("never"))


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
        details.append(Detail(label=_("first seen"), since=since))
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
