"""A database that has forgotten commits, restored from a backup or failed over, charges nobody again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from bookings.models import Booking, BookingStatus
from payments import memory, monitoring, tasks, unexplained
from payments.exceptions import CollectionLocked, MemoryLost, OtherAccount, TransientFault
from payments.ledger import mismatches
from payments.models import (
    BookingAccount,
    GuestEmail,
    Payment,
    PaymentAttempt,
    ReconciliationBreak,
    Refund,
    StripeEvent,
    StripeMemory,
)
from payments.policies import AttemptState, BreakKind, PaymentKind, PaymentStatus
from payments.protocols import stripe_event
from payments.protocols.memory import Guard, compare
from payments.services import request_cancellation
from payments.stripe_gateway import StripeGateway
from procrastinate_tasks.models import QueueRule
from procrastinate_tasks.monitoring.snapshot import take_snapshot
from procrastinate_tasks.queues import pauses
from reyes_estancias.local_stripe.faults import FaultKind
from reyes_estancias.local_stripe.statement import Movement
from tests.factories import BASE_URL, balance_of
from tests.house import CREATE_INTENT, CREATE_REFUND, CREATE_SESSION, House, account_of, live_attempt
from tests.integration.constraints import check_deferred_rules
from tests.stripe_transport import make_local_stripe

pytestmark = pytest.mark.django_db


@contextmanager
def forgotten() -> Iterator[None]:
    """Lose whatever is committed inside; what was done at Stripe stays done."""
    with transaction.atomic():
        yield
        check_deferred_rules()
        transaction.set_rollback(True)


def charged(house: House) -> list[int]:
    """Return every sum the bank took, whatever we know of it."""
    return [line.amount for line in house.control.statement() if line.kind is Movement.CHARGE]


def rebuild(*, apply: bool = True) -> str:
    said = StringIO()
    call_command("rebuild_from_stripe", *(["--apply"] if apply else []), stdout=said)
    return said.getvalue()


@pytest.fixture
def unbalanced(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house whose bank knows of money that its rows will never explain: a person has to."""
    monkeypatch.setattr(House, "assert_invariants", lambda house: None)
    return house


# --- Before a first confirm --------------------------------------------------------------------------------


def test_a_balance_that_was_paid_and_forgotten_is_not_charged_again(house: House):
    booking = house.book_due()
    with forgotten():
        assert house.charge(booking) == "succeeded"

    assert house.charge(booking) == "locked"

    assert charged(house) == [booking.quote.deposit_minor, booking.quote.balance_minor]
    kept = ReconciliationBreak.objects.get(kind=BreakKind.FOREIGN_CHARGE)
    assert (kept.booking, kept.closed_at) == (booking, None)
    assert balance_of(booking).status == PaymentStatus.PENDING
    assert house.charge(booking) == "locked"
    rebuild()
    assert house.charge(booking) == "already_paid"


def test_a_booking_is_charged_once_a_person_has_explained_what_locked_it(house: House):
    booking = house.book_due()
    by_hand = house.stripe.client.v1.payment_intents.create(
        {
            "amount": 50_000,
            "currency": "mxn",
            "customer": account_of(booking).stripe_customer_id,
            "payment_method": account_of(booking).stripe_payment_method_id,
            "allowed_payment_method_types": ["card"],
        }
    )
    assert house.charge(booking) == "locked"
    kept = ReconciliationBreak.objects.get(stripe_id=by_hand.id)

    mismatches.close(break_id=kept.pk, by="Ana", explanation="For broken glasses.", now=house.now)

    assert house.charge(booking) == "succeeded"
    house.stripe.client.v1.payment_intents.cancel(by_hand.id)


def test_a_page_that_was_opened_and_forgotten_stops_the_charge(house: House):
    booking = house.book_due(card="pm_card_chargeCustomerFail")
    house.charge(booking)
    with forgotten():
        house.open_page(booking)

    with pytest.raises(CollectionLocked):
        house.open_page(booking)

    assert ReconciliationBreak.objects.get().booking == booking
    rebuild()


