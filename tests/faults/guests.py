"""What guests do in a scenario until they get an answer, and what must be true of their money."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bookings.models import Booking, BookingStatus, Quote
from payments import services
from payments.date_changes import change_dates, preview_change
from payments.models import Payment, PaymentAttempt
from payments.policies import AttemptState, PaymentKind, PaymentStatus
from tests.factories import BASE_URL
from tests.faults.life import Life

Verdict = Callable[[], None]

DECLINED = "pm_card_chargeCustomerFail"
AUTHENTICATES = "pm_card_authenticationRequired"


def refreshed(booking: Booking) -> Booking:
    return Booking.objects.get(pk=booking.pk)


def pay_page(life: Life, booking: Booking, *, card: str = "pm_card_visa") -> None:
    """Pay what the guest is shown; a page that was made and never shown is paid by nobody."""
    life.insist(lambda: open_page(life, booking))
    life.house.pay_page(booking, card=card)
    life.work(minutes=2)


def open_page(life: Life, booking: Booking) -> str:
    return services.open_checkout(
        booking=refreshed(booking), base_url=BASE_URL, gateway=life.house.gateway, now=life.house.now
    )


def pay_link(life: Life, booking: Booking, *, card: str = "pm_card_visa") -> None:
    """Pay by the link of a balance that the card did not pay, once there is one."""
    payments = Payment.objects.filter(booking=booking, kind=PaymentKind.BALANCE)
    for minutes in (5, 30, 60, 6 * 60, 25 * 60, 25 * 60):
        if not payments.filter(status__in=(PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)).exists():
            life.work(minutes=minutes)
    pay_page(life, booking, card=card)


def book(life: Life, **hold: object) -> Booking:
    booking = life.house.hold(**hold)
    pay_page(life, booking)
    for minutes in (5, 30, 10):
        # Where the look at the page and Stripe's events are lost, the janitor comes when the page expires.
        if refreshed(booking).status != BookingStatus.CONFIRMED:
            life.work(minutes=minutes)
    booking = refreshed(booking)
    assert booking.status == BookingStatus.CONFIRMED, booking.status
    return booking


def let_fall_due(life: Life, booking: Booking) -> None:
    life.house.wait_until(booking.balance_due_at)
    life.work(minutes=1)
    life.work(minutes=2)


def cancel(life: Life, booking: Booking) -> None:
    life.insist(
        lambda: (
            services.request_cancellation(booking=refreshed(booking), base_url=BASE_URL, now=life.house.now),
        )
    )


def ask_for_nights(life: Life, booking: Booking, *, nights: int) -> None:
    """Ask for another length of stay like a guest who has read what it costs, until it is so or held."""

    def change() -> Quote:
        fresh = refreshed(booking)
        dates = {"check_in": fresh.quote.check_in, "check_out": fresh.quote.check_in + timedelta(days=nights)}
        charge = preview_change(booking=fresh, **dates, now=life.house.now).money.charge_minor
        return change_dates(
            booking=fresh, **dates, base_url=BASE_URL, agreed_charge_minor=charge, now=life.house.now
        )

    life.insist(change)


def assert_charged_once(life: Life, booking: Booking) -> None:
    quote = booking.quote
    assert life.house.charges(booking, PaymentKind.DEPOSIT) == [quote.deposit_minor]
    assert life.house.charges(booking) == [quote.balance_minor]
    payment = Payment.objects.get(booking=booking, kind=PaymentKind.BALANCE)
    assert payment.status == PaymentStatus.PAID


def assert_nothing_kept(life: Life, booking: Booking) -> None:
    assert life.house.taken(booking) == 0
    assert refreshed(booking).status == BookingStatus.CANCELLED


def intent_of(booking: Booking, kind: PaymentKind) -> str:
    won = PaymentAttempt.objects.get(
        payment__booking=booking, payment__kind=kind, state=AttemptState.SUCCEEDED
    )
    return won.stripe_intent_id or ""
