"""What is asked of Stripe for an attempt: the same however often, as the keys are the attempt's."""

from __future__ import annotations

from django.conf import settings
from django.utils import translation

from payments import policies
from payments.gateway import IntentRequest, Marks, SessionRequest
from payments.models import PaymentAttempt
from payments.policies import PaymentKind

# In the address to which Stripe sends a guest who has paid; the news itself comes by webhook.
RETURNED_FROM_PAYING = "pagado"
RETURNED_UNPAID = "sin-pagar"


def intent_of(attempt: PaymentAttempt) -> IntentRequest:
    return IntentRequest(
        attempt_key=str(attempt.key),
        marks=_marks(attempt),
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        customer_id=attempt.stripe_customer_id,
        payment_method_id=attempt.stripe_payment_method_id,
        description=_describe(attempt),
    )


def session_of(attempt: PaymentAttempt) -> SessionRequest:
    payment = attempt.payment
    booking = payment.booking
    if attempt.session_expires_at is None:
        raise ValueError(f"attempt {attempt.pk} is for Checkout but has no expiry")
    page = attempt.base_url.rstrip("/") + booking.get_absolute_url()
    return SessionRequest(
        attempt_key=str(attempt.key),
        marks=_marks(attempt),
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        product_name=_describe(attempt),
        customer_id=attempt.stripe_customer_id,
        guest_email=booking.guest_email,
        success_url=f"{page}?{RETURNED_FROM_PAYING}=1",
        cancel_url=f"{page}?{RETURNED_UNPAID}=1",
        expires_at=attempt.session_expires_at,
        saves_card=payment.kind == PaymentKind.DEPOSIT,
    )


def _marks(attempt: PaymentAttempt) -> Marks:
    if attempt.protocol_version < policies.MARKED_SINCE_VERSION:
        return Marks()
    payment = attempt.payment
    return Marks(booking=payment.booking.public_id.hex, payment=f"{payment.kind}:{payment.seq}")


def _describe(attempt: PaymentAttempt) -> str:
    """What the guest reads on the payment page and the receipt; it must not change between two tries."""
    payment = attempt.payment
    # In the site's language, whoever asks: a guest in English and a worker must ask the same under one key.
    with translation.override(settings.LANGUAGE_CODE):
        return f"{payment.booking.home.name} · {payment.get_kind_display()} · {payment.booking.folio}"
