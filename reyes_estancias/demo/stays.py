"""Past stays whose balance is due, booked and paid through the site's own services at the local Stripe."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from bookings import services
from bookings.models import Booking, BookingStatus, NightBlock, Property
from bookings.services import Guest
from payments import driver
from payments.deferred_jobs import unschedule
from payments.gateway import Gateway
from payments.models import BookingAccount, Payment, PaymentAttempt
from payments.policies import LIVE_STATES, PaymentKind, PaymentStatus
from payments.services import open_checkout
from reyes_estancias.local_stripe.control import Control

_NIGHTS = 3
_BOOKED_AHEAD = timedelta(days=5)

# The bank treats the saved card like one of Stripe's test cards when the balance is charged:
# of a hundred, 88 pay, seven are declined, five ask for their owner.
_DECLINES_EVERY, _ASKS_EVERY = 14, 20
_DECLINES, _ASKS = "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"

_FIRST_NAMES = (
    "Lucía",
    "Mateo",
    "Ximena",
    "Diego",
    "Renata",
    "Emilio",
    "Valentina",
    "Santiago",
    "Camila",
    "Iker",
)
_LAST_NAMES = (
    "Ramírez",
    "Ochoa",
    "Villaseñor",
    "Cantú",
    "Arriaga",
    "Zepeda",
    "Lozano",
    "Ibarra",
    "Quiroga",
    "Montes",
)


def balances_due() -> QuerySet[Payment]:
    """Return the balances that a scan would find now, most likely what an interrupted demo has booked."""
    return Payment.objects.filter(
        kind=PaymentKind.BALANCE,
        status__in=[PaymentStatus.PENDING, PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN],
        booking__status=BookingStatus.CONFIRMED,
        booking__balance_due_at__lte=timezone.now(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Booker:
    """Books stays in the past: the site and the local Stripe are given the clock of that day."""

    homes: list[Property]
    gateway: Gateway
    control: Control
    base_url: str

    def book(self, count: int) -> Iterator[Booking]:
        """Yield ``count`` confirmed bookings whose balance is due now, each at nights nobody had."""
        nights = self._free_nights(count)
        booked_at = self._noon_before(min(check_in for _, check_in in nights))
        self.control.change_settings(
            clock_offset_seconds=int((booked_at - timezone.now()).total_seconds()), are_webhooks_dropped=True
        )
        try:
            for number, (home, check_in) in enumerate(nights):
                yield self._book_one(number, home, check_in, booked_at)
        finally:
            self.control.change_settings(clock_offset_seconds=0, are_webhooks_dropped=False)

    def _book_one(self, number: int, home: Property, check_in: date, booked_at: datetime) -> Booking:
        booking = services.hold_stay(
            home=home,
            check_in=check_in,
            check_out=check_in + timedelta(days=_NIGHTS),
            guests=1 + number % home.capacity,
            guest=make_guest(number),
            now=booked_at,
        )
        open_checkout(booking=booking, base_url=self.base_url, gateway=self.gateway, now=booked_at)
        attempt = PaymentAttempt.objects.get(payment__booking=booking, state__in=list(LIVE_STATES))
        self.control.complete_session(attempt.stripe_session_id or "", email=booking.guest_email)
        driver.refresh(attempt=attempt, intent_id="", gateway=self.gateway, now=booked_at)
        self._give_card(number, booking)
        # As if the job of its instant had been lost: it is the scan that finds these balances.
        unschedule(booking=booking)
        return Booking.objects.select_related("quote__home").get(pk=booking.pk)

    def _give_card(self, number: int, booking: Booking) -> None:
        card = _card_for(number)
        if card is not None:
            account = BookingAccount.objects.get(booking=booking)
            self.control.change_card(account.stripe_payment_method_id, card=card)

    def _free_nights(self, count: int) -> list[tuple[Property, date]]:
        """Spread stays over the homes, going back in time from the oldest nights that were ever blocked."""
        per_home = {home: self._stays_back_from_the_oldest(home) for home in self.homes}
        homes = itertools.cycle(self.homes)
        return [(home, next(per_home[home])) for home in itertools.islice(homes, count)]

    def _stays_back_from_the_oldest(self, home: Property) -> Iterator[date]:
        newest = timezone.now().astimezone(home.tz).date() - timedelta(days=3 + _NIGHTS)
        blocked = (
            NightBlock.objects.filter(home=home).order_by("nights").values_list("nights", flat=True).first()
        )
        first = min(newest, blocked.lower - timedelta(days=_NIGHTS)) if blocked else newest
        return (first - timedelta(days=_NIGHTS * step) for step in itertools.count())

    def _noon_before(self, check_in: date) -> datetime:
        return timezone.make_aware(
            datetime.combine(check_in - _BOOKED_AHEAD, datetime.min.time())
        ) + timedelta(hours=12)


def _card_for(number: int) -> str | None:
    if number % _DECLINES_EVERY == _DECLINES_EVERY // 2:
        return _DECLINES
    return _ASKS if number % _ASKS_EVERY == 3 else None


def make_guest(number: int) -> Guest:
    """Return one of a hundred names, with an address nobody has."""
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    last = _LAST_NAMES[number // len(_FIRST_NAMES) % len(_LAST_NAMES)]
    return Guest(name=f"{first} {last}", email=f"huesped{number + 1}@correo.example")
