"""Rows for tests, made the way the site makes them; every default can be overridden."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta

from bookings import services
from bookings.models import Booking, Property
from bookings.services import Guest
from payments import billing
from payments.gateway import Intent, Session, SessionStatus
from payments.ledger import claims, locking, outcomes
from payments.models import Payment, PaymentAttempt
from payments.policies import IntentStatus, PaymentKind

BASE_URL = "https://reyes.example"

_serial = itertools.count(1)


def make_property(**overrides: object) -> Property:
    number = next(_serial)
    usual: dict[str, object] = {
        "name": f"Casa {number}",
        "slug": f"casa-{number}",
        "town": "Tulum",
        "summary": "A dos calles del mar.",
        "nightly_rate_minor": 150_000,
        "capacity": 4,
    }
    return Property.objects.create(**{**usual, **overrides})


def make_hold(
    *,
    now: datetime,
    home: Property | None = None,
    check_in: date | None = None,
    nights: int = 3,
    guests: int = 2,
    email: str = "lucia@correo.example",
) -> Booking:
    """Return a hold that begins ten days from ``now`` unless ``check_in`` says otherwise."""
    check_in = check_in or (now + timedelta(days=10)).date()
    return services.hold_stay(
        home=home or make_property(),
        check_in=check_in,
        check_out=check_in + timedelta(days=nights),
        guests=guests,
        guest=Guest(name="Lucía Pérez", email=email),
        now=now,
    )


def make_deposit_attempt(*, booking: Booking, now: datetime) -> PaymentAttempt:
    """Return an attempt at the deposit with an open payment page."""
    with locking.locked_booking(booking.pk) as locked:
        billing.open_account(booking=locked, now=now)
        deposit = billing.open_obligation(
            booking=locked, kind=PaymentKind.DEPOSIT, amount_minor=locked.quote.deposit_minor, now=now
        )
    attempt = claims.claim_checkout(payment_id=deposit.pk, base_url=BASE_URL, now=now)
    return outcomes.store_session(attempt_id=attempt.pk, session=make_session(attempt), now=now)


def make_confirmed_booking(
    *, now: datetime, customer_id: str = "cus_1", payment_method_id: str = "pm_1", **hold: object
) -> Booking:
    """Return a booking whose deposit was paid at ``now``, with the card saved and the balance outstanding."""
    booking = make_hold(now=now, **hold)  # type: ignore[arg-type]
    attempt = make_deposit_attempt(booking=booking, now=now)
    intent = make_intent(attempt, customer_id=customer_id, payment_method_id=payment_method_id)
    outcomes.record_intent(attempt_id=attempt.pk, intent=intent, now=now)
    return Booking.objects.get(pk=booking.pk)


def make_session(attempt: PaymentAttempt, **overrides: object) -> Session:
    usual: dict[str, object] = {
        "id": f"cs_test_{attempt.key.hex}",
        "status": SessionStatus.OPEN,
        "is_paid": False,
        "url": f"https://checkout.example/{attempt.key.hex}",
        "intent_id": "",
        "attempt_key": str(attempt.key),
    }
    return Session(**{**usual, **overrides})  # type: ignore[arg-type]


def make_intent(attempt: PaymentAttempt, **overrides: object) -> Intent:
    """Return what Stripe would say of an attempt's intent: by default, that it took the money."""
    usual: dict[str, object] = {
        "id": attempt.stripe_intent_id or f"pi_{attempt.key.hex}",
        "status": IntentStatus.SUCCEEDED,
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        "customer_id": attempt.stripe_customer_id or "cus_1",
        "payment_method_id": attempt.stripe_payment_method_id or "pm_1",
        "attempt_key": str(attempt.key),
    }
    return Intent(**{**usual, **overrides})  # type: ignore[arg-type]


def balance_of(booking: Booking) -> Payment:
    return booking.payments.exclude(status="void").get(kind=PaymentKind.BALANCE)
