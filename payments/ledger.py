"""The one writer of payments, attempts and refunds: every path that learns the fate of money ends here.

Each function is one short transaction under the booking's lock; none calls Stripe. What Stripe says is
applied only forward: a fact that is older than what is stored changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, transaction
from procrastinate_tasks.deferring import defer
from psycopg.errors import DeadlockDetected, LockNotAvailable

from bookings import services as bookings
from bookings.models import Booking, BookingStatus
from payments import billing, due_charges, policies, task_names
from payments.exceptions import BookingBusy, ContradictoryEvidence, NothingToPay, PaymentUnderWay
from payments.gateway import Intent, RefundAnswer, RefundStatus, Session
from payments.guest_emails import request_email
from payments.models import BookingAccount, GuestEmail, Payment, PaymentAttempt, Refund
from payments.policies import (
    AttemptState,
    Channel,
    ChargeAnswer,
    ChargeFacts,
    IntentStatus,
    PaymentKind,
    PaymentStatus,
    RefundState,
)

_LOCK_TIMEOUT = "3s"
_CHARGEABLE = (BookingStatus.CONFIRMED, BookingStatus.COMPLETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The outcome of claiming a charge: an answer, or an attempt to drive to Stripe's truth.

    Attributes:
        is_fresh: the attempt was made by this claim, so nothing can have reached Stripe yet.
    """

    answer: ChargeAnswer | None = None
    attempt: PaymentAttempt | None = None
    is_fresh: bool = False


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


def claim_balance(*, booking_id: int, base_url: str, now: datetime) -> Claim:
    """Claim the balance of a booking: one live attempt, made now or found."""
    try:
        with locked_booking(booking_id) as booking:
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
    with locked_booking(payment.booking_id) as booking:
        payment.refresh_from_db()
        return _claim(booking=booking, payment=payment, base_url=base_url, now=now)


def claim_checkout(*, payment_id: int, base_url: str, now: datetime) -> PaymentAttempt:
    """Return the one attempt behind a guest's payment page, made now or found.

    Raises:
        NothingToPay: the payment is paid or void.
        PaymentUnderWay: the saved card is being charged.
        HoldExpired: the deposit came too late.
    """
    payment = Payment.objects.get(pk=payment_id)
    with locked_booking(payment.booking_id) as booking:
        payment.refresh_from_db()
        if payment.status in (PaymentStatus.PAID, PaymentStatus.VOID):
            raise NothingToPay
        live = _live_attempt(payment)
        if live and live.channel == Channel.OFF_SESSION:
            raise PaymentUnderWay
        if live is None:
            live = _open_checkout(booking, payment, base_url, now)
        return live


def store_intent(*, attempt_id: int, intent: Intent, now: datetime) -> PaymentAttempt:
    """Store the id of an attempt's intent, and take the last look before it may be confirmed."""
    with _locked_attempt(attempt_id) as attempt:
        _check_identity(attempt, intent)
        if attempt.state == AttemptState.CLAIMED:
            attempt.stripe_intent_id = intent.id
            may_confirm = _may_confirm(attempt, now)
            _move(attempt, AttemptState.CONFIRMING if may_confirm else AttemptState.CREATED, now)
        return attempt


def store_session(*, attempt_id: int, session: Session, now: datetime) -> PaymentAttempt:
    """Store a Checkout Session before its address is shown to anybody."""
    with _locked_attempt(attempt_id) as attempt:
        if attempt.state == AttemptState.CLAIMED:
            attempt.stripe_session_id = session.id
            attempt.session_url = session.url
            attempt.check_at = attempt.session_expires_at or now
            _move(attempt, AttemptState.OPEN, now)
        return attempt


def note_decline(*, attempt_id: int, code: str, now: datetime) -> None:
    """Remember why the bank said no, before the intent is cancelled."""
    with _locked_attempt(attempt_id) as attempt:
        if attempt.state in policies.LIVE_STATES:
            attempt.decline_code = code
            _save(attempt, now)


def note_unknown(*, attempt_id: int, now: datetime) -> None:
    """Remember that a confirmation got no answer: only Stripe can tell what became of it."""
    with _locked_attempt(attempt_id) as attempt:
        if attempt.state == AttemptState.CONFIRMING:
            _move(attempt, AttemptState.UNKNOWN, now)
            _set_status(attempt.payment, PaymentStatus.UNKNOWN)


def note_look(*, attempt_id: int, now: datetime) -> int:
    """Count a look of the janitor and put off the next one. Returns the looks so far."""
    with _locked_attempt(attempt_id) as attempt:
        attempt.check_at = now + policies.check_delay(attempt.checks)
        attempt.checks += 1
        _save(attempt, now)
        return attempt.checks


