"""A payment that was refused: what comes next is written with the refusal, and the guest is told.

An attempt that was declined is dead, its intent cancelled, before anything else may take the money: the next
try is another attempt with an intent of its own. To confirm the same intent again would keep it payable for
weeks, beside the page that the guest pays on.
"""

from __future__ import annotations

from datetime import datetime

from payments import dunning_policies, policies
from payments.deferred_jobs import request_email
from payments.dunning_policies import MOST_STEPS, DeclineClass
from payments.ledger import locking
from payments.models import BookingAccount, Dunning, GuestEmail, Payment
from payments.policies import PaymentStatus

_REFUSED = (PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)


def note_decline(*, payment: Payment, code: str, advice: str = "", base_url: str, now: datetime) -> None:
    """Write down with a decline when the card is asked again, and send the link."""
    decline_class = dunning_policies.classify(code=code, advice=advice)
    dunning = _step(payment, decline_class, code, now)
    # A card that asks for its owner leaves the payment waiting for them.
    asks = code == policies.AUTHENTICATION_REQUIRED
    status = PaymentStatus.REQUIRES_ACTION if asks else PaymentStatus.FAILED
    _wait_for_the_guest(dunning, status, base_url, now)


def note_missing_card(*, payment: Payment, base_url: str, now: datetime) -> None:
    """Leave a payment to its guest because there is no card to ask; said once."""
    dunning = Dunning.objects.filter(payment=payment).first()
    if dunning is None or dunning.last_code != policies.MISSING_METHOD:
        dunning = _step(payment, DeclineClass.DATA, policies.MISSING_METHOD, now)
    dunning.payment = payment
    _wait_for_the_guest(dunning, PaymentStatus.REQUIRES_ACTION, base_url, now)


def ask_again(*, payment_id: int, now: datetime) -> bool:
    """Make the next try of a refused card due now, as a person wants it; False when there must be none.

    What left it to the guest, such as a customer that another account did not know, is overruled; what the
    bank forbade is not, nor is a card asked more often than the schedule allows.
    """
    booking_id = Payment.objects.values_list("booking_id", flat=True).get(pk=payment_id)
    with locking.locked_booking(booking_id) as booking:
        payment = Payment.objects.select_related("dunning").get(pk=payment_id)
        dunning = getattr(payment, "dunning", None)
        if payment.status not in _REFUSED or dunning is None or not locking.is_chargeable(booking, payment):
            return False
        if dunning.decline_class == DeclineClass.HARD or dunning.step >= MOST_STEPS:
            return False
        dunning.decline_class, dunning.next_at, dunning.updated_at = DeclineClass.SOFT, now, now
        dunning.save(update_fields=("decline_class", "next_at", "updated_at"))
        _remember_card(payment)
    return True


def _remember_card(payment: Payment) -> None:
    """Give a booking back the card that was forgotten when Stripe did not know it."""
    tried = payment.attempts.exclude(stripe_payment_method_id="").order_by("-n").first()
    if tried is not None:
        accounts = BookingAccount.objects.filter(booking=payment.booking, stripe_payment_method_id="")
        accounts.update(
            stripe_customer_id=tried.stripe_customer_id,
            stripe_payment_method_id=tried.stripe_payment_method_id,
        )


def is_try_due(payment: Payment, now: datetime) -> bool:
    """Tell whether a card that said no is to be asked again by now."""
    return Dunning.objects.filter(payment=payment, next_at__lte=now).exists()


def find_next_try(payment: Payment) -> datetime | None:
    """Return when the card is asked again if nobody pays before; ``None`` when it is not, or not now."""
    booking = payment.booking
    if payment.status not in _REFUSED or locking.is_disputed(booking):
        return None
    if not locking.is_chargeable(booking, payment):
        return None
    return Dunning.objects.filter(payment=payment).values_list("next_at", flat=True).first()


def _step(payment: Payment, decline_class: DeclineClass, code: str, now: datetime) -> Dunning:
    dunning = Dunning.objects.filter(payment=payment).first() or Dunning(
        payment=payment, step=0, created_at=now
    )
    # The schedule ends before the bound; a refusal is recorded whatever happens.
    dunning.step = min(dunning.step + 1, MOST_STEPS)
    dunning.decline_class, dunning.last_code, dunning.updated_at = decline_class, code, now
    dunning.next_at = _next_try(payment, decline_class, dunning.step, now)
    dunning.payment = payment
    dunning.save()
    return dunning


def _next_try(payment: Payment, decline_class: DeclineClass, step: int, now: datetime) -> datetime | None:
    """Return when the card is asked again; what other dates cost is the guest's to pay before their hour."""
    if payment.kind in policies.SURCHARGES:
        return None
    return dunning_policies.next_try(
        decline_class=decline_class, step=step, declined_at=now, timezone=payment.booking.home.tz
    )


def _wait_for_the_guest(dunning: Dunning, status: PaymentStatus, base_url: str, now: datetime) -> None:
    """Send the link with each refusal, unless the booking is being cancelled."""
    payment = dunning.payment
    locking.set_status(payment, status, dunning.last_code)
    if not locking.is_chargeable(payment.booking, payment):
        return
    request_email(
        kind=GuestEmail.Kind.PAYMENT_LINK,
        booking=payment.booking,
        payment=payment,
        base_url=base_url,
        now=now,
        version=dunning.step,
    )
