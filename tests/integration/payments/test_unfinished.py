"""What was asked for is found again by its row, whatever became of its job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse

from bookings.models import Booking, BookingStatus
from payments import tasks, unfinished
from payments.exceptions import OutcomeUnknown
from payments.models import GuestEmail, Refund, StripeEvent
from payments.panels.unfinished import tell_unfinished
from payments.policies import RefundState
from payments.protocols import resumption
from payments.services import request_cancellation
from procrastinate_tasks.models import AuditEntry, Job
from procrastinate_tasks.testing import refute_enqueued
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL
from tests.house import CONFIRM_INTENT, House
from tests.integration.payments.test_monitoring import sentences_of

ENDS = ("failed", "cancelled", "aborted")


def end_jobs(task_name: str, status: str = "failed") -> None:
    """Let the jobs of a task end without having done anything, as after two lost workers or by hand."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = %s::procrastinate_job_status"
            " WHERE task_name = %s AND status = 'todo'",
            [status, task_name],
        )
        assert cursor.rowcount == 1


def ask_to_cancel(house: House) -> Booking:
    booking = house.book()
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    return booking


def hear_of_a_payment(house: House) -> Booking:
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    (event,) = [each for each in house.events() if each["type"] == "checkout.session.completed"]
    house.post_event(event)
    return booking


def ask_for_a_refund(house: House) -> Booking:
    booking = ask_to_cancel(house)
    tasks.settle_cancellation(booking.pk, BASE_URL)
    # The janitor, who sends it too, looks away.
    Refund.objects.update(check_at=house.now + timedelta(days=30))
    return booking


def ask_for_an_email(house: House) -> Booking:
    return house.book()


KINDS = [
    (unfinished.CANCELLATIONS, ask_to_cancel),
    (unfinished.EVENTS, hear_of_a_payment),
    (unfinished.REFUNDS, ask_for_a_refund),
    (unfinished.EMAILS, ask_for_an_email),
]
Ask = Callable[[House], Booking]


@pytest.mark.parametrize("status", ENDS)
@pytest.mark.parametrize(("work", "ask"), KINDS)
def test_work_whose_job_has_ended_without_it_is_done_by_another_job(
    house: House, work: unfinished.Work, ask: Ask, status: str
):
    ask(house)
    end_jobs(work.task_name, status)
    assert work.rows().count() == 1

    house.wait(minutes=6)
    tasks.defer_unfinished_work()
    house.run_jobs()

    assert work.rows().count() == 0


@pytest.mark.parametrize(("work", "ask"), KINDS)
def test_work_whose_job_waits_gets_no_second_one(house: House, work: unfinished.Work, ask: Ask):
    ask(house)
    house.wait(minutes=6)

    tasks.defer_unfinished_work()

    assert Job.objects.filter(task_name=work.task_name, status="todo").count() == 1


@pytest.mark.parametrize(("work", "ask"), KINDS)
def test_work_that_was_asked_for_just_now_is_left_to_its_own_job(
    house: House, work: unfinished.Work, ask: Ask
):
    ask(house)
    end_jobs(work.task_name)

    house.wait(minutes=4)
    tasks.defer_unfinished_work()

    refute_enqueued(work.task_name)


def test_what_is_older_than_a_day_is_looked_for_once_an_hour(house: House):
    ask_to_cancel(house)
    end_jobs(unfinished.CANCELLATIONS.task_name)
    house.wait(hours=25, minutes=10)

    tasks.defer_unfinished_work()
    refute_enqueued(unfinished.CANCELLATIONS.task_name)
    house.wait(minutes=50)
    tasks.defer_unfinished_work()
    house.run_jobs()

    assert unfinished.CANCELLATIONS.rows().count() == 0


def test_asking_again_for_a_cancellation_has_it_settled(house: House):
    booking = ask_to_cancel(house)
    end_jobs(unfinished.CANCELLATIONS.task_name)

    is_news = request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()

    assert not is_news
    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLED
    assert house.refunds(booking) == [booking.quote.deposit_minor]
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    refute_enqueued(unfinished.CANCELLATIONS.task_name)


@pytest.mark.parametrize(("work", "ask"), KINDS)
def test_work_that_waits_too_long_is_told_with_the_number_of_its_list(
    house: House, work: unfinished.Work, ask: Ask
):
    ask(house)
    end_jobs(work.task_name)
    house.wait_until(house.now + work.patience - timedelta(seconds=1))
    assert sentences_of(work.name, house.now) == []
    assert not any(
        figure.needs_attention for figure in tell_unfinished().figures if figure.label == work.label
    )

    house.wait(seconds=1)

    (sentence,) = sentences_of(work.name, house.now)
    assert sentence.startswith("1 ")
    panel = tell_unfinished()
    (figure,) = [figure for figure in panel.figures if figure.label == work.label]
    (notice,) = [notice for notice in panel.notices if notice.url == figure.url]
    assert (figure.value, notice.sentence) == ("1", sentence)
    assert rows_of_list(figure.url) == 1


def needing_attention() -> list[str]:
    return [figure.label for figure in tell_unfinished().figures if figure.needs_attention]


