"""What was asked for and is not done yet, found by its own row, whatever became of its job.

A job may fail for good, be parked with its worker, be cancelled by hand; its row stays as it was asked for.
Each kind of work says here how its rows are found, which job does them, and how old they may get before
somebody is told. Attempts have the janitor instead: it asks Stripe itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from bookings.models import Booking, BookingStatus, DateChange
from payments.deferred_jobs import (
    APPLY_STRIPE_EVENT,
    END_CHANGE,
    REFUND_PAYMENT,
    SEND_GUEST_EMAIL,
    SETTLE_CANCELLATION,
)
from payments.models import GuestEmail, Refund, StripeEvent
from payments.policies import RefundState
from procrastinate_tasks import Call, defer, defer_many

_CHUNK = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A kind of work that a job does for a row.

    Attributes:
        rows: all that is not done yet.
        asked_at: the field that says since when.
        patience: how old a row may get before somebody is told.
        describe: that so many of them wait for too long, in a sentence.
        query: what the list of ``page`` is filtered by, to show just ``rows``.
    """

    name: str
    label: str | Promise
    title: str | Promise
    advice: str | Promise
    describe: Callable[[int], str]
    task_name: str
    call: Callable[[Any], Call]
    rows: Callable[[], QuerySet[Any]]
    asked_at: str
    patience: timedelta
    page: str
    query: Mapping[str, str]

    def waiting(self, *, until: datetime) -> QuerySet[Any]:
        """Return what was asked for until an instant and is not done, oldest first."""
        return self.rows().filter(**{f"{self.asked_at}__lte": until}).order_by(self.asked_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """Work that waits for longer than its patience, and the address of the list of exactly that."""

    count: int
    sentence: str
    address: str


def find_overdue(work: Work, *, now: datetime) -> Overdue:
    """Return what of a kind waits for too long."""
    return overdue_of(work, count=overdue_rows(work, now=now).count(), now=now)


def overdue_rows(work: Work, *, now: datetime) -> QuerySet[Any]:
    return work.waiting(until=now - work.patience).order_by()


def overdue_query(work: Work, *, now: datetime) -> dict[str, str]:
    """Return what the list of a kind is filtered by, to show just what waits for too long."""
    return {**work.query, f"{work.asked_at}__lte": (now - work.patience).isoformat()}


def overdue_of(work: Work, *, count: int, now: datetime) -> Overdue:
    """Return so many rows as the sentence and the list that tell of them."""
    address = f"{reverse(work.page)}?{urlencode(overdue_query(work, now=now))}"
    return Overdue(count=count, sentence=work.describe(count), address=address)


def defer_again(work: Work, *, ids: Iterable[Any]) -> int:
    """Defer the jobs of rows again, passing over those that wait. Returns how many are new."""
    return defer_many(work.task_name, (work.call(pk) for pk in ids))


def defer_waiting(work: Work, *, since: datetime | None, until: datetime) -> int:
    """Defer the job of everything again that was asked for within a span and is not done."""
    waiting = work.waiting(until=until)
    if since is not None:
        waiting = waiting.filter(**{f"{work.asked_at}__gt": since})
    return defer_again(work, ids=waiting.values_list("pk", flat=True).iterator(chunk_size=_CHUNK))


def defer_settlement(*, booking_id: int, base_url: str) -> None:
    """Have a cancelled booking settled as soon as a worker is free."""
    call = _settle(booking_id, base_url)
    defer(SETTLE_CANCELLATION, call.args, queueing_lock=call.queueing_lock)


def _settle(booking_id: int, base_url: str) -> Call:
    return Call(args={"booking_id": booking_id, "base_url": base_url}, queueing_lock=f"settle:{booking_id}")


CANCELLATIONS = Work(
    name="cancellations_waiting",
    label=_("Cancellations to settle"),
    title=_("A cancellation is not settled"),
    advice=_(
        "The guest waits for their money and the nights stay blocked. Look at the jobs on the page of the"
        " booking; the settlement is tried again by itself, and by the button of the list."
    ),
    describe=lambda count: (
        ngettext(
            "%(count)d cancellation was asked for and is not settled yet.",
            "%(count)d cancellations were asked for and are not settled yet.",
            count,
        )
        % {"count": count}
    ),
    task_name=SETTLE_CANCELLATION,
    call=lambda pk: _settle(pk, settings.SITE_BASE_URL),
    rows=lambda: Booking.objects.filter(
        cancel_requested_at__isnull=False, status__in=(BookingStatus.PENDING, BookingStatus.CONFIRMED)
    ),
    asked_at="cancel_requested_at",
    patience=timedelta(minutes=30),
    page="admin:bookings_booking_changelist",
    query={"status__in": f"{BookingStatus.PENDING},{BookingStatus.CONFIRMED}"},
)
EVENTS = Work(
    name="events_waiting",
    label=_("Stripe events to apply"),
    title=_("What Stripe told us is not applied"),
    advice=_(
        "Look whether a worker serves the queue payments, and at the error of the event's job. It is applied"
        " again by itself, and by the button of the list."
    ),
    describe=lambda count: (
        ngettext(
            "%(count)d Stripe event was received and is not applied yet.",
            "%(count)d Stripe events were received and are not applied yet.",
            count,
        )
        % {"count": count}
    ),
    task_name=APPLY_STRIPE_EVENT,
    call=lambda pk: Call(args={"event_id": pk}, queueing_lock=f"event:{pk}"),
    rows=lambda: StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED),
    asked_at="received_at",
    patience=timedelta(minutes=2),
    page="admin:payments_stripeevent_changelist",
    query={"state__exact": StripeEvent.State.RECEIVED},
)
REFUNDS = Work(
    name="refunds_waiting",
    label=_("Refunds to send"),
    title=_("A refund was not sent"),
    advice=_(
        "The guest waits for money. Read the error of the refund's job, and look at the payment at Stripe;"
        " the refund is sent again by itself, and by the button of the list."
    ),
    describe=lambda count: (
        ngettext(
            "%(count)d refund was asked for and Stripe does not have it yet.",
            "%(count)d refunds were asked for and Stripe does not have them yet.",
            count,
        )
        % {"count": count}
    ),
    task_name=REFUND_PAYMENT,
    call=lambda pk: Call(args={"refund_id": pk}, queueing_lock=f"refund:{pk}"),
    rows=lambda: Refund.objects.filter(state=RefundState.REQUESTED),
    asked_at="created_at",
    patience=timedelta(hours=1),
    page="admin:payments_refund_changelist",
    query={"state__exact": RefundState.REQUESTED},
)
EMAILS = Work(
    name="emails_waiting",
    label=_("E-mails to send"),
    title=_("E-mails to guests are not sent"),
    advice=_(
        "Look whether the mail server can be reached and whether a worker serves the queue emails. They are"
        " sent by themselves once it can, and by the button of the list."
    ),
    describe=lambda count: (
        ngettext(
            "%(count)d e-mail to a guest is not sent yet.",
            "%(count)d e-mails to guests are not sent yet.",
            count,
        )
        % {"count": count}
    ),
    task_name=SEND_GUEST_EMAIL,
    call=lambda pk: Call(args={"email_id": pk}, queueing_lock=f"email:{pk}"),
    rows=lambda: GuestEmail.objects.filter(sent_at__isnull=True, dropped_at__isnull=True),
    asked_at="created_at",
    patience=timedelta(hours=1),
    page="admin:payments_guestemail_changelist",
    query={"sent_at__isnull": "1", "dropped_at__isnull": "1"},
)
CHANGES = Work(
    name="changes_waiting",
    label=_("Changes of dates to end"),
    title=_("Dates that nobody paid for are still held"),
    advice=_(
        "The nights cannot be let meanwhile. Read the error of the job, and look whether Stripe can be"
        " reached; the change is ended again by itself, and by the button of the list."
    ),
    describe=lambda count: (
        ngettext(
            "%(count)d change of dates is held beyond its hour.",
            "%(count)d changes of dates are held beyond their hour.",
            count,
        )
        % {"count": count}
    ),
    task_name=END_CHANGE,
    call=lambda pk: Call(args={"change_id": pk}, queueing_lock=f"change:{pk}"),
    rows=lambda: DateChange.objects.filter(state=DateChange.State.OPEN),
    asked_at="expires_at",
    patience=timedelta(minutes=30),
    page="admin:bookings_datechange_changelist",
    query={"state__exact": DateChange.State.OPEN},
)
WORK = (CANCELLATIONS, EVENTS, REFUNDS, EMAILS, CHANGES)
# Nobody tries these again: what they say is not understood, or contradicts what we have.
PARKED = Work(
    name="events_parked",
    label=_("Stripe events for a person"),
    title=_("Stripe told us something that a person has to read"),
    advice=_(
        "Each event's page says why it was put aside. Look at its object at Stripe, and at the differences"
        " with Stripe; apply it again once that is mended, or after an update of this site."
    ),
    describe=lambda count: (
        ngettext(
            "%(count)d Stripe event was put aside for a person.",
            "%(count)d Stripe events were put aside for a person.",
            count,
        )
        % {"count": count}
    ),
    task_name=APPLY_STRIPE_EVENT,
    call=lambda pk: Call(args={"event_id": pk, "again": True}, queueing_lock=f"event:{pk}"),
    rows=lambda: StripeEvent.objects.filter(state=StripeEvent.State.PARKED),
    asked_at="received_at",
    patience=timedelta(0),
    page="admin:payments_stripeevent_changelist",
    query={"state__exact": StripeEvent.State.PARKED},
)
TOLD = (*WORK, PARKED)
