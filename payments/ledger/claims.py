"""Who may take money for a payment: one attempt at a time, written before anything is asked of Stripe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from bookings import services as bookings
from bookings.models import Booking
from payments import memory, policies
from payments.deferred_jobs import receipt_of, withhold_email
from payments.exceptions import CollectionLocked, NothingToPay, PaymentUnderWay
from payments.gateway import Intent
from payments.ledger import changes, dunning, locking, mismatches
from payments.models import BookingAccount, Payment, PaymentAttempt
from payments.policies import (
    AttemptState,
    Channel,
    ChargeAnswer,
    ChargeFacts,
    IntentStatus,
    PaymentKind,
    PaymentStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The outcome of claiming a charge: an answer, or an attempt to drive to Stripe's truth.

    ``is_new`` is an attempt that was made now, and that nobody has driven yet.
    ``page`` is the guest's open page, when it alone is in the way of the saved card's next try: once Stripe
    has closed it, or said that it was paid, the charge is claimed again.
    """

    answer: ChargeAnswer | None = None
    attempt: PaymentAttempt | None = None
    is_new: bool = False
    page: PaymentAttempt | None = None


def claim_balance(*, booking_id: int, base_url: str, now: datetime) -> Claim:
    """Claim the balance of a booking: one live attempt, made now or found."""
    try:
        with locking.locked_booking(booking_id) as booking:
            payments = booking.payments.filter(kind=PaymentKind.BALANCE)
            payment = payments.exclude(status=PaymentStatus.VOID).first()
            return _claim(booking=booking, payment=payment, base_url=base_url, now=now)
    except Booking.DoesNotExist:
        return Claim(answer=ChargeAnswer.NOT_FOUND)


def claim_payment(*, payment_id: int, base_url: str, now: datetime) -> Claim:
    """Claim any other payment off-session."""
    payment = Payment.objects.filter(pk=payment_id).first()
    if payment is None:
        return Claim(answer=ChargeAnswer.NOT_FOUND)
    with locking.locked_booking(payment.booking_id) as booking:
        payment.refresh_from_db()
        return _claim(booking=booking, payment=payment, base_url=base_url, now=now)


def claim_checkout(*, payment_id: int, base_url: str, now: datetime) -> PaymentAttempt:
    """Return the one attempt behind a guest's payment page, made now or found; raises as ``claim_page``."""
    booking_id = Payment.objects.values_list("booking_id", flat=True).get(pk=payment_id)
    with locking.locked_booking(booking_id) as booking:
        payment = booking.payments.get(pk=payment_id)
        return claim_page(booking=booking, payment=payment, base_url=base_url, now=now)


def claim_page(*, booking: Booking, payment: Payment, base_url: str, now: datetime) -> PaymentAttempt:
    """Return the one attempt behind a guest's payment page; call it with the booking locked.

    Args:
        payment: read under that lock.

    Raises:
        NothingToPay: the payment is paid or void, or the booking is being cancelled.
        PaymentUnderWay: the saved card is being charged.
        HoldExpired: the deposit, or what other dates cost, came too late.
        NewerRelease: a newer release has opened the page.
        CollectionLocked: Stripe may have taken this money already.
    """
    is_cancelled = booking.cancel_requested_at is not None and payment.kind != PaymentKind.FEE
    if is_cancelled or payment.status in (PaymentStatus.PAID, PaymentStatus.VOID):
        raise NothingToPay
    live = locking.live_attempt(payment)
    if live is not None:
        locking.require_known_protocol(live)
    if live and live.channel == Channel.OFF_SESSION:
        raise PaymentUnderWay
    if memory.is_locked() or mismatches.lock_collection(booking.pk):
        raise CollectionLocked
    return live or _open_checkout(booking, payment, base_url, now)