def record_intent(*, attempt_id: int, intent: Intent, now: datetime) -> PaymentAttempt:
    """Apply what Stripe says of an intent: the only place where a payment becomes paid.

    Raises:
        ContradictoryEvidence: it contradicts a proof Stripe gave before.
    """
    with _locked_attempt(attempt_id) as attempt:
        _check_identity(attempt, intent)
        if attempt.state in policies.LIVE_STATES:
            _apply_intent(attempt, intent, now)
        elif intent.status == IntentStatus.SUCCEEDED and attempt.state != AttemptState.SUCCEEDED:
            raise ContradictoryEvidence(
                subject=f"attempt {attempt.pk}", stored=attempt.state, said=intent.status
            )
        return attempt


def record_refusal(*, attempt_id: int, code: str, proof: str, now: datetime) -> PaymentAttempt:
    """Apply that Stripe refused to create anything for an attempt, so nothing can take money."""
    with _locked_attempt(attempt_id) as attempt:
        if attempt.state == AttemptState.CLAIMED:
            attempt.decline_code = code
            is_page = attempt.channel == Channel.CHECKOUT
            _bury(attempt, AttemptState.EXPIRED if is_page else AttemptState.DECLINED, proof, now)
        return attempt


def record_session_processing(*, attempt_id: int, now: datetime) -> PaymentAttempt:
    """Apply that a guest has finished a payment page whose money is not there yet."""
    with _locked_attempt(attempt_id) as attempt:
        if attempt.state == AttemptState.OPEN:
            _move(attempt, AttemptState.PROCESSING, now)
            _set_status(attempt.payment, PaymentStatus.PROCESSING)
        return attempt


def record_session_expired(*, attempt_id: int, session: Session, now: datetime) -> PaymentAttempt:
    """Apply that a Checkout Session is closed for good; an unpaid hold ends with it."""
    with _locked_attempt(attempt_id) as attempt:
        if attempt.state in policies.LIVE_STATES:
            attempt.stripe_session_id = session.id
            _bury(attempt, AttemptState.EXPIRED, f"{session.id} expired", now)
        elif attempt.state == AttemptState.SUCCEEDED:
            raise ContradictoryEvidence(
                subject=f"attempt {attempt.pk}", stored=attempt.state, said=session.status
            )
        return attempt


def void_payment(*, payment: Payment) -> None:
    """Give up an obligation; the database refuses while it may still take money."""
    _set_status(payment, PaymentStatus.VOID)


def request_refund(*, booking: Booking, amount_minor: int, reason: str, now: datetime) -> None:
    """Pay money back, newest capture first; call it with the booking locked, before lowering what is owed."""
    captured = PaymentAttempt.objects.filter(payment__booking=booking, state=AttemptState.SUCCEEDED)
    refundable = [(attempt.pk, _refundable(attempt)) for attempt in captured.order_by("-updated_at", "-pk")]
    for attempt_id, part_minor in policies.split_refund(amount_minor, refundable):
        refund = Refund.objects.create(
            attempt_id=attempt_id,
            amount_minor=part_minor,
            currency=booking.quote.currency,
            reason=reason,
            check_at=now + policies.DRIVER_LEASE,
            created_at=now,
            updated_at=now,
        )
        defer(task_names.REFUND_PAYMENT, {"refund_id": refund.pk}, queueing_lock=f"refund:{refund.pk}")


def record_refund(*, refund_id: int, answer: RefundAnswer, now: datetime) -> Refund:
    """Apply what Stripe says of a refund."""
    booking_id = Refund.objects.values_list("attempt__payment__booking_id", flat=True).get(pk=refund_id)
    with locked_booking(booking_id) as booking:
        refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
        if refund.state != RefundState.SUCCEEDED:
            _apply_refund(booking, refund, answer, now)
        elif answer.status != RefundStatus.SUCCEEDED:
            raise ContradictoryEvidence(
                subject=f"refund {refund.pk}", stored=refund.state, said=answer.status
            )
        return refund


def note_refund_look(*, refund_id: int, now: datetime) -> int:
    """Count a look of the janitor at a refund and put off the next one. Returns the looks so far."""
    with transaction.atomic():
        refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
        refund.check_at = now + policies.check_delay(refund.checks)
        refund.checks += 1
        refund.save(update_fields=("check_at", "checks"))
        return refund.checks


def settle_if_nothing_is_due(*, booking: Booking, now: datetime) -> None:
    """Note on a booking that it owes nothing, if that is so; call it with the booking locked."""
    if booking.settled_at is None and BookingAccount.objects.get(booking=booking).due_minor <= 0:
        bookings.settle_booking(booking=booking, now=now)


