"""Events that only name their object: stored, read at Stripe and applied like any other, or parked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bookings.models import Booking, BookingStatus
from payments import tasks
from payments.exceptions import TransientFault
from payments.models import ReconciliationBreak, StripeEvent
from reyes_estancias.local_stripe.faults import FaultKind
from reyes_estancias.local_stripe.webhooks import sign, write_payload
from tests.house import SECRET, House, account_of

pytestmark = pytest.mark.django_db


def post(house: House, body: bytes) -> StripeEvent:
    """Post a signed body to the webhook, and return what was stored of it."""
    known = set(StripeEvent.objects.values_list("pk", flat=True))
    signature = sign(body, secret=SECRET, timestamp=int(house.now.timestamp()))
    assert house.post_webhook(body, signature=signature) == 200
    return StripeEvent.objects.exclude(pk__in=known).get()


def newest(house: House, type_: str) -> dict[str, Any]:
    return [event for event in house.events() if event["type"] == type_][-1]


def tell(house: House, type_: str) -> StripeEvent:
    """Tell the site of the newest event of a type by a thin one, and have it applied."""
    event = post(house, write_payload(newest(house, type_), is_thin=True))
    assert (event.state, event.type) == ("received", f"v1.{type_}")
    tasks.apply_stripe_event(event.pk)
    event.refresh_from_db()
    return event


def test_a_deposit_is_confirmed_by_a_thin_event(house: House):
    hold = house.hold()
    house.open_page(hold)
    house.pay_page(hold)

    event = tell(house, "checkout.session.completed")

    assert event.state == "applied"
    assert abs(event.created_at - house.now).total_seconds() < 60
    assert Booking.objects.get(pk=hold.pk).status == BookingStatus.CONFIRMED


def test_a_dispute_stops_collection_by_a_thin_event(house: House):
    booking = house.book_due()
    deposit = booking.payments.get(kind="deposit").attempts.get()
    house.control.open_dispute(deposit.stripe_intent_id or "")

    assert tell(house, "charge.dispute.created").state == "applied"

    assert deposit.disputes.exists()
    assert house.charge(booking) == "disputed"


def test_a_refund_by_hand_is_booked_by_thin_events(house: House):
    booking = house.book()
    intent_id = booking.payments.get(kind="deposit").attempts.get().stripe_intent_id
    house.control.refund_by_hand(intent_id or "", amount=50_000)

    assert tell(house, "charge.refunded").state == "applied"
    assert tell(house, "refund.created").state == "applied"

    assert account_of(booking).refunded_minor == 50_000


def test_money_that_no_attempt_explains_is_never_ignored(house: House):
    booking = house.book()
    customer = account_of(booking).stripe_customer_id
    made = house.stripe.client.v1.payment_intents.create(
        {"amount": 5_000, "currency": "mxn", "customer": customer}
    )

    assert tell(house, "payment_intent.created").state == "parked"

    assert ReconciliationBreak.objects.get().booking == booking
    house.stripe.client.v1.payment_intents.cancel(made.id)


def test_what_cannot_be_read_now_is_read_later(house: House):
    hold = house.hold()
    house.open_page(hold)
    house.pay_page(hold)
    event = post(house, write_payload(newest(house, "checkout.session.completed"), is_thin=True))
    house.arm(FaultKind.UNAVAILABLE, path="/v1/checkout/sessions/*", method="GET", count=5)

    with pytest.raises(TransientFault):
        tasks.apply_stripe_event(event.pk)

    event.refresh_from_db()
    assert event.state == "received"


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"related_object": None}, "names no object"),
        ({"related_object": {"id": "x_1", "type": "setup_intent", "url": "/v1/x"}}, "objects of this kind"),
        ({"type": "v2.core.account.updated"}, "events of this type"),
    ],
    ids=["of nothing", "of another kind", "of the v2 that nobody knows"],
)
def test_what_nobody_understands_is_a_person_s(house: House, change: dict[str, Any], note: str):
    house.book()
    thin = json.loads(write_payload(newest(house, "payment_intent.succeeded"), is_thin=True))

    event = post(house, json.dumps(thin | change).encode())
    if event.state == "received":
        tasks.apply_stripe_event(event.pk)
        event.refresh_from_db()

    assert event.state == "parked"
    assert note in event.note
