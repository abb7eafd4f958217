"""What a guest asks for: to pay on a page of Stripe's, to move a stay, to cancel it.

Obligation and attempt are stored before Stripe's page exists. Nights, price, balance and its charge change in
one transaction, or not at all: changes that cost no more are applied at once (cases B and C3), the others
need money to move first. After a cancellation nothing new is charged; its settlement follows in a worker.
"""

from __future__ import annotations

from datetime import date, datetime

from bookings import hold_time
from bookings import policies as house
from bookings import services as bookings
from bookings.models import Booking, BookingStatus, Quote
from payments import billing, driver
from payments.deferred_jobs import look_at_page_now, move, request_email, unschedule
from payments.exceptions import ChangeNeedsPayment, NothingToPay, PaymentUnderWay
from payments.gateway import Gateway
from payments.ledger import claims, locking, refunds
from payments.models import BookingAccount, GuestEmail, Payment, PaymentAttempt
from payments.policies import DEAD_STATES, LIVE_STATES, AttemptState, PaymentKind, PaymentStatus
from payments.unfinished import defer_settlement


def change_dates(*, booking: Booking, check_in: date, check_out: date, base_url: str, now: datetime) -> Quote:
    """Move a confirmed stay.

    Raises:
        ChangeRefused: the booking is not confirmed, or nights already slept would move.
        StayRefused: the new nights break a rule or belong to somebody else.
        ChangeNeedsPayment: the new dates cost more, or less than what was paid in full.
        PaymentUnderWay: money for this booking is moving at this moment.
    """
    with locking.locked_booking(booking.pk) as locked:
        if PaymentAttempt.objects.filter(payment__booking=locked, state__in=list(LIVE_STATES)).exists():
            raise PaymentUnderWay
        balance = locked.payments.filter(kind=PaymentKind.BALANCE).exclude(status=PaymentStatus.VOID).first()
        old_quote = locked.quote
        new_quote = bookings.change_nights(booking=locked, check_in=check_in, check_out=check_out, now=now)
        _check_price(balance, old_quote, new_quote)
        if new_quote.total_minor != old_quote.total_minor:
            _reprice(locked, balance, old_quote, now)
        _move_charge(locked, base_url=base_url)
        locking.settle_if_nothing_is_due(booking=locked, now=now)
        request_email(
            kind=GuestEmail.Kind.CHANGED,
            booking=locked,
            base_url=base_url,
            now=now,
            version=locked.changes.count(),
            replaced=old_quote,
        )
    return new_quote


def _check_price(balance: Payment | None, old_quote: Quote, new_quote: Quote) -> None:
    if new_quote.total_minor == old_quote.total_minor:
        return
    is_paid = balance is None or balance.status == PaymentStatus.PAID
    if is_paid or new_quote.total_minor > old_quote.total_minor:
        raise ChangeNeedsPayment


def _reprice(booking: Booking, balance: Payment | None, old_quote: Quote, now: datetime) -> None:
    """Bill the new before crediting the old, and refund before owing less: the bounds hold throughout."""
    paid = BookingAccount.objects.get(booking=booking).paid_minor
    total = booking.quote.total_minor
    if balance is not None:
        locking.void_payment(payment=balance)
    if paid > total:
        refunds.request_refund(booking=booking, amount_minor=paid - total, reason="change of dates", now=now)
    billing.bill_quote(booking=booking, quote=booking.quote, now=now)
    billing.credit_quote(booking=booking, quote=old_quote, now=now)
    if 0 < total - paid < house.LEAST_CHARGE_MINOR:
        billing.waive(
            booking=booking, amount_minor=total - paid, now=now
        )  # No card can be charged so little.
    elif total > paid:
        billing.open_obligation(booking=booking, kind=PaymentKind.BALANCE, amount_minor=total - paid, now=now)


def _move_charge(booking: Booking, *, base_url: str) -> None:
    unpaid = booking.payments.filter(kind=PaymentKind.BALANCE).exclude(
        status__in=(PaymentStatus.PAID, PaymentStatus.VOID)
    )
    if unpaid.exists():
        move(booking=booking, base_url=base_url)
    else:
        unschedule(booking=booking)


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


def correct_email(*, booking: Booking, email: str, base_url: str, now: datetime) -> None:
    """Take another e-mail address for a hold, and write to it; a page that is open for the old stays open.

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


def find_payable(*, booking: Booking) -> Payment | None:
    """Return the payment a guest can make now: an open deposit, or what the saved card did not pay."""
    payments = booking.payments.exclude(status__in=(PaymentStatus.PAID, PaymentStatus.VOID))
    deposit = payments.filter(kind=PaymentKind.DEPOSIT).first()
    return deposit or payments.filter(status__in=_WAITING).order_by("pk").first()


def _claim_page(booking: Booking, base_url: str, now: datetime) -> PaymentAttempt:
    """Claim the page of what can be paid. A deposit opens with it, or not at all when its hold is over."""
    payment = find_payable(booking=booking)
    if payment is not None:
        return claims.claim_checkout(payment_id=payment.pk, base_url=base_url, now=now)
    if booking.status != BookingStatus.PENDING:
        raise NothingToPay
    with locking.locked_booking(booking.pk) as locked:
        payment = _open_deposit(locked, now)
        return claims.claim_checkout(payment_id=payment.pk, base_url=base_url, now=now)


def _open_deposit(booking: Booking, now: datetime) -> Payment:
    billing.open_account(booking=booking, now=now)
    existing = booking.payments.filter(kind=PaymentKind.DEPOSIT).first()
    return existing or billing.open_obligation(
        booking=booking, kind=PaymentKind.DEPOSIT, amount_minor=booking.quote.deposit_minor, now=now
    )
