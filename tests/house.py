"""The whole house in one process: the site, its queue and the local Stripe, living by one clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from unittest import mock

from django.test import RequestFactory
from django.utils import timezone

from bookings.models import Booking
from payments import clocks, driver, tasks, views
from payments.models import BookingAccount, Payment, PaymentAttempt
from payments.policies import LIVE_STATES, PaymentKind
from payments.services import open_checkout
from payments.stripe_gateway import StripeGateway
from procrastinate_tasks.testing import DrainReport, drain_queue
from reyes_estancias.local_stripe.control import Control, ControlRefused
from reyes_estancias.local_stripe.control_api import answer_control
from reyes_estancias.local_stripe.core import Core, Request
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.faults import Fault, FaultKind
from reyes_estancias.local_stripe.statement import Movement, StatementLine
from reyes_estancias.local_stripe.webhooks import sign, write_payload
from tests.factories import BASE_URL, make_hold
from tests.integration.constraints import check_deferred_rules
from tests.invariants import assert_invariants, key_owners
from tests.stripe_transport import BASE_URL as STRIPE_URL
from tests.stripe_transport import Clock, LocalStripe, make_local_stripe

SECRET = "whsec_today"
OLD_SECRET = "whsec_yesterday"

CREATE_INTENT = "/v1/payment_intents"
CONFIRM_INTENT = "/v1/payment_intents/*/confirm"
CANCEL_INTENT = "/v1/payment_intents/*/cancel"
CREATE_SESSION = "/v1/checkout/sessions"
CREATE_REFUND = "/v1/refunds"


class FrozenClock(Protocol):
    """The clock that freezegun puts in the place of the real one."""

    def move_to(self, target_datetime: datetime) -> None:
        """Make it this late."""


class InProcessControl(Control):
    """The control paths of a local Stripe without a socket."""

    def __init__(self, core: Core, clock: Clock) -> None:
        super().__init__(STRIPE_URL)
        self._core, self._clock = core, clock

    def _ask(self, method: str, path: str, body: Document | None = None) -> Any:
        request = Request(method, f"/_sandbox/{path}", {}, json.dumps(body or {}), self._clock.now)
        answer = answer_control(self._core, request)
        assert answer is not None
        if answer.status >= 400:
            raise ControlRefused(status=answer.status, reason=answer.body)
        return json.loads(answer.body)


@dataclass(slots=True)
class House:
    """What tests do to the site, its guests, its workers and its bank; ``wait`` lets time pass for all."""

    stripe: LocalStripe
    control: Control
    gateway: StripeGateway
    clock: FrozenClock
    delivered: set[str] = field(default_factory=set)

    @property
    def now(self) -> datetime:
        return timezone.now()

    def wait_until(self, instant: datetime) -> None:
        check_deferred_rules()  # what happened until now would have been committed
        self.clock.move_to(instant)
        self.stripe.clock.now = instant.timestamp()

    def wait(self, **duration: float) -> None:
        self.wait_until(self.now + timedelta(**duration))

    # --- Guests -------------------------------------------------------------------------------------------

    def hold(self, **hold: Any) -> Booking:
        return make_hold(now=self.now, **hold)

    def open_page(self, booking: Booking) -> str:
        """Return the address of the page a guest pays on."""
        booking = Booking.objects.get(pk=booking.pk)
        return open_checkout(booking=booking, base_url=BASE_URL, gateway=self.gateway, now=self.now)

    def pay_page(self, booking: Booking, *, card: str = "pm_card_visa") -> None:
        """Pay the booking's open page at the bank; the site is not told."""
        session_id = live_attempt(booking).stripe_session_id
        assert session_id is not None
        self.control.complete_session(session_id, card=card)

    def book(self, *, card: str = "pm_card_visa", **hold: Any) -> Booking:
        """Return a booking whose deposit was paid with a card."""
        booking = self.hold(**hold)
        self.open_page(booking)
        self.pay_page(booking, card=card)
        driver.refresh(attempt=live_attempt(booking), intent_id="", gateway=self.gateway, now=self.now)
        return Booking.objects.get(pk=booking.pk)

    def book_due(self, *, card: str | None = None, **hold: Any) -> Booking:
        """Return a booking whose balance falls due now; the bank treats its saved card like ``card``."""
        booking = self.book(**hold)
        if card is not None:
            self.change_card(booking, card)
        self.wait_until(booking.balance_due_at)
        return booking

    def let_pages_be_looked_at(self) -> None:
        """Let the minute pass after which Stripe is asked about a payment page, webhook or not."""
        self.wait(minutes=1)
        self.run_jobs()

    def change_card(self, booking: Booking, card: str) -> None:
        self.control.change_card(account_of(booking).stripe_payment_method_id, card=card)

    # --- Workers ------------------------------------------------------------------------------------------

    def charge(self, booking: Booking) -> str:
        """Run the charge as somebody in the shell does, and return its answer."""
        return tasks.charge_balance_for_booking(booking.pk, BASE_URL)

    def run_jobs(self) -> DrainReport:
        """Run the jobs whose time has come, and those they defer."""
        return drain_queue()

    def run_jobs_of(self, queue: str) -> DrainReport:
        """Run the jobs of one queue."""
        return drain_queue(queues=[queue])

    def run_janitor(self) -> str:
        return tasks.resolve_unfinished_payments()

    def come_to_rest(self) -> None:
        """Let an hour pass without faults, with the janitor at work."""
        self.control.clear_faults()
        for _ in range(3):
            self.run_jobs()
            self.wait(minutes=20)
            self.run_janitor()
        self.run_jobs()

    # --- Stripe -------------------------------------------------------------------------------------------

    def arm(self, kind: FaultKind, *, path: str, method: str = "POST", **options: Any) -> None:
        self.control.arm_fault(Fault(kind, method=method, path=path, **options))

    def arm_everything_unavailable(self) -> None:
        self.arm(FaultKind.UNAVAILABLE, path="*", method="*", count=100)

    def events(self) -> list[Document]:
        """Return every event so far, oldest first."""
        return self.stripe.core.store.rows("event")

    def post_event(self, event: Document, *, secret: str = SECRET, age: timedelta = timedelta(0)) -> int:
        """Send an event to the site's webhook, and return the status of its answer."""
        payload = write_payload(event)
        stamp = int((self.now - age).timestamp())
        return self.post_webhook(payload, signature=sign(payload, secret=secret, timestamp=stamp))

    def post_webhook(self, payload: bytes, *, signature: str) -> int:
        request = RequestFactory().post(
            "/webhooks/stripe/",
            payload,
            content_type="application/json",
            headers={"Stripe-Signature": signature},
        )
        return views.receive_stripe_event(request).status_code

    def deliver_events(self) -> None:
        """Send the events that were not sent yet, and run their jobs."""
        for event in [event for event in self.events() if event["id"] not in self.delivered]:
            self.delivered.add(event["id"])
            assert self.post_event(event) == 200
        self.run_jobs()

    def lines(self, booking: Booking) -> list[StatementLine]:
        """Return a booking's lines of the cardholder's statement, oldest first."""
        owners = key_owners()
        return [
            line
            for line in self.control.statement()
            if owners[line.metadata["attempt"]].payment.booking_id == booking.pk
        ]

    def charges(self, booking: Booking, kind: PaymentKind = PaymentKind.BALANCE) -> list[int]:
        """Return what the bank took for one kind of payment of a booking, charge by charge."""
        owners = key_owners()
        return [
            line.amount
            for line in self.lines(booking)
            if line.kind is Movement.CHARGE and owners[line.metadata["attempt"]].payment.kind == kind
        ]

    def refunds(self, booking: Booking) -> list[int]:
        return [line.amount for line in self.lines(booking) if line.kind is Movement.REFUND]

    def taken(self, booking: Booking) -> int:
        """Return what the house holds of a guest's money, by the bank statement."""
        return sum(line.taken for line in self.lines(booking))

    def calls(self, method: str = "POST") -> list[str]:
        """Return the paths of the API requests so far, ids replaced by the kind of object."""
        return [without_ids(logged.path) for logged in self.control.requests() if logged.method == method]

    def assert_invariants(self) -> None:
        assert_invariants(client=self.stripe.client, statement=self.control.statement())


