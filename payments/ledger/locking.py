"""The rows of a payment, locked and moved: the only file that assigns a state of a payment or attempt.

Each change is part of one short transaction under the booking's lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, LockNotAvailable

from bookings import services as bookings
from bookings.models import Booking, BookingStatus
from payments import policies
from payments.exceptions import BookingBusy, NewerRelease
from payments.models import BookingAccount, Dispute, Dunning, Payment, PaymentAttempt
from payments.policies import AttemptState, PaymentKind, PaymentStatus

_LOCK_TIMEOUT = "3s"
_CHARGEABLE = (BookingStatus.CONFIRMED, BookingStatus.COMPLETED)


@contextmanager
def locked_booking(booking_id: int) -> Iterator[Booking]:
    """Run a transaction under the lock of a booking.

    Raises:
        Booking.DoesNotExist: there is no such booking.
        BookingBusy: another transaction keeps the row for longer than a charge waits.
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
            yield bookings.lock_booking(booking_id)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
            raise BookingBusy(booking_id=booking_id) from error
        raise


@contextmanager
def locked_attempt(attempt_id: int) -> Iterator[PaymentAttempt]:
    """Run a transaction under the lock of an attempt's booking: the only way to an attempt that is written.

    Raises:
        BookingBusy: another transaction keeps the row of the booking.
        NewerRelease: a newer release has begun the attempt.
    """
    booking_id = PaymentAttempt.objects.values_list("payment__booking_id", flat=True).get(pk=attempt_id)
    with locked_booking(booking_id) as booking:
        attempt = PaymentAttempt.objects.select_related("payment").get(pk=attempt_id)
        attempt.payment.booking = booking
        require_known_protocol(attempt)
        yield attempt


def require_known_protocol(attempt: PaymentAttempt) -> None:
    """Leave alone what a newer release has begun: what its states mean is not known here.

    Raises:
        NewerRelease: it is of a version of the charge protocol that this release does not know.
    """
    if attempt.protocol_version > policies.PROTOCOL_VERSION:
        raise NewerRelease(attempt_id=attempt.pk, version=attempt.protocol_version)


def live_attempt(payment: Payment) -> PaymentAttempt | None:
    return payment.attempts.filter(state__in=list(policies.LIVE_STATES)).first()


def is_chargeable(booking: Booking, payment: Payment | None) -> bool:
    if payment is not None and payment.kind == PaymentKind.FEE:
        return booking.status == BookingStatus.CANCELLED
    return booking.status in _CHARGEABLE and booking.cancel_requested_at is None


def is_disputed(booking: Booking) -> bool:
    """Tell whether collection of a booking is stopped: a cardholder objects to one of its charges, or did."""
    disputes = Dispute.objects.filter(attempt__payment__booking=booking)
    return disputes.exclude(status__in=policies.HARMLESS_DISPUTES).exists()


def is_disputed_money(attempt: PaymentAttempt) -> bool:
    """Tell whether Stripe would refuse to refund a charge, as a bank has its money."""
    disputes = attempt.disputes.filter(is_refundable=False)
    return disputes.exclude(status__in=policies.HARMLESS_DISPUTES).exists()


def is_due(booking: Booking, payment: Payment, now: datetime) -> bool:
    return payment.kind != PaymentKind.BALANCE or booking.balance_due_at <= now


def move(attempt: PaymentAttempt, state: AttemptState, now: datetime) -> None:
    attempt.state = state
    save(attempt, now)


def save(attempt: PaymentAttempt, now: datetime) -> None:
    attempt.updated_at = now
    attempt.save()


def set_status(payment: Payment, status: PaymentStatus, reason: str = "") -> None:
    payment.status = status
    payment.reason = reason
    payment.save(update_fields=("status", "reason"))
    if status in (PaymentStatus.PAID, PaymentStatus.VOID):
        Dunning.objects.filter(payment=payment).update(next_at=None)


def void_payment(*, payment: Payment) -> None:
    """Give up an obligation; the database refuses while it may still take money."""
    set_status(payment, PaymentStatus.VOID)


def forget_card(*, booking: Booking) -> None:
    """Use a customer and card no more that Stripe does not know: nothing could be paid with them."""
    BookingAccount.objects.filter(booking=booking).update(stripe_customer_id="", stripe_payment_method_id="")


def settle_if_nothing_is_due(*, booking: Booking, now: datetime) -> None:
    """Note on a booking that it owes nothing, if that is so; call it with the booking locked."""
    if booking.settled_at is None and BookingAccount.objects.get(booking=booking).due_minor <= 0:
        bookings.settle_booking(booking=booking, now=now)
