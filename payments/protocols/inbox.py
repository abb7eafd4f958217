"""Read from Stripe's list of events what no webhook brought.

Stripe gives an endpoint that does not answer up after three days, and one that is switched off at once; its
list keeps every event for thirty. It is read on from where it was read last, one span after the other, and
how far it was read is written down after each: a run that ends in the middle goes on there. One process
reads at a time, be it the schedule or somebody by hand: two would take in the same, at twice the calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from payments import clocks, memory, webhooks
from payments.event_types import Subject, rule_for
from payments.exceptions import EventsBeingRead
from payments.gateway import Event, Gateway
from payments.models import StripeEvent

# A webhook takes a moment, and is no news if we are faster.
GRACE = timedelta(minutes=1)
# Clocks differ, and an event may be listed a little after it happened.
_MARGIN = timedelta(minutes=10)
_SPAN = timedelta(days=1)
# On a site that has never looked: for so long Stripe repeats a webhook that is not taken.
_FIRST = timedelta(days=3)
# Source: https://docs.stripe.com/api/events: "access to events through the API for 30 days".
LISTED_FOR = timedelta(days=30)
_CHUNK = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """How many events that matter Stripe has listed, and how many of them were not here."""

    listed: int
    missed: int


def fetch_missed(*, gateway: Gateway, now: datetime, since: datetime | None = None) -> Fetched:
    """Take in what Stripe told and is not here, since it was looked at last or since an earlier instant.

    Raises:
        EventsBeingRead: by another process, which takes the same in.
        ClocksDisagree: what is written down as read might lie in the future, and would never be.
        TransientFault: Stripe cannot be asked; the next run goes on where this one was.
    """
    clocks.require_agreement()
    with _reading() as turn:
        listed = missed = 0
        for begin, end in _spans(_first_instant(since, now), now - GRACE):
            for chunk in _chunks(_that_matter(gateway.list_events(since=begin, until=end))):
                listed += len(chunk)
                missed += sum(_take_in(event, now) for event in _unknown(chunk))
                turn.keep()
            turn.keep()
            memory.note_events_until(end)
    return Fetched(listed=listed, missed=missed)


@dataclass(slots=True)
class _Turn:
    """This process's turn to read; nobody else reads until it ends."""

    until: datetime

    def keep(self) -> None:
        kept = memory.go_on_reading(self.until)
        if kept is None:
            raise EventsBeingRead
        self.until = kept


@contextmanager
def _reading() -> Iterator[_Turn]:
    until = memory.begin_reading()
    if until is None:
        raise EventsBeingRead
    turn = _Turn(until)
    try:
        yield turn
    finally:
        memory.end_reading(turn.until)


def _first_instant(since: datetime | None, now: datetime) -> datetime:
    """Begin where it was read last, or earlier: never later, or what lies between would be read by nobody."""
    unread = (memory.read_events_until() or now - _FIRST) - _MARGIN
    return max(min(since or unread, unread), now - LISTED_FOR)


def _spans(begin: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while begin < until:
        end = min(begin + _SPAN, until)
        yield begin, end
        begin = end


def _that_matter(events: Iterable[Event]) -> Iterator[Event]:
    """Leave out what the endpoint need not be registered for."""
    return (each for each in events if rule_for(each.type).subject is not Subject.NOBODY)


def _chunks(events: Iterator[Event]) -> Iterator[list[Event]]:
    while chunk := list(islice(events, _CHUNK)):
        yield chunk


def _unknown(events: list[Event]) -> list[Event]:
    here = StripeEvent.objects.filter(pk__in=[each.id for each in events])
    known = set(here.values_list("pk", flat=True))
    return [each for each in events if each.id not in known]


def _take_in(event: Event, now: datetime) -> bool:
    return webhooks.take_in(event, body=json.dumps(event.payload).encode(), now=now, is_fetched=True)