@contextmanager
def _locked_attempt(attempt_id: int) -> Iterator[PaymentAttempt]:
    booking_id = PaymentAttempt.objects.values_list("payment__booking_id", flat=True).get(pk=attempt_id)
    with locked_booking(booking_id) as booking:
        attempt = PaymentAttempt.objects.select_related("payment").get(pk=attempt_id)
        attempt.payment.booking = booking
        yield attempt


def _claim(*, booking: Booking, payment: Payment | None, base_url: str, now: datetime) -> Claim:
    live = _live_attempt(payment) if payment else None
    account = BookingAccount.objects.filter(booking=booking).first()
    answer = policies.early_exit(_charge_facts(booking, payment, live, account, now))
    if answer is None and payment is not None and account is not None:
        attempt = live or _claim_off_session(payment, account, base_url, now)
        return Claim(attempt=attempt, is_fresh=live is None)
    if answer == ChargeAnswer.MISSING_METHOD and payment is not None:
        _wait_for_the_guest(payment, PaymentStatus.REQUIRES_ACTION, policies.MISSING_METHOD, base_url, now)
    return Claim(answer=answer)


def _charge_facts(
    booking: Booking,
    payment: Payment | None,
    live: PaymentAttempt | None,
    account: BookingAccount | None,
    now: datetime,
) -> ChargeFacts:
    return ChargeFacts(
        is_confirmed=_is_chargeable(booking, payment),
        payment_status=PaymentStatus(payment.status) if payment else None,
        has_pending_topup=booking.payments.filter(kind=PaymentKind.TOPUP, status__in=_unpaid()).exists(),
        live_channel=Channel(live.channel) if live else None,
        is_due=payment is not None and _is_due(booking, payment, now),
        has_method=bool(account and account.stripe_customer_id and account.stripe_payment_method_id),
    )


def _is_chargeable(booking: Booking, payment: Payment | None) -> bool:
    if payment is not None and payment.kind == PaymentKind.FEE:
        return booking.status == BookingStatus.CANCELLED
    return booking.status in _CHARGEABLE and booking.cancel_requested_at is None


def _is_due(booking: Booking, payment: Payment, now: datetime) -> bool:
    return payment.kind != PaymentKind.BALANCE or booking.balance_due_at <= now


def _may_confirm(attempt: PaymentAttempt, now: datetime) -> bool:
    payment = attempt.payment
    return (
        _is_chargeable(payment.booking, payment)
        and _is_due(payment.booking, payment, now)
        and payment.status != PaymentStatus.VOID
        and payment.amount_minor == attempt.amount_minor
    )


def _unpaid() -> list[PaymentStatus]:
    return [status for status in PaymentStatus if status not in (PaymentStatus.PAID, PaymentStatus.VOID)]


def _live_attempt(payment: Payment) -> PaymentAttempt | None:
    return payment.attempts.filter(state__in=list(policies.LIVE_STATES)).first()


def _claim_off_session(
    payment: Payment, account: BookingAccount, base_url: str, now: datetime
) -> PaymentAttempt:
    _set_status(payment, PaymentStatus.PROCESSING)
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
        bookings.keep_hold(booking=booking, until=expires_at, now=now)
    return PaymentAttempt.objects.create(
        payment=payment,
        n=payment.attempts.count() + 1,
        channel=Channel.CHECKOUT,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        stripe_customer_id=BookingAccount.objects.get(booking=booking).stripe_customer_id,
        base_url=base_url,
        session_expires_at=expires_at,
        check_at=now + policies.DRIVER_LEASE,
        created_at=now,
        updated_at=now,
    )


def _check_identity(attempt: PaymentAttempt, intent: Intent) -> None:
    """An intent with another id, amount or currency is not the one this attempt asked for."""
    stored = (attempt.stripe_intent_id or intent.id, attempt.amount_minor, attempt.currency)
    said = (intent.id, intent.amount_minor, intent.currency)
    if stored != said:
        raise ContradictoryEvidence(subject=f"attempt {attempt.pk}", stored=str(stored), said=str(said))


def _apply_intent(attempt: PaymentAttempt, intent: Intent, now: datetime) -> None:
    attempt.stripe_intent_id = intent.id
    match intent.status:
        case IntentStatus.SUCCEEDED:
            _capture(attempt, intent, now)
        case IntentStatus.CANCELED:
            attempt.decline_code = attempt.decline_code or intent.decline_code
            state = AttemptState.DECLINED if attempt.decline_code else AttemptState.CANCELED
            _bury(attempt, state, f"{intent.id} canceled", now)
        case IntentStatus.PROCESSING:
            _move(attempt, AttemptState.PROCESSING, now)
            _set_status(attempt.payment, PaymentStatus.PROCESSING)


