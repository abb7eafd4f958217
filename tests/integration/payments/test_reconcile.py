"""Every night Stripe's lists and our rows are compared, both ways, without any help of webhooks."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction
from django.utils import timezone

from payments import tasks
from payments.exceptions import OutcomeUnknown
from payments.ledger import mismatches
from payments.ledger.mismatches import Mismatch
from payments.models import LedgerTransfer, PaymentAttempt, ReconciliationBreak, Refund
from payments.policies import AttemptState, BreakKind, RefundState
from payments.protocols.reconcile import reconcile
from payments.services import request_cancellation
from payments.stripe_gateway import StripeGateway
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL
from tests.house import CONFIRM_INTENT, House, account_of, live_attempt
from tests.stripe_transport import LocalStripe, make_local_stripe

pytestmark = pytest.mark.django_db


def test_what_agrees_is_compared_and_leaves_no_trace(house: House):
    house.charge(house.book_due())

    assert tasks.reconcile_with_stripe() == "compared=1 repaired=0 open=0"


def test_money_that_no_webhook_and_no_janitor_told_us_of_is_recorded_in_the_night(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT, count=2)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    assert live_attempt(booking).state == AttemptState.UNKNOWN

    assert tasks.reconcile_with_stripe() == "compared=1 repaired=1 open=0"

    assert account_of(booking).due_minor == 0


def test_a_charge_that_is_under_way_is_left_to_the_janitor(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_BEFORE, path=CONFIRM_INTENT, count=2)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)

    assert tasks.reconcile_with_stripe() == "compared=1 repaired=0 open=0"


def test_a_refund_that_came_back_weeks_later_is_noticed_without_a_webhook(house: House):
    booking = house.book()
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()
    refund = Refund.objects.get()
    assert refund.state == RefundState.SUCCEEDED
    house.wait(days=20)
    house.control.fail_refund(refund.stripe_refund_id or "")

    assert tasks.reconcile_with_stripe().endswith("repaired=1 open=0")

    refund.refresh_from_db()
    assert refund.state == RefundState.FAILED
    assert LedgerTransfer.objects.filter(source_type="refund_failure", booking=booking).count() == 1


@pytest.fixture
def stripe_alone() -> LocalStripe:
    """A Stripe on which somebody works by hand; its statement is nobody's of ours."""
    alone = make_local_stripe()
    alone.clock.now = timezone.now().timestamp()
    return alone


def compare(stripe: LocalStripe) -> int:
    gateway = StripeGateway(client=stripe.client, webhook_secrets=[])
    return reconcile(gateway=gateway, now=timezone.now()).open_breaks


def charge_by_hand(stripe: LocalStripe) -> str:
    intents = stripe.client.v1.payment_intents
    made = intents.create({"amount": 5_000, "currency": "mxn", "allowed_payment_method_types": ["card"]})
    return intents.confirm(made.id, {"payment_method": "pm_card_visa"}).id


def test_money_taken_and_paid_back_by_hand_at_stripe_waits_for_an_explanation(stripe_alone: LocalStripe):
    intent_id = charge_by_hand(stripe_alone)
    stripe_alone.client.v1.refunds.create({"payment_intent": intent_id, "amount": 2_000})

    assert compare(stripe_alone) == 2
    assert compare(stripe_alone) == 2, "a second night finds the same two"

    charge = ReconciliationBreak.objects.get(kind=BreakKind.FOREIGN_CHARGE)
    assert (charge.stripe_id, charge.theirs) == (intent_id, "succeeded 50.00")
    assert ReconciliationBreak.objects.get(kind=BreakKind.FOREIGN_REFUND).theirs == "succeeded 20.00"


def test_a_difference_that_was_explained_stays_closed(stripe_alone: LocalStripe):
    charge_by_hand(stripe_alone)
    compare(stripe_alone)
    (found,) = ReconciliationBreak.objects.all()

    assert mismatches.close(break_id=found.pk, by="Ana", explanation="sold at the door", now=timezone.now())
    assert not mismatches.close(break_id=found.pk, by="Eva", explanation="another", now=timezone.now())

    assert compare(stripe_alone) == 0
    found.refresh_from_db()
    assert found.closed_by == "Ana"


def test_a_difference_that_was_gone_and_comes_back_is_open_again(house: House):
    difference = Mismatch(
        kind=BreakKind.REFUND_DIFFERS, stripe_id="re_1", ours="submitted 1.00", theirs="failed 1.00"
    )
    mismatches.keep(difference, now=house.now)
    mismatches.close_agreed(stripe_id="re_1", now=house.now)
    assert mismatches.count_open() == 0

    mismatches.keep(difference, now=house.now)

    assert mismatches.count_open() == 1


def test_a_capture_that_stripe_does_not_know_is_a_difference(house: House, stripe_alone: LocalStripe):
    house.charge(house.book_due())

    assert compare(stripe_alone) == 1, "the deposit was taken more than a week ago"

    found = ReconciliationBreak.objects.first()
    assert found is not None
    assert (found.kind, found.theirs) == (BreakKind.CHARGE_DIFFERS, "unknown")
    assert set(ReconciliationBreak.objects.values_list("booking_id", flat=True)) == {
        PaymentAttempt.objects.latest("pk").payment.booking_id
    }
    assert tasks.reconcile_with_stripe().endswith("open=0"), "asked at the right Stripe, both agree again"


def test_the_database_keeps_no_closed_difference_without_a_name_and_an_explanation(
    stripe_alone: LocalStripe,
):
    charge_by_hand(stripe_alone)
    compare(stripe_alone)
    row = ReconciliationBreak.objects.all()

    for half in ({"closed_by": "Ana"}, {"explanation": "sold"}, {}):
        with pytest.raises(IntegrityError, match="payments_closed_break_is_explained"), transaction.atomic():
            row.update(closed_at=timezone.now(), **half)
    with pytest.raises(ValueError, match="a name and an explanation"):
        mismatches.close(break_id=row.get().pk, by=" ", explanation="sold", now=timezone.now())


def test_staff_close_a_difference_with_an_explanation_and_only_with_one(client, stripe_alone: LocalStripe):
    charge_by_hand(stripe_alone)
    compare(stripe_alone)
    found = ReconciliationBreak.objects.get()
    page = f"/admin/payments/reconciliationbreak/{found.pk}/change/"
    client.force_login(User.objects.create_superuser("rosa"))

    refused = client.post(page, {"explanation": ""})
    assert refused.status_code == 200
    assert "Este campo es obligatorio." in refused.content.decode()

    assert client.post(page, {"explanation": "vendido en la puerta"}).status_code == 302
    found.refresh_from_db()
    assert (found.closed_by, found.explanation) == ("rosa", "vendido en la puerta")
    assert client.post(page, {"explanation": "otra"}).status_code == 403, "a closed one stays as it is"


def test_staff_who_may_only_look_close_nothing(client, stripe_alone: LocalStripe):
    charge_by_hand(stripe_alone)
    compare(stripe_alone)
    found = ReconciliationBreak.objects.get()
    reader = User.objects.create_user("eva", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_reconciliationbreak"))
    client.force_login(reader)
    page = f"/admin/payments/reconciliationbreak/{found.pk}/change/"

    assert client.get(page).status_code == 200
    assert client.post(page, {"explanation": "vendido"}).status_code == 403