def staff() -> Client:
    client = Client()
    users = get_user_model().objects
    client.force_login(
        users.filter(username="rosa").first() or users.create_superuser("rosa", password="rosa")
    )
    return client


def rows_of_list(address: str) -> int:
    response = staff().get(address)
    assert response.status_code == 200
    return int(response.context["cl"].result_count)


def test_a_charge_in_doubt_is_told_with_the_number_of_its_list(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    house.wait(minutes=9)
    assert "Cobros en duda" not in needing_attention()

    house.wait(minutes=2)

    (figure,) = [figure for figure in tell_unfinished().figures if figure.label == "Cobros en duda"]
    assert (figure.value, figure.needs_attention) == ("1", True)
    assert rows_of_list(figure.url) == 1


@pytest.mark.parametrize(("work", "ask"), [kind for kind in KINDS if kind[0] is not unfinished.EVENTS])
def test_the_button_of_the_list_defers_the_jobs_of_chosen_rows_and_writes_that_down(
    house: House, work: unfinished.Work, ask: Ask
):
    ask(house)
    end_jobs(work.task_name)
    (row,) = work.rows()
    choice = {"action": "try_again", "_selected_action": [row.pk]}

    answers = [staff().post(reverse(work.page), choice, follow=True) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert Job.objects.filter(task_name=work.task_name, status="todo").count() == 1
    assert AuditEntry.objects.filter(action="retry", task_name=work.task_name).count() == 1
    house.run_jobs()
    assert work.rows().count() == 0


def test_the_list_leaves_out_what_is_done_and_what_is_young(house: House):
    ask_to_cancel(house)
    house.run_jobs()
    old = ask_to_cancel(house)
    house.wait(hours=1)
    ask_to_cancel(house)
    address = unfinished.find_overdue(unfinished.CANCELLATIONS, now=house.now).address

    assert rows_of_list(address) == 1
    assert list(unfinished.CANCELLATIONS.waiting(until=house.now - timedelta(minutes=30))) == [old]


def test_a_refund_that_failed_at_stripe_is_not_sent_again_by_its_row(house: House):
    ask_for_a_refund(house)
    Refund.objects.update(state=RefundState.FAILED, failure="lost_or_stolen_card")
    end_jobs(unfinished.REFUNDS.task_name)
    house.wait(hours=2)

    tasks.defer_unfinished_work()

    refute_enqueued(unfinished.REFUNDS.task_name)
    Refund.objects.update(state=RefundState.REQUESTED)


def test_a_grace_is_shorter_than_any_patience_but_that_of_events():
    assert unfinished.EVENTS.patience <= resumption.GRACE
    others = [work.patience for work in unfinished.WORK if work is not unfinished.EVENTS]
    assert min(others) > resumption.GRACE


# --- E-mails that are no longer true ----------------------------------------------------------------------


def test_a_link_to_pay_is_dropped_when_the_guest_has_paid_meanwhile(house: House):
    booking = house.book_due(card="pm_card_chargeCustomerFail")
    house.charge(booking)
    house.open_page(booking)
    house.pay_page(booking)
    for event in house.events():
        house.post_event(event)
    for event_id in StripeEvent.objects.values_list("pk", flat=True):
        tasks.apply_stripe_event(event_id)

    house.run_jobs()

    link = GuestEmail.objects.get(kind=GuestEmail.Kind.PAYMENT_LINK)
    assert (link.sent_at, link.dropped_at) == (None, house.now)
    assert not [message for message in mail.outbox if "payment_link" in message.extra_headers["Message-ID"]]
    assert tasks.send_guest_email(link.pk) == "dropped"
    assert GuestEmail.objects.get(pk=link.pk).dropped_at == house.now


@pytest.mark.parametrize("kind", [GuestEmail.Kind.CONFIRMED, GuestEmail.Kind.PAYMENT_LINK])
def test_what_a_cancelled_booking_makes_untrue_is_dropped(house: House, kind: GuestEmail.Kind):
    booking = house.book_due(card="pm_card_chargeCustomerFail")
    house.charge(booking)
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    email = GuestEmail.objects.get(kind=kind)

    assert tasks.send_guest_email(email.pk) == "dropped"


def test_a_receipt_and_a_confirmed_booking_stay_true_after_the_stay(house: House):
    booking = house.book_due()
    house.charge(booking)
    Booking.objects.filter(pk=booking.pk).update(status=BookingStatus.COMPLETED)

    sent = [tasks.send_guest_email(email.pk) for email in GuestEmail.objects.order_by("pk")]

    assert sent == ["sent", "sent"]


def test_a_link_to_pay_waits_while_the_money_is_under_way(house: House):
    booking = house.book_due(card="pm_card_chargeCustomerFail")
    house.charge(booking)
    email = GuestEmail.objects.get(kind=GuestEmail.Kind.PAYMENT_LINK)
    payment = email.payment
    assert payment is not None
    type(payment).objects.filter(pk=payment.pk).update(status="processing")

    assert tasks.send_guest_email(email.pk) == "waits"

    type(payment).objects.filter(pk=payment.pk).update(status="failed")
    assert tasks.send_guest_email(email.pk) == "sent"
