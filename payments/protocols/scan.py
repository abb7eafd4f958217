"""Find what is due and that nothing else will charge, and defer the charges in bulk.

That is also the next try of a card that said no: it is found by the row that was written with the decline.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from bookings.models import BookingStatus
from payments.deferred_jobs import charge_many_now, charge_payments_now
from payments.models import Dispute, Payment, PaymentAttempt
from payments.policies import (
    HARMLESS_DISPUTES,
    LIVE_STATES,
    PROTOCOL_VERSION,
    PaymentKind,
    PaymentStatus,
)

_CHUNK = 2_000
_TO_BE_CHARGED = (PaymentStatus.PENDING, PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN)
_REFUSED = (PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)


def defer_due_charges(*, base_url: str, now: datetime) -> int:
    """Defer one charge for every confirmed booking whose balance is due, and for every fee not yet charged.

    Reads through a server-side cursor and writes some thousand at a time: its memory does not grow.

    Returns:
        How many of them are new.
    """
    balances = charge_many_now(booking_ids=_due_bookings(now), base_url=base_url)
    return balances + charge_payments_now(payment_ids=_unpaid_fees(now), base_url=base_url)


def _due_bookings(now: datetime) -> Iterator[int]:
    due = (
        Payment.objects.filter(
            _is_to_be_charged(now),
            kind=PaymentKind.BALANCE,
            booking__status=BookingStatus.CONFIRMED,
            booking__cancel_requested_at__isnull=True,
            booking__settled_at__isnull=True,
            booking__balance_due_at__lte=now,
        )
        .exclude(_is_charged_by_a_newer_release())
        .exclude(_is_disputed())
        .order_by("booking__balance_due_at")
    )
    return due.values_list("booking_id", flat=True).iterator(chunk_size=_CHUNK)


def _is_to_be_charged(now: datetime) -> Q:
    return Q(status__in=_TO_BE_CHARGED) | Q(status__in=_REFUSED, dunning__next_at__lte=now)


def _is_charged_by_a_newer_release() -> Exists:
    live = PaymentAttempt.objects.filter(payment=OuterRef("pk"), state__in=list(LIVE_STATES))
    return Exists(live.filter(protocol_version__gt=PROTOCOL_VERSION))


def _is_disputed() -> Exists:
    disputes = Dispute.objects.filter(attempt__payment__booking=OuterRef("booking"))
    return Exists(disputes.exclude(status__in=HARMLESS_DISPUTES))


def _unpaid_fees(now: datetime) -> Iterator[int]:
    """The job that is deferred with a fee may have failed before it claimed anything."""
    fees = (
        Payment.objects.filter(
            _is_to_be_charged(now), kind=PaymentKind.FEE, booking__status=BookingStatus.CANCELLED
        )
        .exclude(_is_charged_by_a_newer_release())
        .exclude(_is_disputed())
    )
    return fees.values_list("pk", flat=True).iterator(chunk_size=_CHUNK)
