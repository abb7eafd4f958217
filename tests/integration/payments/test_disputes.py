"""A cardholder disputes a charge: nothing is collected, nothing disputed is refunded, the ledger knows."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from django.db import transaction

from bookings.models import Booking
from payments import tasks
from payments.exceptions import OutcomeUnknown
from payments.gateway import DisputeMovement
from payments.ledger import disputes, locking, refunds
from payments.models import Dispute, GuestEmail, LedgerTransfer, Refund, StripeEvent
from payments.policies import AttemptState, DisputeStatus, PaymentStatus, RefundState
from payments.queries import paid_for
from payments.services import request_cancellation
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of
from tests.house import CONFIRM_INTENT, House, account_of, last_attempt

OF_THE_BALANCE = ["scan", "exact job", "by hand"]


def deposit_intent(booking: Booking) -> str:
    return booking.payments.get(kind="deposit").attempts.get(state="succeeded").stripe_intent_id or ""


def dispute(house: House, booking: Booking, **options: object) -> str:
    """Let the cardholder dispute the deposit, and tell the site."""
    dispute_id = house.control.open_dispute(deposit_intent(booking), **options)  # type: ignore[arg-type]
    house.deliver_events()
    return dispute_id


def close(house: House, dispute_id: str, status: str) -> None:
    house.control.close_dispute(dispute_id, status=status)
    house.deliver_events()


def cancel(house: House, booking: Booking) -> None:
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()


def disputed(booking: Booking) -> tuple[int, int]:
    account = account_of(booking)
    return account.disputed_minor, account.lost_minor


@pytest.mark.parametrize("told_by", ["event", "night"])
def test_a_dispute_is_a_row_with_its_due_date_and_its_money_is_held(house: House, told_by: str):
    booking = house.book()
    house.control.open_dispute(deposit_intent(booking))

    if told_by == "event":
        house.deliver_events()
    else:
        tasks.reconcile_with_stripe()

    row = Dispute.objects.get()
    assert (row.status, row.amount_minor, row.withheld_minor) == (
        "needs_response",
        booking.quote.deposit_minor,
        booking.quote.deposit_minor,
    )
    assert row.due_by is not None
    assert (row.due_by - house.now).days == 9
    assert disputed(booking) == (booking.quote.deposit_minor, 0)


@pytest.mark.parametrize("by", OF_THE_BALANCE)
@pytest.mark.parametrize("is_inquiry", [False, True], ids=["chargeback", "inquiry"])
def test_the_balance_of_a_disputed_booking_is_not_charged(house: House, by: str, is_inquiry: bool):
    booking = house.book()
    dispute(house, booking, is_inquiry=is_inquiry)

    house.wait_until(booking.balance_due_at)
    if by == "scan":
        assert tasks.scan_and_charge_balances() == "enqueued=0"
    elif by == "exact job":
        house.run_jobs()
    else:
        assert house.charge(booking) == "disputed"

    assert house.charges(booking) == []
    assert balance_of(booking).status == PaymentStatus.PENDING


def test_a_charge_under_way_is_not_confirmed_by_the_janitor_once_the_deposit_is_disputed(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_BEFORE, path=CONFIRM_INTENT, count=2)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)

    dispute(house, booking)
    house.wait(minutes=2)
    house.run_janitor()

    assert house.charges(booking) == []
    assert last_attempt(balance_of(booking)).state == AttemptState.CANCELED


@pytest.mark.parametrize(("is_inquiry", "end"), [(False, "won"), (True, "warning_closed")])
def test_collection_goes_on_when_the_cardholder_was_wrong(house: House, is_inquiry: bool, end: str):
    booking = house.book()
    dispute_id = dispute(house, booking, is_inquiry=is_inquiry)
    house.wait_until(booking.balance_due_at)
    house.run_jobs()

    close(house, dispute_id, end)
    tasks.scan_and_charge_balances()
    house.run_jobs()

    assert house.charges(booking) == [booking.quote.balance_minor]
    assert disputed(booking) == (0, 0)


def test_a_booking_whose_dispute_is_lost_is_never_collected_from_again(house: House):
    booking = house.book()
    close(house, dispute(house, booking), "lost")

    house.wait_until(booking.balance_due_at)
    tasks.scan_and_charge_balances()
    house.run_jobs()

    assert house.charges(booking) == []
    assert disputed(booking) == (0, booking.quote.deposit_minor)
    assert paid_for(booking) == 0


@pytest.mark.parametrize(("end", "account"), [("won", (0, 0)), ("lost", (0, 1))])
def test_a_dispute_of_more_than_was_charged_is_booked_whole(house: House, end: str, account: tuple[int, int]):
    booking = house.book()
    more = booking.quote.deposit_minor + 12_345
    dispute_id = dispute(house, booking, amount=more)
    assert disputed(booking) == (more, 0)
    house.assert_invariants()

    close(house, dispute_id, end)
    tasks.reconcile_with_stripe()

    assert disputed(booking) == tuple(share * more for share in account)
    house.assert_invariants()


@pytest.mark.parametrize(
    ("end", "is_inquiry"),
    [
        *[(end, False) for end in ("open", "won", "lost")],
        ("open", True),
        # Each end is there without an inquiry, and an inquiry without: both are minutes of orders.
        *[pytest.param(end, True, marks=pytest.mark.slow) for end in ("won", "lost")],
    ],
)
def test_the_ledger_moves_once_in_every_order_of_events(house: House, end: str, is_inquiry: bool):
    booking = house.book()
    house.run_jobs()
    before = len(house.events())
    dispute_id = house.control.open_dispute(deposit_intent(booking), is_inquiry=is_inquiry)
    if is_inquiry:
        house.control.escalate_dispute(dispute_id)
    if end != "open":
        house.control.close_dispute(dispute_id, status=end)
    events = house.events()[before:]
    orders = list(permutations(events))

    for order in orders:
        with transaction.atomic():
            for event in [*order, order[0] | {"id": "evt_again"}]:
                assert house.post_event(event) == 200
            house.run_jobs()
            posted = LedgerTransfer.objects.filter(source_type__startswith="dispute")
            assert posted.count() == {"open": 1, "won": 2, "lost": 2}[end]
            assert not StripeEvent.objects.exclude(state="applied").exists()
            house.assert_invariants()
            transaction.set_rollback(True)

    assert len(orders) >= 2
    house.deliver_events()


def test_each_state_on_the_way_is_recorded_and_an_older_one_changes_nothing(house: House):
    booking = house.book()
    dispute_id = dispute(house, booking, is_inquiry=True)
    seen = [Dispute.objects.get().status]
    assert disputed(booking) == (0, 0)
    house.control.escalate_dispute(dispute_id)
    house.deliver_events()
    seen.append(Dispute.objects.get().status)
    house.control.submit_evidence(dispute_id)
    house.deliver_events()
    seen.append(Dispute.objects.get().status)
    close(house, dispute_id, "won")
    seen.append(Dispute.objects.get().status)

    assert seen == ["warning_needs_response", "needs_response", "under_review", "won"]


def test_disputed_money_is_not_refunded_and_stays_owed_until_the_dispute_is_won(house: House):
    booking = house.book()
    dispute_id = dispute(house, booking)
    cancel(house, booking)

    refund = Refund.objects.get()
    assert (refund.state, refund.failure) == (RefundState.FAILED, "charge_disputed")
    assert house.refunds(booking) == []
    assert not GuestEmail.objects.filter(kind="refund_failed").exists()

    close(house, dispute_id, "won")
    refunds.replace_refund(refund_id=refund.pk)
    house.run_jobs()
    assert house.refunds(booking) == [booking.quote.deposit_minor]
    assert house.taken(booking) == 0


def test_what_a_lost_dispute_gave_back_is_not_owed_any_more(house: House):
    booking = house.book()
    dispute_id = dispute(house, booking)
    cancel(house, booking)

    close(house, dispute_id, "lost")

    assert Refund.objects.get().state == RefundState.VOID
    assert (account_of(booking).refunding_minor, account_of(booking).due_minor) == (0, 0)
    assert house.taken(booking) == 0


def test_a_refund_that_waits_when_its_charge_is_disputed_ends_as_refused_and_not_as_unknown(house: House):
    """Nobody has told us of the dispute: Stripe's refusal is the news."""
    booking = house.book()
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    tasks.settle_cancellation(booking.pk, BASE_URL)
    house.control.open_dispute(deposit_intent(booking))

    assert house.run_jobs().failed == 0

    refund = Refund.objects.get()
    assert (refund.state, refund.failure) == (RefundState.FAILED, "charge_disputed")
    assert Dispute.objects.get().status == DisputeStatus.NEEDS_RESPONSE