def _capture(attempt: PaymentAttempt, intent: Intent, now: datetime) -> None:
    payment = attempt.payment
    _move(attempt, AttemptState.SUCCEEDED, now)
    billing.post_capture(payment=payment, intent_id=intent.id, now=now)
    _set_status(payment, PaymentStatus.PAID)
    if payment.kind == PaymentKind.DEPOSIT:
        _confirm(attempt, intent, now)
    else:
        _request_email(GuestEmail.Kind.RECEIPT, attempt, now)
    if payment.booking.status != BookingStatus.PENDING:
        settle_if_nothing_is_due(booking=payment.booking, now=now)


def _confirm(attempt: PaymentAttempt, intent: Intent, now: datetime) -> None:
    """A paid deposit confirms the booking, and the charge of its balance is deferred with it."""
    booking = attempt.payment.booking
    BookingAccount.objects.filter(booking=booking).update(
        stripe_customer_id=intent.customer_id, stripe_payment_method_id=intent.payment_method_id
    )
    if booking.cancel_requested_at is not None:
        return  # The settlement that is under way decides what becomes of the money.
    bookings.confirm_booking(booking=booking, now=now)
    if booking.quote.balance_minor:
        billing.open_obligation(
            booking=booking, kind=PaymentKind.BALANCE, amount_minor=booking.quote.balance_minor, now=now
        )
        due_charges.schedule(booking=booking, base_url=attempt.base_url)
    _request_email(GuestEmail.Kind.CONFIRMED, attempt, now)


def _bury(attempt: PaymentAttempt, state: AttemptState, proof: str, now: datetime) -> None:
    """End an attempt that took no money, on proof, and say what becomes of its payment."""
    payment = attempt.payment
    attempt.proof = proof
    _move(attempt, state, now)
    if payment.kind == PaymentKind.DEPOSIT:
        _end_unpaid_hold(payment, proof, now)
    elif state == AttemptState.DECLINED:
        status = policies.status_after_decline(attempt.decline_code)
        _wait_for_the_guest(payment, status, attempt.decline_code, attempt.base_url, now)
    elif state == AttemptState.CANCELED:
        _set_status(payment, PaymentStatus.PENDING)
    else:
        _set_status(payment, PaymentStatus.REQUIRES_ACTION)


def _end_unpaid_hold(payment: Payment, proof: str, now: datetime) -> None:
    booking = payment.booking
    if booking.cancel_requested_at is not None:
        return  # The settlement ends the booking.
    void_payment(payment=payment)
    billing.credit_quote(booking=booking, quote=booking.quote, now=now)
    bookings.expire_hold(booking=booking, proof=proof, now=now)


def _wait_for_the_guest(
    payment: Payment, status: PaymentStatus, reason: str, base_url: str, now: datetime
) -> None:
    _set_status(payment, status, reason)
    request_email(
        kind=GuestEmail.Kind.PAYMENT_LINK,
        booking=payment.booking,
        payment=payment,
        base_url=base_url,
        now=now,
    )


def _apply_refund(booking: Booking, refund: Refund, answer: RefundAnswer, now: datetime) -> None:
    if answer.amount_minor != refund.amount_minor:
        raise ContradictoryEvidence(
            subject=f"refund {refund.pk}", stored=str(refund.amount_minor), said=str(answer.amount_minor)
        )
    refund.stripe_refund_id = answer.id
    refund.state = _REFUND_STATES[answer.status]
    refund.failure = answer.failure
    refund.updated_at = now
    refund.save(update_fields=("stripe_refund_id", "state", "failure", "updated_at"))
    if refund.state == RefundState.SUCCEEDED:
        billing.post_refund(booking=booking, refund_id=answer.id, amount_minor=refund.amount_minor, now=now)


_REFUND_STATES = {
    RefundStatus.PENDING: RefundState.SUBMITTED,
    RefundStatus.REQUIRES_ACTION: RefundState.SUBMITTED,
    RefundStatus.SUCCEEDED: RefundState.SUCCEEDED,
    RefundStatus.FAILED: RefundState.FAILED,
    RefundStatus.CANCELED: RefundState.FAILED,
}


def _refundable(attempt: PaymentAttempt) -> int:
    return attempt.amount_minor - sum(refund.amount_minor for refund in attempt.refunds.all())


def _request_email(kind: GuestEmail.Kind, attempt: PaymentAttempt, now: datetime) -> None:
    payment = attempt.payment
    request_email(kind=kind, booking=payment.booking, payment=payment, base_url=attempt.base_url, now=now)


def _move(attempt: PaymentAttempt, state: AttemptState, now: datetime) -> None:
    attempt.state = state
    _save(attempt, now)


def _save(attempt: PaymentAttempt, now: datetime) -> None:
    attempt.updated_at = now
    attempt.save()


def _set_status(payment: Payment, status: PaymentStatus, reason: str = "") -> None:
    payment.status = status
    payment.reason = reason
    payment.save(update_fields=("status", "reason"))
