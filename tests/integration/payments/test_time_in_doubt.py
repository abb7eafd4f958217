"""How long money stays in doubt without a webhook: bad answers cost seconds, and nothing hangs on one job."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection

from bookings.models import Booking
from payments import driver, look_times, policies
from payments.exceptions import ChargingPaused, GatewayBusy, KeyReused, OutcomeUnknown
from payments.gateway import Intent, IntentRequest
from payments.ledger import looks, outcomes
from payments.models import PaymentAttempt, Refund
from payments.policies import AttemptState, PaymentStatus, RefundState
from payments.services import request_cancellation
from procrastinate_tasks import pause_queue, resume_queue
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of
from tests.house import (
    CONFIRM_INTENT,
    CREATE_INTENT,
    CREATE_REFUND,
    CREATE_SESSION,
    House,
    last_attempt,
    live_attempt,
)

RETRIEVE_INTENT = f"{CREATE_INTENT}/*"
RESOLVE_UNFINISHED = "payments.tasks.resolve_unfinished_payments"
SOON = policies.CHECK_BACKOFF[0]


def turns_waiting() -> list[float]:
    """Return when the janitor has a turn of its own beside its schedule, in seconds since 1970."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM scheduled_at)::float8 FROM procrastinate_jobs"
            " WHERE task_name = %s AND status = 'todo' ORDER BY 1",
            [RESOLVE_UNFINISHED],
        )
        return [at for (at,) in cursor.fetchall()]


def lose_jobs(*, task_name: str | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'failed' WHERE status = 'todo'"
            " AND (task_name = %(name)s OR %(name)s::text IS NULL)",
            {"name": task_name},
        )


def doubt(house: House) -> Booking:
    """Return a booking whose charge got no answer; nothing is left of its job."""
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    lose_jobs(task_name="payments.tasks.charge_balance_for_booking")
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    return booking


def seconds_until_paid(house: House, booking: Booking, *, within: int = 600) -> int:
    """Let time pass second by second, with workers and the schedule of the janitor; return how much did."""
    begun = house.now
    while balance_of(booking).status != PaymentStatus.PAID:
        passed = int((house.now - begun).total_seconds())
        assert passed < within, "it is still in doubt"
        house.wait(seconds=1)
        house.run_jobs()
        if house.now.second == 0:
            house.run_janitor()
    return int((house.now - begun).total_seconds())


@pytest.mark.parametrize("fault", [FaultKind.RESET_AFTER, FaultKind.RATE_LIMITED])
@pytest.mark.parametrize(
    ("path", "method"), [(CREATE_INTENT, "POST"), (CONFIRM_INTENT, "POST"), (RETRIEVE_INTENT, "GET")]
)
def test_after_any_call_that_is_over_the_next_look_is_soon(
    house: House, path: str, method: str, fault: FaultKind
):
    booking = house.book_due()
    if method == "GET":
        house.arm(FaultKind.RATE_LIMITED, path=CONFIRM_INTENT)
        house.run_jobs()
        PaymentAttempt.objects.update(check_at=house.now + policies.DRIVER_LEASE)
        house.wait(seconds=30)
    house.arm(fault, path=path, method=method)

    house.run_jobs()

    assert live_attempt(booking).check_at == house.now + SOON
    assert turns_waiting()[-1] <= (house.now + SOON).timestamp()


def test_a_call_that_ended_as_nobody_expected_is_over_too(house: House):
    booking = house.book_due()
    bug = KeyReused(operation="confirm intent", detail="a bug of ours")

    with mock.patch.object(house.gateway, "confirm_intent", side_effect=bug), pytest.raises(KeyReused):
        house.charge(booking)

    assert live_attempt(booking).check_at == house.now + SOON


def test_a_charge_that_is_not_permitted_now_keeps_no_lease(house: House):
    booking = house.book_due()
    pause_queue(queue="payments", by="Ana", reason="a rehearsal")

    with pytest.raises(ChargingPaused):
        house.charge(booking)

    assert live_attempt(booking).check_at == house.now + SOON
    resume_queue(queue="payments")


def test_a_call_that_is_over_leaves_a_later_one_its_time(house: House):
    booking = house.book_due()
    later = house.now + policies.DRIVER_LEASE + timedelta(seconds=1)
    house.arm(FaultKind.RESET_AFTER, path=CREATE_INTENT)
    create = house.gateway.create_intent

    def create_while_another_begins(request: IntentRequest) -> Intent:
        PaymentAttempt.objects.filter(state=AttemptState.CLAIMED).update(check_at=later)
        return create(request)

    begins = mock.patch.object(house.gateway, "create_intent", create_while_another_begins)
    with begins, pytest.raises(OutcomeUnknown):
        house.charge(booking)

    assert live_attempt(booking).check_at == later
    assert turns_waiting() == []


def test_a_charge_that_ended_while_its_call_was_under_way_is_not_touched(house: House):
    """Another driver was faster: its row is what it is, to the last column."""
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    house.run_jobs()
    attempt = live_attempt(booking)
    other = house.gateway.retrieve_intent

    def answer_late(intent_id: str) -> Intent:
        intent = other(intent_id)
        outcomes.record_intent(attempt_id=attempt.pk, intent=intent, now=house.now)
        raise OutcomeUnknown(operation="retrieve intent", detail="no answer")

    with mock.patch.object(house.gateway, "retrieve_intent", answer_late), pytest.raises(OutcomeUnknown):
        driver.drive(attempt=attempt, gateway=house.gateway, now=house.now + timedelta(seconds=5))

    ended = last_attempt(balance_of(booking))
    assert (ended.state, ended.check_at) == (AttemptState.SUCCEEDED, attempt.check_at)