def test_the_other_charge_of_a_disputed_booking_can_be_refunded(house: House):
    booking = house.book_due()
    house.charge(booking)
    dispute(house, booking)

    with locking.locked_booking(booking.pk) as locked:
        refunds.request_refund(booking=locked, amount_minor=1_000, reason="test", now=house.now)
    house.run_jobs()

    assert house.refunds(booking) == [1_000]


def test_an_inquiry_can_be_ended_by_refunding_the_charge(house: House):
    booking = house.book()
    dispute(house, booking, is_inquiry=True)

    cancel(house, booking)
    house.deliver_events()

    assert house.taken(booking) == 0
    assert Dispute.objects.get().status == DisputeStatus.WARNING_CLOSED


def test_the_card_of_stripes_tests_that_disputes_at_once_is_recorded_though_the_charge_is_news_too(
    house: House,
):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking, card="pm_card_createDispute")

    for event in reversed(house.events()):
        house.post_event(event)
    house.run_jobs()

    assert Dispute.objects.get().attempt.payment.booking_id == booking.pk
    assert disputed(booking) == (booking.quote.deposit_minor, 0)


def test_a_part_of_a_charge_can_be_disputed_and_lost_and_the_rest_is_still_owed_to_the_guest(house: House):
    booking = house.book()
    deposit = booking.quote.deposit_minor
    dispute_id = dispute(house, booking, amount=100_000)
    cancel(house, booking)
    assert Refund.objects.get().amount_minor == deposit

    close(house, dispute_id, "lost")

    assert Refund.objects.get(state=RefundState.FAILED).amount_minor == deposit - 100_000
    assert account_of(booking).refunding_minor == deposit - 100_000


@pytest.mark.parametrize("status", [DisputeStatus.APPEAL_NEEDS_RESPONSE, DisputeStatus.WON])
def test_what_an_appeal_puts_in_doubt_or_wins_is_owed_to_the_guest_of_a_cancelled_stay_again(
    house: House, status: DisputeStatus
):
    booking = house.book()
    dispute_id = dispute(house, booking)
    cancel(house, booking)
    close(house, dispute_id, "lost")
    row, deposit = Dispute.objects.get(), booking.quote.deposit_minor
    lost = house.gateway.retrieve_dispute(dispute_id)
    back = (
        [DisputeMovement(id="txn_back", amount_minor=deposit, currency="mxn")]
        if status == DisputeStatus.WON
        else []
    )
    later = replace(lost, status=status, movements=(*lost.movements, *back))

    with transaction.atomic():  # the local Stripe knows no appeals
        for _ in range(2):
            disputes.record_dispute(attempt_id=row.attempt_id, answer=later, now=house.now)
        held = 0 if status == DisputeStatus.WON else deposit
        assert disputed(booking) == (held, 0)
        assert Refund.objects.get(state=RefundState.FAILED).amount_minor == deposit
        assert account_of(booking).refunding_minor == deposit
        transaction.set_rollback(True)
