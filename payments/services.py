"""What a guest asks for: to pay on a page of Stripe's, to cancel a stay.

Obligation and attempt are stored before Stripe's page exists. After a cancellation nothing new is charged;
its settlement follows in a worker.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bookings import hold_time
from bookings import services as bookings
from bookings.models import Booking, BookingStatus
from payments import billing, driver
from payments.deferred_jobs import look_at_page_now, request_email, unschedule
from payments.exceptions import NothingToPay, PaymentUnderWay
from payments.gateway import Gateway
from payments.ledger import claims, locking
from payments.models import GuestEmail, Payment, PaymentAttempt
from payments.policies import (
    DEAD_STATES,
    LIVE_STATES,
    SURCHARGES,
    AttemptState,
    Channel,
    PaymentKind,
    PaymentStatus,
)
from payments.unfinished import defer_settlement


def request_cancellation(*, booking: Booking, base_url: str, now: datetime) -> bool:
    """Cancel a booking: its charge is taken back and its settlement deferred, in one transaction.

    Returns:
        Whether this was news. Asking twice settles once, and has the settlement tried again if it failed.
    """
    with locking.locked_booking(booking.pk) as locked:
        is_new = bookings.request_cancellation(booking=locked, now=now)
        if is_new:
            unschedule(booking=locked)
        if locked.cancel_requested_at is not None and locked.cancelled_at is None:
            defer_settlement(booking_id=locked.pk, base_url=base_url)
    return is_new


_WAITING = (PaymentStatus.REQUIRES_ACTION, PaymentStatus.FAILED)


def open_checkout(*, booking: Booking, base_url: str, gateway: Gateway, now: datetime) -> str:
    """Return the address of the one payment page of what a booking owes now.

    Raises:
        NothingToPay: nothing waits for the guest.
        HoldExpired: the deposit came too late.
        PaymentUnderWay: the saved card is being charged.
        TransientFault: Stripe cannot be reached; the guest tries again and gets the same page, or a new one.
        RequestRejected: Stripe refuses to open a page. The attempt has ended; the hold has not.
    """
    attempt = driver.drive(attempt=_claim_page(booking, base_url, now), gateway=gateway, now=now)
    if attempt.state in DEAD_STATES:  # What was begun before came to nothing: this click begins anew.
        attempt = driver.drive(attempt=_claim_page(booking, base_url, now), gateway=gateway, now=now)
    if attempt.state not in LIVE_STATES:
        raise NothingToPay
    return attempt.session_url


def close_pages(*, booking: Booking, gateway: Gateway, now: datetime) -> None:
    """Close the payment pages of a booking, whose guest wants something else now; or learn that they paid.

    Raises:
        TransientFault: Stripe cannot be reached.
        RequestRejected: Stripe refuses to say.
    """
    live = PaymentAttempt.objects.filter(
        payment__booking=booking, channel=Channel.CHECKOUT, state__in=list(LIVE_STATES)
    )
    for attempt in live.select_related("payment__booking__quote__home"):
        driver.close(attempt=attempt, gateway=gateway, now=now)


def look_at_pages(*, booking: Booking) -> None:
    """Have Stripe asked what became of a booking's open payment page: its guest says they have paid."""
    open_pages = PaymentAttempt.objects.filter(payment__booking=booking, state=AttemptState.OPEN)
    for attempt_id in open_pages.values_list("pk", flat=True):
        look_at_page_now(attempt_id=attempt_id)


def extend_hold(*, booking: Booking, now: datetime) -> datetime:
    """Give a guest more time to pay, once and while nobody else asks for the nights. Returns until when.

    Raises:
        HoldExpired, HoldNotExtended: it is over, was extended before, or somebody waits.
        BookingBusy: try again in a moment.
    """
    with locking.locked_booking(booking.pk) as locked:
        hold_time.extend_hold(booking=locked, now=now)
    return locked.hold_expires_at


# So many e-mails about one hold: a mistyped address is corrected, and nobody is written to without end.
MOST_HOLD_EMAILS = 4


