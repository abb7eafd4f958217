"""The protocol as a machine: guests, workers, the bank and the network do what they like, in any order."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from datetime import timedelta

from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bookings.exceptions import BookingError
from bookings.models import Booking
from payments import services, tasks
from payments.date_changes import change_dates, preview_change
from payments.exceptions import PaymentError
from payments.invariants.catalogue import INVARIANTS, named
from payments.models import BookingAccount, Dispute, PaymentAttempt, ReconciliationBreak, Refund
from payments.panels.pay_again import pay_again
from payments.policies import CLOSED_DISPUTES, AttemptState, Channel, RefundState
from procrastinate_tasks.actions.reports import Actor
from reyes_estancias.local_stripe.control import ControlRefused
from reyes_estancias.local_stripe.statement import Movement, StatementLine
from tests.explore.backup import Backup, back_up, restore
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
# What nobody can know any more after a restore waits for a person, and nothing is charged until then.
_FOR_A_PERSON = ("I5", "I18")
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

# What the lives of this process came by: lives in which nothing happens prove nothing.
seen: Counter[tuple[str, str]] = Counter()

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
        self.backup: Backup | None = None
        self.is_restored = False
        # By booking, what its guest had not stopped yet when they cancelled.
        self.permitted: dict[str, set[str | None]] = {}

    # --- Guests ---------------------------------------------------------------------------------------------

    @initialize(days=st.integers(2, 30), standing=st.sampled_from(("held", "booked", "due")))
    def begin(self, days: int, standing: str) -> None:
        """Begin where a life becomes interesting: few would come as far by chance."""
        made: dict[str, Callable[..., Booking]] = {
            "held": self.house.hold,
            "booked": self.house.book,
            "due": self.house.book_due,
        }
        arrival = (self.house.now + timedelta(days=days)).date()
        self.bookings.append(made[standing](check_in=arrival, nights=4))

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
        for booking in self._chosen(number):
            if booking.cancel_requested_at is not None:
                looked_at = self._attempts(number).exclude(
                    state__in=(AttemptState.CLAIMED, AttemptState.CREATED)
                )
                intents = set(looked_at.values_list("stripe_intent_id", flat=True))
                self.permitted.setdefault(booking.public_id.hex, intents)

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

    @precondition(lambda self: self.backup is None)
    @rule()
    def back_up(self) -> None:
        self.backup = back_up()

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore_backup(self) -> None:
        """Kill all workers and go back to the rows of then; Stripe remembers what came since."""
        assert self.backup is not None
        for worker in self._at_work().values():
            worker.die()
        restore(self.backup)
        self.backup, self.is_restored = None, True
        self.permitted.clear()
        self.life.leave_jobs()

    @rule()
    def rebuild(self) -> None:
        """Staff do what the guide says after a restore, once it was one."""
        if self.is_restored:
            with suppress(CommandError):
                call_command("rebuild_from_stripe", "--apply", verbosity=0, stdout=io.StringIO())

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
        """Ask the bank alone: no payment was taken twice, unless the first is lost and staff were told so."""
        charged = Counter(_what(line) for line in self._charges())
        for (booking, payment), count in charged.items():
            if count > 1:
                lost = sum(_what(line) == (booking, payment) for line in self._flagged())
                is_kept_from_the_card = payment.startswith(("balance", "fee"))
                assert count <= (1 if is_kept_from_the_card else 1 + lost), (booking, payment, count)

    @invariant()
    def no_card_is_charged_for_a_cancelled_stay(self) -> None:
        """What was confirmed before a guest cancelled may still be taken, and nothing that was not."""
        late = [
            line.payment_intent
            for line in self._charges()
            if _what(line)[1].startswith("balance")
            and line.payment_intent not in self.permitted.get(_what(line)[0], {line.payment_intent})
        ]
        cards = PaymentAttempt.objects.filter(stripe_intent_id__in=late, channel=Channel.OFF_SESSION)
        assert not late or not cards.exists(), late

    @invariant()
    def rows_agree(self) -> None:
        assert not (broken := self._find_broken(_ALWAYS)), broken

    def teardown(self) -> None:
        """Let everybody finish and days pass; then everything must hold."""
        try:
            for worker in self._at_work().values():
                worker.finish()
            self.life.leave_jobs()
            self.life.events = "sent"
            for _ in range(3):
                self.rebuild()
            self.life.drain()
            self._assert_all_holds()
            self._count()
        finally:
            self._stack.close()

    def _assert_all_holds(self) -> None:
        if not ReconciliationBreak.objects.filter(closed_at=None).exists() or not self.is_restored:
            self.life.assert_all_holds()
            return
        self.nothing_is_charged_twice()
        explained = {*key_owners(), *(line.metadata["attempt"] for line in self._flagged())}
        assert [line for line in self._charges() if line.metadata["attempt"] not in explained] == []
        others = [each.name for each in INVARIANTS if each.name not in _FOR_A_PERSON]
        assert not (broken := self._find_broken(others)), broken

    def _count(self) -> None:
        seen[("lives", "")] += 1
        seen.update((line.kind, _what(line)[1].partition(":")[0]) for line in self.house.stripe.statement())
        seen[("deaths", "")] += self.life.deaths
        seen[("restores", "")] += self.is_restored

    def _find_broken(self, names: Collection[str]) -> list[tuple[str, str, str]]:
        """Ask all of these invariants at once: they are asked after every step."""
        asked = " UNION ALL ".join(
            f"SELECT '{each.name}', what::text, id::text FROM ({each.sql}) {each.name} (what, id)"
            for each in named(names)
        )
        with connection.cursor() as cursor:
            cursor.execute(asked, {"now": self.house.now})
            return list(cursor.fetchall())

    def _charges(self) -> list[StatementLine]:
        return [line for line in self.house.stripe.statement() if line.kind is Movement.CHARGE]

    def _flagged(self) -> list[StatementLine]:
        """Return the charges that are kept as a difference for a person."""
        kept = set(ReconciliationBreak.objects.values_list("stripe_id", flat=True))
        return [line for line in self._charges() if line.payment_intent in kept]

    # --- Who and what ---------------------------------------------------------------------------------------

    def _at_work(self) -> dict[int, Worker]:
        return {number: worker for number, worker in self.workers.items() if worker.is_at_work}

    def _chosen(self, number: int) -> list[Booking]:
        ids = [each.public_id for each in self.bookings[number : number + 1]]
        return list(Booking.objects.filter(public_id__in=ids))

    def _attempts(self, number: int):
        return PaymentAttempt.objects.filter(payment__booking__in=self._chosen(number)).order_by("-pk")

    def _ask(self, number: int, ask: Callable[[Booking], object]) -> None:
        for booking in self._chosen(number):
            with suppress(PaymentError, BookingError):
                ask(booking)


def _what(line: StatementLine) -> tuple[str, str]:
    """Say which payment of which booking a charge was for, by the marks that Stripe keeps."""
    return line.metadata["booking"], line.metadata["payment"]
