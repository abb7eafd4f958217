"""A house with a past and a future: stays in every state, made through the site's own services."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from bookings import services
from bookings import tasks as booking_tasks
from bookings.models import Booking, NightBlock, Property
from payments import driver, tasks, webhooks
from payments.date_changes import change_dates
from payments.gateway import Gateway
from payments.models import GuestEmail, PaymentAttempt, Refund
from payments.policies import LIVE_STATES
from payments.services import open_checkout, request_cancellation
from reyes_estancias.demo.stays import Booker, make_guest
from reyes_estancias.local_stripe.control import OPENER, Control
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.webhooks import sign, write_payload

_NIGHTS = 4
_GAP = 3
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Historian:
    """Fills the homes' calendars; the local Stripe at ``control`` takes the money."""

    homes: list[Property]
    gateway: Gateway
    control: Control
    base_url: str

    def live(self, stays: int) -> Iterator[str]:
        """Make that many stays. Yields what was made, step by step."""
        past = self._book_past(stays // 2)
        yield f"{len(past)} past stays, most of their balances charged"
        future = self._book_future(stays - len(past))
        yield f"{len(future)} stays to come: confirmed, held, cancelled, moved"
        yield f"{self._hear_of_events()} Stripe events"
        self._send_emails()
        yield booking_tasks.mark_expired_bookings()
        yield booking_tasks.mark_expired_holds()

    def _book_past(self, count: int) -> list[Booking]:
        booker = Booker(homes=self.homes, gateway=self.gateway, control=self.control, base_url=self.base_url)
        past = list(booker.book(count)) if count else []
        for number, booking in enumerate(past):
            if number % 8:  # The rest is left for the scan to find.
                tasks.charge_balance_for_booking(booking.pk, self.base_url)
        return past

    def _book_future(self, count: int) -> list[Booking]:
        fates: tuple[Callable[[Booking], None], ...] = (
            self._pay,
            self._pay,
            self._pay,
            self._open_page,
            self._pay_and_move,
            self._pay_and_cancel,
            self._pay,
            self._leave,
        )
        future = []
        for number, (home, check_in) in enumerate(self._nights_to_come(count)):
            fate = fates[number % len(fates)]
            held_at = timezone.now() - (timedelta(hours=2) if fate == self._leave else timedelta(0))
            booking = services.hold_stay(
                home=home,
                check_in=check_in,
                check_out=check_in + timedelta(days=_NIGHTS),
                guests=1 + number % home.capacity,
                guest=make_guest(500 + number),
                now=held_at,
            )
            fate(booking)
            future.append(booking)
        return future

    def _leave(self, booking: Booking) -> None:
        """Nobody pays, and the time runs out."""

    def _open_page(self, booking: Booking) -> None:
        open_checkout(booking=booking, base_url=self.base_url, gateway=self.gateway, now=timezone.now())

    def _pay(self, booking: Booking) -> None:
        self._open_page(booking)
        attempt = PaymentAttempt.objects.get(payment__booking=booking, state__in=list(LIVE_STATES))
        self.control.complete_session(attempt.stripe_session_id or "", email=booking.guest_email)
        driver.refresh(attempt=attempt, intent_id="", gateway=self.gateway, now=timezone.now())

    def _pay_and_move(self, booking: Booking) -> None:
        self._pay(booking)
        nights = booking.quote
        change_dates(
            booking=booking,
            check_in=nights.check_in + timedelta(days=1),
            check_out=nights.check_out,
            base_url=self.base_url,
            now=timezone.now(),
        )
        self._pay_refunds(booking)

    def _pay_and_cancel(self, booking: Booking) -> None:
        self._pay(booking)
        request_cancellation(booking=booking, base_url=self.base_url, now=timezone.now())
        tasks.settle_cancellation(booking.pk, self.base_url)
        self._pay_refunds(booking)

    def _pay_refunds(self, booking: Booking) -> None:
        for refund in Refund.objects.filter(attempt__payment__booking=booking):
            tasks.refund_payment(refund.pk)

    def _nights_to_come(self, count: int) -> Iterator[tuple[Property, date]]:
        """Spread stays over the homes, going on from the last nights that were ever blocked."""
        next_free = {home.pk: self._first_free(home) for home in self.homes}
        for number in range(count):
            home = self.homes[number % len(self.homes)]
            check_in = next_free[home.pk]
            next_free[home.pk] = check_in + timedelta(days=_NIGHTS + number % _GAP)
            yield home, check_in

    def _first_free(self, home: Property) -> date:
        soon = timezone.now().astimezone(home.tz).date() + timedelta(days=1)
        last = NightBlock.objects.filter(home=home).order_by("nights").last()
        return max(soon, last.nights.upper) if last else soon

    def _hear_of_events(self) -> int:
        """Take in what Stripe would have told; most of it is applied, the latest waits. Returns how many."""
        events = list(self._events())
        now = timezone.now()
        for number, event in enumerate(events):
            payload = write_payload(event)
            signature = sign(
                payload, secret=settings.STRIPE_WEBHOOK_SECRETS[0], timestamp=int(now.timestamp())
            )
            webhooks.receive_event(payload=payload, signature=signature, gateway=self.gateway, now=now)
            if number > len(events) // 20:
                tasks.apply_stripe_event(event["id"])
        return len(events)

    def _events(self) -> Iterator[Document]:
        """Ask for everything that happened, the newest first."""
        after = ""
        while True:
            page = self._read(f"/v1/events?limit={_PAGE}{after}")
            yield from page["data"]
            if not page["has_more"]:
                return
            after = f"&starting_after={page['data'][-1]['id']}"

    def _read(self, path: str) -> Document:
        request = urllib.request.Request(  # noqa: S310 - the address is ours
            self.control.base_url + path,
            headers={"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}"},
        )
        with OPENER.open(request, timeout=10) as response:
            answer: Document = json.load(response)
        return answer

    def _send_emails(self) -> None:
        """Mark most e-mails as sent: nobody is written to."""
        written = GuestEmail.objects.filter(sent_at=None)
        newest = list(written.order_by("-pk").values_list("pk", flat=True)[:5])
        written.exclude(pk__in=newest).update(sent_at=F("created_at") + timedelta(seconds=3))