@contextmanager
def open_house(clock: FrozenClock) -> Iterator[House]:
    """Yield a house; once its test is over, let it come to rest and check every invariant."""
    with open_house_at_work(clock) as house:
        yield house
        house.come_to_rest()
    house.assert_invariants()


@contextmanager
def open_house_at_work(clock: FrozenClock) -> Iterator[House]:
    """Yield a house, and leave to its test what is checked of it."""
    local_stripe = make_local_stripe()
    local_stripe.clock.now = timezone.now().timestamp()
    house = House(
        stripe=local_stripe,
        control=InProcessControl(local_stripe.core, local_stripe.clock),
        gateway=StripeGateway(client=local_stripe.client, webhook_secrets=[SECRET, OLD_SECRET]),
        clock=clock,
    )
    # Freezegun stops the clocks of this process only.
    with mock.patch.object(clocks, "read_database_clock", timezone.now):
        yield house


def live_attempt(booking: Booking) -> PaymentAttempt:
    return PaymentAttempt.objects.select_related("payment__booking__quote__home").get(
        payment__booking=booking, state__in=list(LIVE_STATES)
    )


def last_attempt(payment: Payment) -> PaymentAttempt:
    return payment.attempts.get(n=payment.attempts.count())


def account_of(booking: Booking) -> BookingAccount:
    return BookingAccount.objects.get(booking=booking)


def without_ids(path: str) -> str:
    """Return an API path with the kinds of its objects in the place of their ids."""
    words = path.removeprefix("/v1/").split("/")
    return "/".join(
        word.partition("_")[0] if "_" in word and word[:3] in _PREFIXES else word for word in words
    )


_PREFIXES = ("pi_", "cs_", "re_", "dp_", "cus", "pm_")
