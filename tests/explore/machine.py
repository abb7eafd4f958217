"""The protocol as a machine: guests, workers, the bank and the network do what they like, in any order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bookings.exceptions import BookingError
from bookings.models import Booking
from payments import services, tasks
from payments.date_changes import change_dates, preview_change
from payments.exceptions import PaymentError
from payments.invariants import checking
from payments.invariants.catalogue import named
from payments.models import BookingAccount, Dispute, PaymentAttempt, Refund
from payments.panels.pay_again import pay_again
from payments.policies import CLOSED_DISPUTES, AttemptState, RefundState
from procrastinate_tasks.actions.reports import Actor
from reyes_estancias.local_stripe.control import ControlRefused
from reyes_estancias.local_stripe.statement import Movement
from tests.explore.workers import Worker
from tests.factories import BASE_URL
from tests.faults.conftest import HouseMaker
from tests.faults.life import Life
from tests.faults.strikes import ANSWERS
from tests.invariants import key_owners

_WORKERS = 3
_BOOKINGS = 3
# What holds between any two steps; the others are about what waits, and hold once all is at rest.
_ALWAYS = ("I2", "I3", "I6", "I8", "I11", "I13", "I14", "I16")
CARDS = (
    "pm_card_visa",
    "pm_card_chargeCustomerFail",
    "pm_card_chargeDeclinedInsufficientFunds",
    "pm_card_authenticationRequired",
    "pm_card_refundFail",
    "pm_card_pendingRefund",
    "pm_card_settlesLater",
    "pm_card_neverSettles",
)
TURNS: dict[str, Callable[[], object]] = {
    "janitor": tasks.resolve_unfinished_payments,
    "scan": tasks.scan_and_charge_balances,
    "unfinished": tasks.defer_unfinished_work,
    "night": tasks.reconcile_with_stripe,
}

a_booking = st.integers(0, _BOOKINGS - 1)
a_worker = st.integers(0, _WORKERS - 1)
a_card = st.sampled_from(CARDS)


class Exploration(RuleBasedStateMachine):
    """One house; ``houses`` opens it with empty tables."""

    def __init__(self, houses: HouseMaker) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.house = self._stack.enter_context(houses())
        self.life = Life(self.house, random.Random(0))  # noqa: S311
        self.workers: dict[int, Worker] = {}
        self.bookings: list[Booking] = []

    # --- Guests ---------------------------------------------------------------------------------------------

    @initialize(days=st.integers(2, 30))
    def begin(self, days: int) -> None:
        self.hold(days=days)

    @precondition(lambda self: len(self.bookings) < _BOOKINGS)
    @rule(days=st.integers(2, 30))
    def hold(self, days: int) -> None:
        arrival = (self.house.now + timedelta(days=days)).date()
        self.bookings.append(self.house.hold(check_in=arrival, nights=4))

    @rule(number=a_booking)
    def open_page(self, number: int) -> None:
        self._ask(
            number,
            lambda booking: services.open_checkout(
                booking=booking, base_url=BASE_URL, gateway=self.house.gateway, now=self.house.now
            ),
        )

    @rule(number=a_booking, card=a_card)
    def pay_page(self, number: int, card: str) -> None:
        """Pay the page that is open, whatever the site knows of it by now."""
        with suppress(ControlRefused):
            for attempt in self._attempts(number).filter(state=AttemptState.OPEN):
                self.house.control.complete_session(attempt.stripe_session_id or "", card=card)

    @rule(number=a_booking)
    def cancel(self, number: int) -> None:
        self._ask(
            number,
            lambda booking: services.request_cancellation(
                booking=booking, base_url=BASE_URL, now=self.house.now
            ),
        )

    @rule(number=a_booking, nights=st.integers(2, 5), later=st.integers(-1, 3))
    def ask_for_dates(self, number: int, nights: int, later: int) -> None:
        def change(booking: Booking) -> object:
            check_in = booking.quote.nights.lower + timedelta(days=later)
            dates = {"check_in": check_in, "check_out": check_in + timedelta(days=nights)}
            charge = preview_change(booking=booking, **dates, now=self.house.now).money.charge_minor
            return change_dates(
                booking=booking, **dates, base_url=BASE_URL, agreed_charge_minor=charge, now=self.house.now
            )

        self._ask(number, change)

    # --- The bank and Stripe's dashboard --------------------------------------------------------------------

    @rule(number=a_booking, card=a_card)
    def change_card(self, number: int, card: str) -> None:
        accounts = BookingAccount.objects.filter(booking__in=self._chosen(number))
        for account in accounts.exclude(stripe_payment_method_id=""):
            with suppress(ControlRefused):
                self.house.control.change_card(account.stripe_payment_method_id, card=card)

    @rule(number=a_booking, share=st.integers(1, 4))
    def refund_by_hand(self, number: int, share: int) -> None:
        with suppress(ControlRefused):
            for attempt in self._attempts(number).filter(state=AttemptState.SUCCEEDED)[:1]:
                self.house.control.refund_by_hand(
                    attempt.stripe_intent_id or "", amount=attempt.amount_minor // share
                )

    @rule(number=a_booking, is_inquiry=st.booleans())
    def dispute(self, number: int, is_inquiry: bool) -> None:
        with suppress(ControlRefused):
            for attempt in self._attempts(number).filter(state=AttemptState.SUCCEEDED)[:1]:
                self.house.control.open_dispute(attempt.stripe_intent_id or "", is_inquiry=is_inquiry)

    @rule(status=st.sampled_from(("won", "lost", "warning_closed")))
    def close_dispute(self, status: str) -> None:
        for dispute in Dispute.objects.exclude(status__in=CLOSED_DISPUTES)[:1]:
            with suppress(ControlRefused):
                self.house.control.close_dispute(dispute.stripe_dispute_id, status=status)

    @rule()
    def send_refund_back(self) -> None:
        for refund in Refund.objects.filter(state=RefundState.SUCCEEDED)[:1]:
            with suppress(ControlRefused):
                self.house.control.fail_refund(refund.stripe_refund_id or "")

    # --- Staff ----------------------------------------------------------------------------------------------

    @rule()
    def pay_refund_again(self) -> None:
        for refund in Refund.objects.filter(state=RefundState.FAILED)[:1]:
            with suppress(PaymentError):
                pay_again(refund_id=refund.pk, actor=Actor(name="Ana"))

    # --- Time and the network -------------------------------------------------------------------------------

    @rule(minutes=st.sampled_from((1, 2, 5, 16, 36, 6 * 60, 25 * 60)))
    def pass_time(self, minutes: int) -> None:
        self.house.wait(minutes=minutes)

    @rule(number=a_booking)
    def fall_due(self, number: int) -> None:
        for booking in self._chosen(number):
            if booking.balance_due_at > self.house.now:
                self.house.wait_until(booking.balance_due_at)

    @rule(events=st.sampled_from(("sent", "lost", "doubled", "reversed")))
    def tell_events(self, events: str) -> None:
        self.life.events = events
        self.life.tell_events()

    # --- Workers --------------------------------------------------------------------------------------------

    @rule(number=a_worker, turn=st.sampled_from(("jobs", *TURNS)))
    def start(self, number: int, turn: str) -> None:
        if number not in self._at_work():
            self.workers[number] = Worker(self.house, TURNS.get(turn, self.house.run_jobs))

    @precondition(lambda self: self._at_work())
    @rule(number=a_worker, steps=st.integers(1, 6))
    def step(self, number: int, steps: int) -> None:
        for _ in range(steps):
            if worker := self._at_work().get(number):
                worker.step()

    @precondition(lambda self: self._at_work())
    @rule(number=a_worker, kind=st.sampled_from(ANSWERS))
    def answer_badly(self, number: int, kind: object) -> None:
        if worker := self._at_work().get(number):
            worker.answer_badly(kind)  # type: ignore[arg-type]

    @precondition(lambda self: self._at_work())
    @rule(number=a_worker, before_commit=st.booleans(), are_lost=st.booleans())
    def kill(self, number: int, before_commit: bool, are_lost: bool) -> None:
        """Kill a worker; the jobs of those who only stand still are taken from them too."""
        if worker := self._at_work().get(number):
            worker.die(before_commit=before_commit)
            self.life.are_jobs_lost = are_lost
            self.life.deaths += 1
            self.life.leave_jobs()

    @precondition(lambda self: self._at_work())
    @rule()
    def finish(self) -> None:
        for worker in self._at_work().values():
            worker.finish()

    # --- What must hold -------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_charged_twice(self) -> None:
        owners = key_owners()
        charged = Counter(
            owners[line.metadata["attempt"]].payment_id
            for line in self.house.stripe.statement()
            if line.kind is Movement.CHARGE
        )
        assert all(count == 1 for count in charged.values()), charged

    @invariant()
    def rows_agree(self) -> None:
        broken = [
            each for each in checking.check(now=self.house.now, invariants=named(_ALWAYS)) if not each.holds
        ]
        assert not broken, [f"{each.invariant.name}: {each.rows or each.problem}" for each in broken]

    def teardown(self) -> None:
        """Let everybody finish and days pass; then everything must hold."""
        try:
            for worker in self._at_work().values():
                worker.finish()
            self.life.leave_jobs()
            self.life.events = "sent"
            self.life.drain()
            self.life.assert_all_holds()
        finally:
            self._stack.close()

    # --- Who and what ---------------------------------------------------------------------------------------

    def _at_work(self) -> dict[int, Worker]:
        return {number: worker for number, worker in self.workers.items() if worker.is_at_work}

    def _chosen(self, number: int) -> list[Booking]:
        return [Booking.objects.get(pk=each.pk) for each in self.bookings[number : number + 1]]

    def _attempts(self, number: int):
        return PaymentAttempt.objects.filter(payment__booking__in=self._chosen(number)).order_by("-pk")

    def _ask(self, number: int, ask: Callable[[Booking], object]) -> None:
        for booking in self._chosen(number):
            with suppress(PaymentError, BookingError):
                ask(booking)
