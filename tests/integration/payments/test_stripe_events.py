"""What Stripe tells the site: any number of times, in any order, late, forged, or never."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from django.db import transaction

from bookings.models import Booking, BookingStatus
from payments import tasks, unfinished, webhooks
from payments.deferred_jobs import APPLY_STRIPE_EVENT, GUEST_WAITS_PRIORITY, unschedule
from payments.exceptions import OutcomeUnknown
from payments.models import GuestEmail, StripeEvent
from payments.policies import AttemptState, PaymentKind, PaymentStatus
from payments.protocols import stripe_event
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.jobs.deferring import cancel
from procrastinate_tasks.models import Job
from procrastinate_tasks.testing import assert_enqueued, refute_enqueued
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.faults import FaultKind
from reyes_estancias.local_stripe.webhooks import sign, write_payload
from tests.factories import balance_of
from tests.house import CANCEL_INTENT, CONFIRM_INTENT, OLD_SECRET, SECRET, House, last_attempt

DECLINED = "pm_card_chargeCustomerFail"
RELEVANT = ("payment_intent.", "checkout.session.", "refund.")


def relevant(events: Iterable[Document]) -> list[Document]:
    return [event for event in events if event["type"].startswith(RELEVANT)]


def apply(house: House, events: Iterable[Document]) -> None:
    for event in events:
        payload = write_payload(event)
        signature = sign(payload, secret=SECRET, timestamp=int(house.now.timestamp()))
        webhooks.receive_event(payload=payload, signature=signature, gateway=house.gateway, now=house.now)
        stripe_event.apply_stripe_event(event_id=event["id"], gateway=house.gateway, now=house.now)


def made_up(house: House, type_: str, subject: dict[str, Any]) -> Document:
    """Return an event of Stripe's making that no local object caused."""
    event = dict(house.events()[-1])
    return {**event, "id": f"evt_{type_}", "type": type_, "data": {"object": subject}}


def test_an_event_is_stored_and_its_job_deferred_in_one_transaction(house: House):
    house.book()
    event = house.events()[-1]

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        house.post_event(event)
        assert_enqueued(tasks.apply_stripe_event, {"event_id": event["id"]})
        _ = 1 / 0

    assert not StripeEvent.objects.exists()
    refute_enqueued(tasks.apply_stripe_event)


def test_what_a_waiting_guest_paid_is_applied_before_balances_are_charged(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)

    for event in house.events():
        house.post_event(event)

    priorities = {event["id"]: 20 if "checkout.session" in event["type"] else 0 for event in house.events()}
    assert set(priorities.values()) == {0, 20}
    for event_id, priority in priorities.items():
        assert assert_enqueued(tasks.apply_stripe_event, {"event_id": event_id}).priority == priority
    assert tasks.CHARGE_PRIORITY < GUEST_WAITS_PRIORITY == 20


@pytest.mark.django_db
@pytest.mark.parametrize(
    "watcher",
    [
        tasks.resolve_unfinished_payments,
        tasks.defer_unfinished_work,
        tasks.scan_and_charge_balances,
        tasks.fetch_missed_events,
        tasks.check_invariants,
    ],
)
def test_what_watches_over_money_waits_for_no_backlog_of_charges(watcher):
    watcher.defer()

    assert assert_enqueued(watcher).priority > GUEST_WAITS_PRIORITY > tasks.CHARGE_PRIORITY


@pytest.mark.parametrize(
    "work",
    [work for work in unfinished.WORK if work.task_name != APPLY_STRIPE_EVENT],
    ids=lambda work: work.name,
)
@pytest.mark.django_db
def test_what_is_found_again_waits_for_no_backlog_of_charges_either(work: unfinished.Work):
    unfinished.defer_again(work, ids=[1])

    assert Job.objects.get(task_name=work.task_name).priority == GUEST_WAITS_PRIORITY


def test_what_a_guest_waits_for_waits_for_no_backlog_of_charges_and_a_receipt_does(house: House):
    house.book_due()
    house.run_jobs()
    emails = Job.objects.filter(task_name="payments.tasks.send_guest_email")
    priorities = dict(emails.values_list("args__email_id", "priority"))
    kinds = {kind: priorities[pk] for pk, kind in GuestEmail.objects.values_list("pk", "kind")}

    assert kinds == {"confirmed": 20, "receipt": 0}