def test_a_refund_that_got_no_answer_is_looked_at_soon(house: House):
    booking = house.book(check_in=(house.now + timedelta(days=30)).date())
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.arm(FaultKind.UNAVAILABLE, path=CREATE_REFUND)

    house.run_jobs()

    assert Refund.objects.get().check_at == house.now + SOON
    lose_jobs(task_name="payments.tasks.refund_payment")
    house.wait_until(house.now + SOON)
    house.run_jobs()
    assert Refund.objects.get().state == RefundState.SUCCEEDED


def test_a_page_that_got_no_answer_is_found_by_its_age(house: House):
    """It is not asked for again by the janitor: the guest may have gone, and its key may replay a fault."""
    booking = house.hold()
    house.arm(FaultKind.RESET_BEFORE, path=CREATE_SESSION, count=2)
    with pytest.raises(OutcomeUnknown):
        house.open_page(booking)

    assert live_attempt(booking).check_at == house.now + policies.DRIVER_LEASE
    assert turns_waiting() == []


@pytest.mark.parametrize("first", [CREATE_INTENT, CONFIRM_INTENT])
def test_five_bad_answers_leave_no_charge_in_doubt_for_two_minutes(house: House, first: str):
    """Without a webhook, and although the charge's own job is lost."""
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=first)
    house.run_jobs()
    house.arm(FaultKind.UNAVAILABLE, path=f"{CREATE_INTENT}*", method="GET", count=4)
    lose_jobs(task_name="payments.tasks.charge_balance_for_booking")

    assert seconds_until_paid(house, booking) < 120
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_charge_whose_own_job_fails_again_and_again_is_looked_at_all_the_same(house: House):
    """Each run of the job is a call that is over: none of them puts the look off that is due already."""
    booking = house.book_due()
    house.arm(FaultKind.RATE_LIMITED, path=CREATE_INTENT, count=100)
    house.run_jobs()
    lose_jobs(task_name=RESOLVE_UNFINISHED)
    due = live_attempt(booking).check_at

    for _ in range(3):
        house.wait(seconds=10)
        with pytest.raises(GatewayBusy):
            house.charge(booking)

    assert live_attempt(booking).check_at == due


@pytest.mark.parametrize(
    ("next_look", "turn"),
    [
        (timedelta(minutes=-5), look_times.SHORTEST_PAUSE),
        (timedelta(seconds=10), timedelta(seconds=10)),
        (timedelta(seconds=59), policies.LOOK_EVERY),
        (timedelta(seconds=61), None),
    ],
)
def test_the_next_turn_is_for_the_next_look_and_never_far_off(
    house: House, next_look: timedelta, turn: timedelta | None
):
    """A turn that waits for a later look would be in the way of one for what is in doubt by then."""
    doubt(house)
    lose_jobs()
    PaymentAttempt.objects.update(check_at=house.now + next_look)

    with mock.patch.object(looks, "take_attempt", return_value=None):  # somebody has its row locked
        house.run_janitor()

    assert turns_waiting() == ([] if turn is None else [(house.now + turn).timestamp()])


def test_the_turns_in_between_do_not_hang_on_one_job(house: House):
    """The next minute's turn makes new ones, should the one that waits be lost."""
    booking = doubt(house)
    house.arm(FaultKind.UNAVAILABLE, path=f"{CREATE_INTENT}*", method="GET", count=2)
    lose_jobs(task_name=RESOLVE_UNFINISHED)
    assert turns_waiting() == []

    house.wait(minutes=1)
    house.run_janitor()

    assert turns_waiting() == [(house.now + policies.LOOK_EVERY).timestamp()]
    assert seconds_until_paid(house, booking) <= 40


def test_one_turn_waits_for_however_many_doubts_and_none_for_no_doubt(house: House):
    house.run_janitor()
    assert turns_waiting() == []
    bookings = [doubt(house), doubt(house)]
    assert len(turns_waiting()) == 1

    house.wait_until(house.now + SOON)
    house.run_jobs()

    assert [balance_of(booking).status for booking in bookings] == [PaymentStatus.PAID, PaymentStatus.PAID]
    house.wait_until(house.now + SOON)
    house.run_jobs()
    assert turns_waiting() == []


def test_what_is_looked_at_rarely_by_now_makes_no_turns_in_between(house: House):
    booking = doubt(house)
    lose_jobs()
    PaymentAttempt.objects.update(checks=6, check_at=house.now)
    house.arm(FaultKind.UNAVAILABLE, path=f"{CREATE_INTENT}*", method="GET", count=2)

    house.run_janitor()

    assert live_attempt(booking).check_at == house.now + policies.CHECK_BACKOFF[6]
    assert turns_waiting() == []


def test_what_a_newer_release_has_begun_makes_no_turns(house: House):
    booking = doubt(house)
    lose_jobs()
    PaymentAttempt.objects.update(protocol_version=policies.PROTOCOL_VERSION + 1)
    house.wait(minutes=2)

    house.run_janitor()

    assert turns_waiting() == []
    PaymentAttempt.objects.update(protocol_version=policies.PROTOCOL_VERSION)
    assert live_attempt(booking).checks == 0