def announce_hold(*, booking: Booking, base_url: str, now: datetime) -> None:
    """Have a guest sent the way back to their hold; call it in the transaction that made or changed it."""
    written = GuestEmail.objects.filter(booking=booking, kind=GuestEmail.Kind.HOLD).count()
    if written < MOST_HOLD_EMAILS:
        request_email(kind=GuestEmail.Kind.HOLD, booking=booking, base_url=base_url, now=now, version=written)


def correct_email(*, booking: Booking, email: str, base_url: str, now: datetime) -> Booking:
    """Take another e-mail address for a hold, and write to it; a page that is open for the old stays open.

    Returns:
        The booking as it is now: its link is another one.

    Raises:
        HoldExpired: it is no hold any more.
        PaymentUnderWay: the deposit is being paid at this moment.
    """
    with locking.locked_booking(booking.pk) as locked:
        live = PaymentAttempt.objects.filter(payment__booking=locked, state__in=list(LIVE_STATES))
        if live.exclude(state=AttemptState.OPEN).exists():
            raise PaymentUnderWay
        bookings.correct_email(booking=locked, email=email)
        deposit = locked.payments.filter(kind=PaymentKind.DEPOSIT, status=PaymentStatus.PENDING).first()
        if deposit is not None:
            locking.set_status(deposit, PaymentStatus.PENDING)
        announce_hold(booking=locked, base_url=base_url, now=now)
    return locked


def replace_email(*, booking: Booking, email: str, base_url: str, now: datetime) -> None:
    """Write to another address of the guest's, whatever the booking's state, and send what stands there now.

    Raises:
        BookingBusy: another transaction keeps the row; try again.
        PaymentUnderWay: a payment page is being opened, with the address as it was.
    """
    with locking.locked_booking(booking.pk) as locked:
        begun = PaymentAttempt.objects.filter(payment__booking=locked, channel=Channel.CHECKOUT)
        if begun.filter(state=AttemptState.CLAIMED).exists():
            raise PaymentUnderWay
        bookings.replace_email(booking=locked, email=email)
        if locked.status == BookingStatus.PENDING:
            announce_hold(booking=locked, base_url=base_url, now=now)
        elif locked.status == BookingStatus.CONFIRMED:
            kind = GuestEmail.Kind.CONFIRMED
            told = GuestEmail.objects.filter(booking=locked, kind=kind).count()
            request_email(kind=kind, booking=locked, base_url=base_url, now=now, version=told)


def find_payable(*, booking: Booking) -> Payment | None:
    """Return what a guest can pay now: a deposit, what other dates cost, what the card did not pay."""
    return payable_of(booking.payments.order_by("pk"))


def payable_of(payments: Iterable[Payment]) -> Payment | None:
    """Return which of a booking's payments, the oldest first, a guest can pay now."""
    unpaid = (each for each in payments if each.status not in (PaymentStatus.PAID, PaymentStatus.VOID))
    payable = [each for each in unpaid if each.kind == PaymentKind.DEPOSIT or each.status in _WAITING]
    return min(payable, key=_urgency, default=None)


def _urgency(payment: Payment) -> int:
    """A hold ends soon, and so do dates that are held; a balance waits."""
    if payment.kind == PaymentKind.DEPOSIT:
        return 0
    return 1 if payment.kind in SURCHARGES else 2


def _claim_page(booking: Booking, base_url: str, now: datetime) -> PaymentAttempt:
    """Claim the page of what can be paid. A deposit opens with it, or not at all when its hold is over."""
    payment = find_payable(booking=booking)
    if payment is not None:
        return claims.claim_checkout(payment_id=payment.pk, base_url=base_url, now=now)
    if booking.status != BookingStatus.PENDING:
        raise NothingToPay
    with locking.locked_booking(booking.pk) as locked:
        payment = _open_deposit(locked, now)
        return claims.claim_page(booking=locked, payment=payment, base_url=base_url, now=now)


def _open_deposit(booking: Booking, now: datetime) -> Payment:
    billing.open_account(booking=booking, now=now)
    existing = booking.payments.filter(kind=PaymentKind.DEPOSIT).first()
    return existing or billing.open_obligation(
        booking=booking, kind=PaymentKind.DEPOSIT, amount_minor=booking.quote.deposit_minor, now=now
    )