def test_an_event_is_applied_again_though_an_earlier_job_ends_after_that_was_asked_for(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    house.post_event(next(event for event in house.events() if event["type"].startswith("checkout.")))
    event = StripeEvent.objects.get()
    assert cancel(queueing_lock=f"event:{event.pk}"), "as if a worker had claimed it"

    assert webhooks.apply_again(event_id=event.pk, actor=Actor(name="rosa", user_id=None)) is not None
    StripeEvent.objects.update(state=StripeEvent.State.IGNORED)  # the earlier job's end
    house.run_jobs()

    event.refresh_from_db()
    assert event.state == StripeEvent.State.APPLIED


def test_every_event_five_times_has_one_effect(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)

    answers = {house.post_event(event) for _ in range(5) for event in house.events()}
    house.run_jobs()
    again = {house.post_event(event) for event in house.events()}
    house.run_jobs()

    assert answers == again == {200}
    assert StripeEvent.objects.count() == len(house.events())
    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED
    assert booking.transfers.filter(source_type="payment_intent").count() == 1


def test_a_deposit_is_recorded_once_in_every_order_of_its_events(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    orders = list(permutations(relevant(house.events())))

    for order in orders:
        with transaction.atomic():
            apply(house, order)
            booking.refresh_from_db()
            assert booking.status == BookingStatus.CONFIRMED
            house.assert_invariants()
            transaction.set_rollback(True)

    assert len(orders) == 6
    house.deliver_events()


def test_a_charge_whose_answer_was_lost_is_recorded_once_in_every_order_of_its_events(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    before = len(house.events())
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    orders = list(permutations(relevant(house.events()[before:])))

    for order in orders:
        with transaction.atomic():
            apply(house, order)
            assert balance_of(booking).status == PaymentStatus.PAID
            house.assert_invariants()
            transaction.set_rollback(True)

    assert len(orders) == 2


def test_a_decline_and_its_paid_link_end_paid_in_every_order_of_their_events(house: House):
    booking = house.book_due(card=DECLINED)
    before = len(house.events())
    house.charge(booking)
    house.open_page(booking)
    house.pay_page(booking)
    events = relevant(house.events()[before:])
    ended = {"payment_intent.payment_failed", "payment_intent.canceled", "checkout.session.completed"}
    orders = list(permutations(event for event in events if event["type"] in ended))

    for order in orders:
        with transaction.atomic():
            apply(house, order)
            assert balance_of(booking).status == PaymentStatus.PAID
            house.assert_invariants()
            transaction.set_rollback(True)

    assert len(orders) == 6
    house.deliver_events()


def test_a_late_decline_does_not_demote_a_paid_balance(house: House):
    booking = house.book_due(card=DECLINED)
    house.charge(booking)
    late = house.events()[-1:]
    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()

    failed = [event for event in house.events() if event["type"] == "payment_intent.payment_failed"]
    replays = [{**event, "id": f"{event['id']}_again"} for event in [*failed, *late]]
    assert [house.post_event(event) for event in replays] == [200] * len(replays)
    house.run_jobs()

    assert failed
    assert balance_of(booking).status == PaymentStatus.PAID


def test_without_any_event_the_janitor_completes_everything(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    house.wait(minutes=36)
    house.run_janitor()
    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED
    house.wait_until(booking.balance_due_at)
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    house.run_jobs()

    house.wait(minutes=2)
    house.run_janitor()

    assert not StripeEvent.objects.exists()
    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.charges(booking, PaymentKind.DEPOSIT) == [booking.quote.deposit_minor]
    assert house.charges(booking) == [booking.quote.balance_minor]


@pytest.mark.parametrize(
    ("secret", "age", "status"),
    [
        (SECRET, timedelta(0), 200),
        (SECRET, timedelta(minutes=4), 200),
        (OLD_SECRET, timedelta(0), 200),
        ("whsec_somebody_else", timedelta(0), 400),
        (SECRET, timedelta(seconds=300), 200),
        (SECRET, timedelta(seconds=301), 400),
        (SECRET, timedelta(minutes=6), 400),
        (OLD_SECRET, timedelta(minutes=6), 400),
    ],
)
def test_only_a_fresh_signature_under_one_of_our_secrets_is_taken(house: House, secret, age, status):
    house.book()
    event = house.events()[-1]

    assert house.post_event(event, secret=secret, age=age) == status

    assert StripeEvent.objects.exists() == (status == 200)


@pytest.mark.parametrize("signature", ["", "t=abc,v1=", "v1=0000", "t=1,v1=é", "nonsense"])
def test_a_malformed_signature_is_refused_and_nothing_is_stored(house: House, signature: str):
    assert house.post_webhook(b'{"id": "evt_1"}', signature=signature) == 400

    assert not StripeEvent.objects.exists()


@pytest.mark.parametrize(
    ("type_", "subject", "reason"),
    [
        ("charge.succeeded", {"id": "ch_1", "object": "charge"}, "PaymentIntent say the same"),
        ("payment_intent.succeeded", {"id": "pi_foreign", "metadata": {}}, "no attempt of ours"),
        (
            "payment_intent.succeeded",
            {"id": "pi_x", "metadata": {"attempt": "no uuid"}},
            "no attempt of ours",
        ),
        (
            "checkout.session.completed",
            {"id": "cs_foreign", "metadata": {"attempt": "0b0f3f43-5a0c-4f29-9a1c-95d1b9e2f001"}},
            "no attempt of ours",
        ),
        ("refund.updated", {"id": "re_foreign", "metadata": None}, "no such refund"),
        ("charge.refunded", {"id": "ch_2", "payment_intent": None}, "no attempt of ours"),
        ("charge.dispute.created", {"id": "dp_1", "object": "dispute"}, "no such dispute"),
        ("v2.core.event_destination.ping", {"object": "nothing we know"}, "files, reports and tests"),
    ],
)
def test_an_event_that_concerns_no_payment_of_ours_is_kept_and_ignored_with_a_reason(
    house: House, type_: str, subject: dict[str, Any], reason: str
):
    house.book()

    assert house.post_event(made_up(house, type_, subject)) == 200
    assert house.run_jobs().failed == 0

    event = StripeEvent.objects.get()
    assert event.state == StripeEvent.State.IGNORED
    assert reason in event.note
    assert event.payload["data"]["object"] == subject


@pytest.mark.parametrize(
    ("type_", "why"),
    [
        ("radar.early_fraud_warning.created", "suspects fraud"),
        ("payout.failed", "did not reach its bank"),
        ("something.new", "no release knows"),
    ],
)
def test_an_event_that_needs_a_person_is_parked_with_the_reason(house: House, type_: str, why: str):
    house.book()

    house.post_event(made_up(house, type_, {"id": "x_1", "object": "x"}))
    assert house.run_jobs().failed == 0

    event = StripeEvent.objects.get()
    assert event.state == StripeEvent.State.PARKED
    assert why in event.note


def test_an_event_for_an_attempt_that_is_gone_is_ignored_with_a_reason(house: House):
    """A booking is never deleted by the site; a restored backup may be older than Stripe's events."""
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    (event,) = [event for event in house.events() if event["type"] == "checkout.session.completed"]
    metadata = {"attempt": "8d5cf0a8-6d5b-4d0b-8fb0-0e4d7b30aa11"}
    lost = {**event, "id": "evt_lost", "data": {"object": {**event["data"]["object"], "metadata": metadata}}}

    house.post_event(lost)
    house.run_jobs()

    assert StripeEvent.objects.get().note == "no attempt of ours made this object"
    house.deliver_events()


def test_an_event_that_cannot_be_applied_now_stays_received_and_is_applied_later(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    house.arm(FaultKind.UNAVAILABLE, path="*", method="GET", count=50)
    (event,) = [event for event in house.events() if event["type"] == "checkout.session.completed"]
    house.post_event(event)
    assert house.run_jobs().retried == 1
    assert StripeEvent.objects.get().state == StripeEvent.State.RECEIVED

    house.control.clear_faults()
    house.wait(minutes=1)
    house.run_jobs()

    assert StripeEvent.objects.get().state == StripeEvent.State.APPLIED
    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED


def test_an_event_of_a_declined_intent_that_is_not_cancelled_yet_decides_nothing(house: House):
    booking = house.book_due(card=DECLINED)
    house.arm(FaultKind.RESET_BEFORE, path=CANCEL_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    unschedule(booking=booking)

    house.deliver_events()

    assert balance_of(booking).status == PaymentStatus.PROCESSING
    assert last_attempt(balance_of(booking)).state == AttemptState.CONFIRMING
    assert house.charge(booking) == "failed"


def test_an_event_is_worth_what_its_object_is_now_and_not_what_it_says(house: House):
    booking = house.book_due(card=DECLINED)
    house.charge(booking)
    attempt = last_attempt(balance_of(booking))
    subject = {
        "id": attempt.stripe_intent_id,
        "status": "succeeded",
        "metadata": {"attempt": str(attempt.key)},
    }

    house.post_event(made_up(house, "payment_intent.succeeded", subject))
    house.run_jobs()

    attempt.refresh_from_db()
    assert attempt.state == AttemptState.DECLINED
    assert Booking.objects.get(pk=booking.pk).settled_at is None
