"""All that staff see of a booking on one page: its money, its jobs, and what happened when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils import formats
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from bookings.models import Booking
from bookings.money import format_pesos
from payments.models import (
    BookingAccount,
    Dispute,
    Dunning,
    GuestEmail,
    LedgerTransfer,
    Payment,
    PaymentAttempt,
    Refund,
    StripeEvent,
)
from payments.panels import job_subjects
from payments.policies import DISPUTES_TO_ANSWER, LIVE_STATES, RefundState
from procrastinate_tasks import why_not_running
from procrastinate_tasks.formatting import short_error
from procrastinate_tasks.jobs.descriptions import descriptions_of
from procrastinate_tasks.queries.job import moment_of_interest
from procrastinate_tasks.queries.jobs import JobQuery, JobRow, list_jobs

MOST_EVENTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened, or will."""

    at: datetime
    words: str
    detail: str = ""
    url: str = ""
    is_ahead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingFile:
    """A booking with everything about it; the account is None before the first payment page."""

    booking: Booking
    account: BookingAccount | None
    payments: Sequence[Payment]
    disputes: Sequence[Dispute]
    transfers: Sequence[LedgerTransfer]
    emails: Sequence[GuestEmail]
    events: Sequence[StripeEvent]
    moments: tuple[Moment, ...]


def read_file(booking: Booking, *, now: datetime) -> BookingFile:
    """Read it in a number of queries that does not grow with the booking."""
    payments = list(booking.payments.prefetch_related("attempts__refunds").order_by("pk"))
    disputes = list(Dispute.objects.filter(attempt__payment__booking=booking))
    emails = list(booking.emails.select_related("payment").order_by("pk"))
    events = _events(payments, disputes)
    moments = [*_of_booking(booking), *_of_payments(payments), *_of_emails(emails), *_of_events(events)]
    moments += [*_of_disputes(disputes, now), *_ahead(booking, now)]
    return BookingFile(
        booking=booking,
        account=getattr(booking, "account", None),
        payments=payments,
        disputes=disputes,
        transfers=list(booking.transfers.order_by("pk")),
        emails=emails,
        events=events,
        moments=tuple(sorted(moments, key=lambda moment: moment.at)),
    )


def _events(payments: Sequence[Payment], disputes: Sequence[Dispute]) -> list[StripeEvent]:
    objects: set[str | None] = {dispute.stripe_dispute_id for dispute in disputes}
    for attempt in _attempts(payments):
        objects |= {attempt.stripe_intent_id, attempt.stripe_session_id}
        objects |= {refund.stripe_refund_id for refund in attempt.refunds.all()}
    events = StripeEvent.objects.defer("payload").filter(object_id__in=objects - {None, ""})
    return list(events.order_by("-received_at")[:MOST_EVENTS])


def _attempts(payments: Sequence[Payment]) -> Iterator[PaymentAttempt]:
    return (attempt for payment in payments for attempt in payment.attempts.all())


def _of_booking(booking: Booking) -> Iterator[Moment]:
    yield Moment(at=booking.created_at, words=_("The nights were held"))
    instants = (
        (booking.confirmed_at, _("The booking was confirmed")),
        (booking.settled_at, _("Nothing was owed any more")),
        (booking.cancel_requested_at, _("The cancellation was asked for")),
        (booking.cancelled_at, _("The booking was cancelled and its nights released")),
    )
    for at, words in instants:
        if at is not None:
            yield Moment(at=at, words=words)
    for change in booking.changes.select_related("old_quote", "new_quote"):
        nights = {
            "before": formats.date_format(change.old_quote.check_in),
            "after": formats.date_format(change.new_quote.check_in),
        }
        yield Moment(
            at=change.applied_at, words=_("The arrival was moved from %(before)s to %(after)s") % nights
        )


def _of_payments(payments: Sequence[Payment]) -> Iterator[Moment]:
    for payment in payments:
        for attempt in payment.attempts.all():
            attempt.payment = payment
            yield from _of_attempt(attempt)
            for refund in attempt.refunds.all():
                yield from _of_refund(refund)


def _of_attempt(attempt: PaymentAttempt) -> Iterator[Moment]:
    words = {
        "n": attempt.n,
        "kind": capfirst(attempt.payment.get_kind_display()),
        "channel": attempt.get_channel_display(),
        "amount": format_pesos(attempt.amount_minor),
        "state": attempt.get_state_display(),
    }
    url = reverse("admin:payments_payment_change", args=[attempt.payment_id])
    yield Moment(
        at=attempt.created_at,
        words=_("%(kind)s, attempt %(n)s: %(amount)s, %(channel)s") % words,
        detail=attempt.stripe_intent_id or attempt.stripe_session_id or "",
        url=url,
    )
    if attempt.state not in LIVE_STATES:
        detail = attempt.decline_code or attempt.proof
        yield Moment(
            at=attempt.updated_at,
            words=_("%(kind)s, attempt %(n)s: %(state)s") % words,
            detail=detail,
            url=url,
        )