def test_an_attempt_of_an_older_release_repeats_the_request_it_was_made_with(house: House):
    """An idempotency key refuses another request than its first: older attempts named themselves alone."""
    hold = house.hold()
    house.arm(FaultKind.RESET_BEFORE, path=CREATE_SESSION)
    with pytest.raises(TransientFault):
        house.open_page(hold)
    PaymentAttempt.objects.update(protocol_version=1)

    house.open_page(hold)

    (session,) = house.stripe.core.store.rows("checkout.session")
    assert set(session["metadata"]) == {"attempt"}


# --- Where nothing is in doubt -----------------------------------------------------------------------------


def lists(house: House) -> int:
    """Count how often intents were listed: of a customer before a charge, of all at a comparison."""
    return house.calls("GET").count("payment_intents")


def load_again() -> None:
    """Do to the tables what loading a backup does: the rows are as they were, in new files."""
    known = StripeMemory.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE payments_stripememory")
    known.save(force_insert=True)


def test_a_charge_by_rows_that_were_compared_lists_nothing(house: House):
    booking = house.book_due()
    compare(gateway=house.gateway, now=house.now)
    before = lists(house)

    assert house.charge(booking) == "succeeded"

    assert lists(house) == before


def test_a_charge_by_rows_that_may_have_been_restored_since_lists_first(house: House):
    booking = house.book_due()
    compare(gateway=house.gateway, now=house.now)
    with forgotten():
        assert house.charge(booking) == "succeeded"
    load_again()

    assert house.charge(booking) == "locked"

    assert charged(house) == [booking.quote.deposit_minor, booking.quote.balance_minor]
    rebuild()


def test_a_charge_that_is_resumed_lists_first_as_its_key_may_be_forgotten(house: House):
    booking = house.book_due()
    compare(gateway=house.gateway, now=house.now)
    house.arm(FaultKind.RESET_AFTER, path=CREATE_INTENT)
    with pytest.raises(TransientFault):
        house.charge(booking)
    before = lists(house)

    assert house.charge(booking) == "succeeded"

    assert lists(house) == before + 1
    assert house.charges(booking) == [booking.quote.balance_minor]


@pytest.mark.parametrize("path", [CREATE_INTENT, CREATE_SESSION, CREATE_REFUND])
def test_what_could_not_be_read_is_compared_again_and_leaves_charges_in_doubt(house: House, path: str):
    booking = house.book_due()
    compare(gateway=house.gateway, now=house.now)
    compared_at = house.now
    house.wait(minutes=5)
    house.arm(FaultKind.RENAMED, path=path, method="GET")

    compare(gateway=house.gateway, now=house.now)

    assert StripeMemory.objects.get().compared_at == compared_at
    assert not memory.is_sure()
    before = lists(house)
    assert house.charge(booking) == "succeeded"
    assert lists(house) == before + 1
    compare(gateway=house.gateway, now=house.now)
    assert memory.is_sure()


def test_a_worker_that_goes_on_over_a_restore_compares_before_its_next_task(house: House):
    booking = house.book_due()
    guard = Guard()
    guard.require(now=house.now)
    with forgotten():
        house.charge(booking)
    guard.require(now=house.now)
    load_again()

    with pytest.raises(MemoryLost):
        guard.require(now=house.now)

    rebuild()
    guard.require(now=house.now)