def restore_attempt(*, payment: Payment, intent: Intent, base_url: str, now: datetime) -> PaymentAttempt:
    """Write an attempt again that only Stripe remembers; the database refuses one that has no place.

    It is off-session whatever it was: what it asks of Stripe is an intent, and that is there. Money that was
    taken has had its receipt, and in this same transaction it is written down that no second one is to go.
    """
    with locking.locked_booking(payment.booking_id):
        if intent.status == IntentStatus.SUCCEEDED:
            withhold_email(
                kind=receipt_of(payment), booking=payment.booking, payment=payment, base_url=base_url, now=now
            )
        return PaymentAttempt.objects.create(
            payment=payment,
            n=payment.attempts.count() + 1,
            channel=Channel.OFF_SESSION,
            key=UUID(intent.attempt_key),
            amount_minor=intent.amount_minor,
            currency=intent.currency,
            stripe_customer_id=intent.customer_id,
            stripe_payment_method_id=intent.payment_method_id,
            base_url=base_url,
            check_at=now + policies.DRIVER_LEASE,
            created_at=now,
            updated_at=now,
        )


def _claim(*, booking: Booking, payment: Payment | None, base_url: str, now: datetime) -> Claim:
    live = locking.live_attempt(payment) if payment else None
    account = BookingAccount.objects.filter(booking=booking).first()
    facts = _charge_facts(booking, payment, live, account, now)
    answer = policies.early_exit(facts)
    if live is not None and live.protocol_version > policies.PROTOCOL_VERSION:
        return Claim(answer=ChargeAnswer.PROCESSING)  # A newer release charges it.
    if answer is None and payment is not None and account is not None:
        attempt = live or _claim_off_session(payment, account, base_url, now)
        return Claim(attempt=attempt, is_new=live is None)
    if answer == ChargeAnswer.MISSING_METHOD and payment is not None:
        dunning.note_missing_card(payment=payment, base_url=base_url, now=now)
    return Claim(answer=answer, page=live if _is_in_the_way(live, facts) else None)


def _is_in_the_way(live: PaymentAttempt | None, facts: ChargeFacts) -> bool:
    """Tell whether nothing but the guest's open page stands between the saved card and its next try."""
    if live is None or live.state != AttemptState.OPEN or not facts.is_try_due:
        return False
    return policies.early_exit(replace(facts, live_channel=None)) is None


def _charge_facts(
    booking: Booking,
    payment: Payment | None,
    live: PaymentAttempt | None,
    account: BookingAccount | None,
    now: datetime,
) -> ChargeFacts:
    return ChargeFacts(
        is_confirmed=locking.is_chargeable(booking, payment),
        payment_status=PaymentStatus(payment.status) if payment else None,
        has_pending_topup=booking.payments.filter(kind=PaymentKind.TOPUP, status__in=_unpaid()).exists(),
        live_channel=Channel(live.channel) if live else None,
        is_disputed=locking.is_disputed(booking),
        is_due=payment is not None and locking.is_due(booking, payment, now),
        is_locked=mismatches.lock_collection(booking.pk),
        is_try_due=payment is not None and dunning.is_try_due(payment, now),
        has_method=bool(account and account.stripe_customer_id and account.stripe_payment_method_id),
    )


def _unpaid() -> list[PaymentStatus]:
    return [status for status in PaymentStatus if status not in (PaymentStatus.PAID, PaymentStatus.VOID)]


def _claim_off_session(
    payment: Payment, account: BookingAccount, base_url: str, now: datetime
) -> PaymentAttempt:
    locking.set_status(payment, PaymentStatus.PROCESSING)
    return PaymentAttempt.objects.create(
        payment=payment,
        n=payment.attempts.count() + 1,
        channel=Channel.OFF_SESSION,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        stripe_customer_id=account.stripe_customer_id,
        stripe_payment_method_id=account.stripe_payment_method_id,
        base_url=base_url,
        check_at=now + policies.DRIVER_LEASE,
        created_at=now,
        updated_at=now,
    )


def _open_checkout(booking: Booking, payment: Payment, base_url: str, now: datetime) -> PaymentAttempt:
    expires_at = now + policies.SESSION_LIFETIME
    if payment.kind == PaymentKind.DEPOSIT:
        bookings.keep_hold(booking=booking, now=now)
    elif payment.kind in policies.SURCHARGES:
        changes.require_time(booking=booking, now=now)
    return PaymentAttempt.objects.create(
        payment=payment,
        n=payment.attempts.count() + 1,
        channel=Channel.CHECKOUT,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        stripe_customer_id=booking.account.stripe_customer_id,
        base_url=base_url,
        session_expires_at=expires_at,
        check_at=now + policies.DRIVER_LEASE,
        created_at=now,
        updated_at=now,
    )