def _of_refund(refund: Refund) -> Iterator[Moment]:
    words = {"amount": format_pesos(refund.amount_minor), "state": refund.get_state_display()}
    url = reverse("admin:payments_refund_change", args=[refund.pk])
    yield Moment(at=refund.created_at, words=_("A refund of %(amount)s was asked for") % words, url=url)
    if refund.state in (RefundState.SUCCEEDED, RefundState.FAILED):
        yield Moment(
            at=refund.updated_at,
            words=_("The refund of %(amount)s: %(state)s") % words,
            detail=refund.stripe_refund_id or refund.failure,
            url=url,
        )


def _of_disputes(disputes: Sequence[Dispute], now: datetime) -> Iterator[Moment]:
    for dispute in disputes:
        words = {"amount": format_pesos(dispute.amount_minor), "status": dispute.get_status_display()}
        url = reverse("admin:payments_dispute_change", args=[dispute.pk])
        yield Moment(at=dispute.opened_at, words=_("A charge of %(amount)s was disputed") % words, url=url)
        if dispute.status in DISPUTES_TO_ANSWER and dispute.due_by is not None:
            ends = _("Evidence about the dispute of %(amount)s is due") % words
            yield Moment(at=dispute.due_by, words=ends, url=url, is_ahead=dispute.due_by > now)
        else:
            yield Moment(
                at=dispute.updated_at, words=_("The dispute of %(amount)s: %(status)s") % words, url=url
            )


def _of_emails(emails: Sequence[GuestEmail]) -> Iterator[Moment]:
    for email in emails:
        if email.sent_at is not None:
            words = {"kind": email.get_kind_display()}
            yield Moment(at=email.sent_at, words=_("The e-mail “%(kind)s” was sent") % words)


def _of_events(events: Sequence[StripeEvent]) -> Iterator[Moment]:
    for event in events:
        yield Moment(
            at=event.received_at,
            words=_("Stripe told us: %(type)s") % {"type": event.type},
            detail=event.get_state_display(),
            url=reverse("admin:payments_stripeevent_change", args=[event.pk]),
        )


def _ahead(booking: Booking, now: datetime) -> Iterator[Moment]:
    is_over = booking.status in ("cancelled", "expired")
    instants = (
        (booking.arrival_at, _("Arrival")),
        (booking.departure_at, _("Departure")),
        (None if booking.settled_at else booking.balance_due_at, _("The balance falls due")),
        (_next_try(booking), _("The card is asked again")),
    )
    for at, words in instants:
        if at is not None and not is_over:
            yield Moment(at=at, words=words, is_ahead=at > now)


def _next_try(booking: Booking) -> datetime | None:
    tries = Dunning.objects.filter(payment__booking=booking, next_at__isnull=False)
    return tries.values_list("next_at", flat=True).order_by("next_at").first()


MOST_SHOWN = 15


_WAIT_OR_RUN = ("todo", "doing")


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingJob:
    """A job of a booking; ``why`` says what it waits for, or how it failed."""

    id: int
    sentence: str
    state: str
    at: datetime | None
    why: str


def read_jobs(file: BookingFile) -> tuple[BookingJob, ...]:
    """Return the booking's newest jobs: first those that wait or run, explained, then what failed."""
    ids = job_subjects.find_job_ids(_references(file))
    found = list_jobs(JobQuery(ids=ids)).rows if ids else ()
    rows = sorted(found, key=lambda row: (row.status not in _WAIT_OR_RUN, row.status != "failed", -row.id))
    rows = rows[:MOST_SHOWN]
    descriptions = descriptions_of(rows)
    reasons = {row.id: why_not_running(row.id).sentence for row in rows if row.status in _WAIT_OR_RUN}
    return tuple(_show(row, descriptions[row.id].sentence, reasons.get(row.id, "")) for row in rows)


def _references(file: BookingFile) -> dict[str, tuple[str, ...]]:
    """Return by argument which values the jobs of a booking have; its file has all of them already."""
    refunds = (refund.pk for attempt in _attempts(file.payments) for refund in attempt.refunds.all())
    return job_subjects.in_words(
        {
            "booking_id": [file.booking.pk],
            "payment_id": [payment.pk for payment in file.payments],
            "refund_id": refunds,
            "email_id": [email.pk for email in file.emails],
            "event_id": [event.pk for event in file.events],
        }
    )


def _show(row: JobRow, sentence: str, reason: str) -> BookingJob:
    error = short_error(row.last_exception, row.last_message) if row.last_exception else ""
    return BookingJob(
        id=row.id,
        sentence=sentence,
        state=row.state.value,
        at=moment_of_interest(row),
        why=reason or (error if row.status == "failed" else ""),
    )