def test_a_restore_in_the_middle_of_a_comparison_is_not_taken_for_compared(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    house.book_due()
    compare(gateway=house.gateway, now=house.now)
    before = StripeMemory.objects.get().compared_at
    house.wait(minutes=5)
    list_unknown = unexplained.list_unknown

    def list_while_restored(**asked: Any) -> unexplained.Unknown:
        found = list_unknown(**asked)
        load_again()
        return found

    monkeypatch.setattr(unexplained, "list_unknown", list_while_restored)
    with pytest.raises(MemoryLost):
        compare(gateway=house.gateway, now=house.now)

    assert StripeMemory.objects.get().compared_at == before
    assert not memory.is_sure()


# --- Events and the night ----------------------------------------------------------------------------------


@pytest.fixture
def by_hand(house: House) -> Callable[[Booking], str]:
    """Charge a booking's card as somebody does on Stripe's own pages, and return the intent."""

    def charge(booking: Booking) -> str:
        account = account_of(booking)
        intent = house.stripe.client.v1.payment_intents.create(
            {
                "amount": 50_000,
                "currency": "mxn",
                "customer": account.stripe_customer_id,
                "payment_method": account.stripe_payment_method_id,
                "allowed_payment_method_types": ["card"],
                "confirm": True,
            }
        )
        return intent.id

    return charge


def test_an_event_about_a_customer_of_ours_without_an_attempt_locks_the_booking(
    unbalanced: House, by_hand: Callable[[Booking], str]
):
    house, booking = unbalanced, unbalanced.book_due()
    intent_id = by_hand(booking)

    for event in [each for each in house.events() if each["data"]["object"]["id"] == intent_id]:
        house.post_event(event)
        stripe_event.apply_stripe_event(event_id=event["id"], gateway=house.gateway, now=house.now)

    assert ReconciliationBreak.objects.get().booking == booking
    assert not StripeEvent.objects.filter(state=StripeEvent.State.IGNORED).exists()
    assert house.charge(booking) == "locked"


def test_the_night_locks_a_booking_whose_customer_was_charged_by_hand(
    unbalanced: House, by_hand: Callable[[Booking], str]
):
    house, booking = unbalanced, unbalanced.book_due()
    by_hand(booking)

    tasks.reconcile_with_stripe()

    assert house.charge(booking) == "locked"


def test_an_event_about_a_stranger_is_ignored(house: House):
    house.book_due()
    stranger = house.stripe.client.v1.payment_intents.create({"amount": 5_000, "currency": "mxn"})

    house.deliver_events()

    assert not ReconciliationBreak.objects.exists()
    assert StripeEvent.objects.get(object_id=stranger.id).state == StripeEvent.State.IGNORED
    house.stripe.client.v1.payment_intents.cancel(stranger.id)


# --- The comparison ----------------------------------------------------------------------------------------


def test_a_site_that_never_asked_stripe_anything_has_nothing_to_compare(house: House):
    compare(gateway=house.gateway, now=house.now)

    known = StripeMemory.objects.get()
    assert known.account_id.startswith("acct_")
    assert known.compared_at == house.now


def test_what_stripe_knows_and_we_do_not_locks_all_charging(house: House):
    booking, other = house.book_due(), house.book_due()
    guard = Guard()
    guard.require(now=house.now)
    with forgotten():
        house.charge(booking)

    with pytest.raises(MemoryLost):
        compare(gateway=house.gateway, now=house.now)

    assert QueueRule.objects.get(queue_name="payments").paused_at is not None
    with pytest.raises(TransientFault):
        house.charge(other)
    with pytest.raises(MemoryLost):
        guard.require(now=house.now)
    rebuild()
    assert house.charge(other) == "succeeded"


def test_a_lost_hold_that_was_paid_locks_charging_and_is_flagged(unbalanced: House):
    house = unbalanced
    house.book()
    with forgotten():
        lost = house.book()

    with pytest.raises(MemoryLost):
        compare(gateway=house.gateway, now=house.now)
    assert lost.folio in rebuild()

    kept = ReconciliationBreak.objects.get()
    assert kept.booking is None
    assert lost.folio in kept.theirs
    compare(gateway=house.gateway, now=house.now)


def test_webhooks_that_never_came_lock_nothing(house: House):
    house.charge(house.book_due())
    house.wait(days=2)

    compare(gateway=house.gateway, now=house.now)

    assert not memory.is_locked()


def test_no_payment_page_is_opened_while_charging_is_locked(house: House):
    hold = house.hold()
    memory.lock(unknown=1, now=house.now)

    with pytest.raises(CollectionLocked):
        house.open_page(hold)

    memory.unlock()
    house.open_page(hold)


def test_what_is_compared_is_compared_for_an_hour_and_each_process_looks_at_its_account(house: House):
    guard = Guard()
    house.book()
    accounts = lambda: house.calls("GET").count("account")  # noqa: E731

    guard.require(now=house.now)
    guard.require(now=house.now)
    assert (accounts(), lists(house)) == (1, 1)

    Guard().require(now=house.now)
    assert (accounts(), lists(house)) == (2, 1)

    house.wait(minutes=61)
    guard.require(now=house.now)
    Guard().require(now=house.now)
    assert (accounts(), lists(house)) == (4, 2)


# --- The account -------------------------------------------------------------------------------------------


def test_a_key_of_another_account_pauses_charging_and_fails_nobody(house: House):
    booking = house.book_due()
    compare(gateway=house.gateway, now=house.now)
    with pytest.raises(OtherAccount):
        compare(gateway=_gateway_of_another_account(), now=house.now)

    assert QueueRule.objects.get(queue_name="payments").paused_at is not None
    assert balance_of(booking).status == PaymentStatus.PENDING
    pauses.resume_queue(queue="payments")
    assert house.charge(booking) == "succeeded"


def test_a_key_of_another_account_is_noticed_before_the_account_was_ever_written_down(house: House):
    house.book_due()

    with pytest.raises(OtherAccount):
        compare(gateway=_gateway_of_another_account(), now=house.now)

    assert not StripeMemory.objects.exclude(account_id="").exists()
    pauses.resume_queue(queue="payments")


def _gateway_of_another_account() -> StripeGateway:
    other = make_local_stripe()
    other.core.store.seed = "another account"
    return StripeGateway(client=other.client, webhook_secrets=[])


# --- Rebuilding --------------------------------------------------------------------------------------------


def test_a_dry_run_shows_and_changes_nothing(house: House):
    booking = house.book_due()
    with forgotten():
        house.charge(booking)
    before = PaymentAttempt.objects.count()

    said = rebuild(apply=False)

    assert booking.folio in said
    assert PaymentAttempt.objects.count() == before
    rebuild()


def test_a_forgotten_balance_is_paid_again_in_our_rows(house: House):
    booking = house.book_due()
    with forgotten():
        house.charge(booking)

    rebuild()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert account_of(booking).due_minor == 0
    assert house.charge(booking) == "already_paid"
    assert not ReconciliationBreak.objects.filter(closed_at__isnull=True).exists()


def test_a_forgotten_deposit_and_its_balance_confirm_and_settle_the_booking(house: House):
    hold = house.hold()
    with forgotten():
        house.open_page(hold)
        house.pay_page(hold)
        house.deliver_events()
        house.wait_until(hold.balance_due_at)
        house.charge(hold)

    rebuild()

    booking = Booking.objects.get(pk=hold.pk)
    assert booking.status == BookingStatus.CONFIRMED
    assert booking.settled_at is not None
    assert charged(house) == [booking.quote.deposit_minor, booking.quote.balance_minor]


def receipts(booking: Booking) -> list[str]:
    """Return what was sent about money of a booking that was taken, by the ids of the messages."""
    ids = [str(sent.extra_headers["Message-ID"]) for sent in mail.outbox]
    of_booking = [each for each in ids if str(booking.public_id) in each]
    return [each for each in of_booking if each.startswith(("<confirmed.", "<receipt."))]


def test_what_is_rebuilt_sends_no_receipt_a_second_time(house: House):
    hold = house.hold()
    with forgotten():
        house.open_page(hold)
        house.pay_page(hold)
        house.deliver_events()
        house.run_jobs()
        house.wait_until(hold.balance_due_at)
        house.charge(hold)
        house.run_jobs()
    told = receipts(hold)
    assert len(told) == 2

    rebuild()
    house.run_jobs()

    assert Booking.objects.get(pk=hold.pk).settled_at is not None
    assert receipts(hold) == told


def test_a_rebuild_that_dies_before_it_reads_the_intent_again_sends_no_second_receipt(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book_due()
    house.run_jobs_of("emails")
    with forgotten():
        house.charge(booking)
        house.run_jobs()
    told = receipts(booking)
    with monkeypatch.context() as patched:
        patched.setattr("payments.driver.refresh", _die)
        with pytest.raises(KeyboardInterrupt):
            rebuild()
    assert balance_of(booking).status != PaymentStatus.PAID

    house.wait(minutes=5)
    rebuild()
    house.run_janitor()
    house.run_jobs()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert receipts(booking) == told


def _die(**_anything: Any) -> None:
    raise KeyboardInterrupt


def test_money_that_was_still_on_its_way_is_receipted_when_it_comes(house: House):
    booking = house.book_due(card="pm_card_settlesLater")
    house.run_jobs_of("emails")
    with forgotten():
        assert house.charge(booking) == "processing"
    told = receipts(booking)

    rebuild()
    house.wait(days=6)
    house.come_to_rest()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert len(receipts(booking)) == len(told) + 1


def test_an_attempt_that_ended_after_the_copy_makes_room_for_the_one_that_won(house: House):
    booking = house.book_due(card="pm_card_chargeCustomerFail")
    house.charge(booking)
    house.open_page(booking)
    assert live_attempt(booking).state == AttemptState.OPEN
    house.run_jobs()
    with forgotten():
        house.wait(minutes=40)
        house.run_janitor()
        house.open_page(booking)
        house.pay_page(booking)
        house.deliver_events()
        assert balance_of(booking).status == PaymentStatus.PAID

    rebuild()

    assert balance_of(booking).status == PaymentStatus.PAID


def test_a_forgotten_page_is_closed(house: House):
    hold = house.hold()
    with forgotten():
        house.open_page(hold)

    rebuild()

    (session,) = house.stripe.core.store.rows("checkout.session")
    assert session["status"] == "expired"
    assert charged(house) == []


def test_a_forgotten_refund_is_booked_and_its_booking_waits_for_a_person(house: House):
    booking = house.book()
    house.run_jobs()
    with forgotten():
        request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
        house.run_jobs()

    rebuild()

    assert Refund.objects.get().amount_minor == booking.quote.deposit_minor
    assert account_of(booking).paid_minor == 0
    house.wait_until(booking.balance_due_at)
    assert house.charge(booking) == "locked"


def test_what_does_not_fit_the_rows_locks_its_booking(unbalanced: House):
    house = unbalanced
    booking = house.book_due()
    with forgotten():
        house.charge(booking)
    Payment.objects.filter(pk=balance_of(booking).pk).update(amount_minor=1_000)

    rebuild()

    assert house.charge(booking) == "locked"
    assert len(charged(house)) == 2
    assert ReconciliationBreak.objects.get().booking == booking


def test_a_command_that_cannot_reach_stripe_says_so_and_stays_locked(house: House):
    memory.lock(unknown=1, now=house.now)
    house.arm_everything_unavailable()

    with pytest.raises(CommandError):
        rebuild()

    assert memory.is_locked()


def test_each_kind_of_payment_names_itself_at_stripe(house: House):
    booking = house.book_due()
    house.charge(booking)

    marks = {
        (intent["metadata"]["booking"], intent["metadata"]["payment"])
        for intent in house.stripe.core.store.rows("payment_intent")
    }

    assert marks == {
        (booking.public_id.hex, f"{kind}:1") for kind in (PaymentKind.DEPOSIT, PaymentKind.BALANCE)
    }


# --- Customers ---------------------------------------------------------------------------------------------


def test_a_customer_whom_stripe_never_knew_is_our_fault_and_mails_nobody(house: House):
    booking = house.book_due()
    known = account_of(booking).stripe_customer_id
    BookingAccount.objects.filter(booking=booking).update(stripe_customer_id="cus_of_another_account")

    assert house.charge(booking) == "locked"

    assert balance_of(booking).status == PaymentStatus.PENDING
    assert not GuestEmail.objects.filter(kind=GuestEmail.Kind.PAYMENT_LINK).exists()
    kept = ReconciliationBreak.objects.get()
    BookingAccount.objects.filter(booking=booking).update(stripe_customer_id=known)
    mismatches.close(break_id=kept.pk, by="Ana", explanation="A wrong row, mended.", now=house.now)
    assert house.charge(booking) == "succeeded"


def test_a_guest_is_asked_once_a_person_has_said_that_their_customer_is_gone(house: House):
    booking = house.book_due()
    BookingAccount.objects.filter(booking=booking).update(stripe_customer_id="cus_that_never_was")
    house.charge(booking)

    kept = ReconciliationBreak.objects.get()
    mismatches.close(break_id=kept.pk, by="Ana", explanation="Nobody knows.", now=house.now)

    assert house.charge(booking) == "missing_method"
    assert GuestEmail.objects.filter(kind=GuestEmail.Kind.PAYMENT_LINK).count() == 1


# --- Staff -------------------------------------------------------------------------------------------------


def test_staff_are_told_that_charging_is_locked_and_how_to_go_on(house: House):
    (rule,) = [each for each in monitoring.ALERT_RULES if each.name == "charging_locked"]
    snapshot = take_snapshot()
    assert list(rule.find(snapshot)) == []

    memory.lock(unknown=2, now=house.now)

    assert len(list(rule.find(snapshot))) == 1
    memory.unlock()
