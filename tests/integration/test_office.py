"""The office's own pages: a booking on one page, a month of nights, Stripe's events, today's money."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from freezegun import freeze_time

from bookings import services
from bookings.models import Booking, BookingStatus
from bookings.read_only import write_instant
from payments.deferred_jobs import APPLY_STRIPE_EVENT, CHARGE_BALANCE
from payments.ledger import outcomes
from payments.models import GuestEmail, Payment, Refund, StripeEvent
from payments.panels.money_today import read_money_panel, read_money_today
from payments.policies import PaymentKind
from payments.protocols.cancellation import settle_cancellation
from payments.services import request_cancellation
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import AuditEntry, Job
from tests.factories import (
    BASE_URL,
    balance_of,
    make_confirmed_booking,
    make_hold,
    make_intent,
    make_property,
)
from tests.gateways import FakeGateway
from tests.integration.pages import english_words, read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
DECEMBER = date(2026, 12, 1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("rosa", password="x"))
    return client


@pytest.fixture
def booking() -> Booking:
    return make_confirmed_booking(now=NOW, home=make_property(), check_in=DECEMBER)


def staff(*permissions: str) -> Client:
    """Return the browser of somebody who may do just this."""
    user = User.objects.create_user("luis", password="x", is_staff=True)
    for permission in permissions:
        app, _, codename = permission.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


def page_of(booking: Booking) -> str:
    return f"/admin/bookings/booking/{booking.pk}/change/"


def cancel(booking: Booking) -> None:
    request_cancellation(booking=booking, base_url=BASE_URL, now=NOW)
    settle_cancellation(booking_id=booking.pk, base_url=BASE_URL, gateway=FakeGateway(), now=NOW)  # type: ignore[arg-type]


def make_event(object_id: str, *, event_id: str = "evt_1", state: str = "received") -> StripeEvent:
    return StripeEvent.objects.create(
        event_id=event_id,
        type="payment_intent.succeeded",
        object_id=object_id,
        payload={"email": "lucia@correo.example"},
        state=state,
        created_at=NOW,
        received_at=NOW,
    )


def make_attempt_at(payment: Payment):
    return payment.attempts.create(
        n=1,
        channel="off_session",
        amount_minor=payment.amount_minor,
        currency="mxn",
        base_url=BASE_URL,
        check_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )


# --- A booking on one page --------------------------------------------------------------------------------


def test_a_bookings_page_shows_its_money_its_payments_and_its_attempts(office, booking):
    text = read(office.get(page_of(booking)))

    deposit = booking.payments.get(kind=PaymentKind.DEPOSIT)
    assert "Debe $5,336.00 MXN" in text
    assert "Cobrado $1,600.80 MXN" in text
    assert "Falta por pagar $3,735.20 MXN" in text
    assert "Anticipo pagado" in text
    assert "página de pago: completado" in text
    assert deposit.attempts.get().stripe_intent_id in text


def test_a_bookings_page_leads_to_its_jobs_and_tells_why_each_waits(office, booking):
    charge = Job.objects.get(task_name=CHARGE_BALANCE)

    response = office.get(page_of(booking))

    assert f'href="/admin/queue/jobs/{charge.pk}/"' in response.content.decode()
    text = read(response)
    assert f"Cobra el saldo de la reserva {booking.folio}" in text
    assert "Programado" in text
    assert f"/admin/queue/jobs/?q={booking.folio}" in response.content.decode()


def test_a_jobs_page_leads_back_to_its_booking(office, booking):
    charge = Job.objects.get(task_name=CHARGE_BALANCE)

    assert page_of(booking) in office.get(f"/admin/queue/jobs/?q={charge.pk}").content.decode()


def test_the_jobs_of_another_booking_are_not_shown(office, booking):
    other = make_confirmed_booking(now=NOW, home=make_property(), check_in=DECEMBER)

    assert other.folio not in read(office.get(page_of(booking)))


def test_jobs_are_shown_only_to_those_who_may_see_them(booking):
    response = staff("bookings.view_booking").get(page_of(booking))

    assert response.status_code == 200
    assert "/admin/queue/jobs/" not in response.content.decode()
    assert "Cobra el saldo" not in read(response)


def test_a_bookings_page_tells_its_history_in_order(office, booking):
    cancel(booking)
    Refund.objects.update(stripe_refund_id="re_1")
    GuestEmail.objects.update(sent_at=NOW + timedelta(minutes=1))
    make_event("re_1")

    text = read(office.get(page_of(booking))).partition("Qué pasó")[2]

    steps = ("Se apartaron las noches", "Se confirmó la reserva", "Se envió el correo «reserva confirmada»")
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    assert "Se canceló la reserva y se liberaron sus noches" in text
    assert "Se pidió una devolución de $1,600.80 MXN" in text
    assert "Stripe nos avisó: payment_intent.succeeded" in text


def test_what_is_to_come_is_marked(office, booking):
    with freeze_time(NOW):
        text = read(office.get(page_of(booking)))

    assert "Llegada (por venir)" in text
    assert "Vence el saldo (por venir)" in text


def test_a_hold_that_nobody_opened_has_a_page_too(office):
    hold = make_hold(now=NOW)

    assert "Todavía no se paga nada" in read(office.get(page_of(hold)))


def test_a_longer_history_takes_no_more_queries(office, booking):
    def count(target: Booking) -> int:
        with CaptureQueriesContext(connection) as queries:
            office.get(page_of(target))
        return len([query for query in queries if "SAVEPOINT" not in query["sql"]])

    intent_id = booking.payments.get(kind=PaymentKind.DEPOSIT).attempts.get().stripe_intent_id
    make_event(intent_id)
    office.get(page_of(booking))
    short = count(booking)
    for number in range(2, 6):
        make_event(intent_id, event_id=f"evt_{number}")

    assert count(booking) <= short


def test_a_bookings_page_has_no_english_word(office, booking):
    cancel(booking)
    response = office.get(page_of(booking))
    response.content = re.sub(rb'<span class="of-code">.*?</span>|<td.*?</td>', b"", response.content)

    assert english_words(read(response)) <= {"cancellation"}


def test_a_moment_is_told_in_mexico_city_and_in_utc():
    with translation.override("es-mx"):
        written = str(write_instant(datetime(2024, 7, 1, 2, 30, tzinfo=UTC)))

    assert ">30 jun 2024, 20:30<" in written
    assert "America/Mexico_City" in written
    assert "1 jul 2024, 02:30 UTC" in written


# --- A month of nights ------------------------------------------------------------------------------------


def calendar_of(booking: Booking, month: str = "2026-12") -> str:
    return f"/admin/bookings/property/{booking.home.pk}/calendar/?month={month}"


def test_each_night_of_a_stay_leads_to_its_booking_and_the_day_of_departure_is_free(office, booking):
    page = office.get(calendar_of(booking)).content.decode()

    cells = re.findall(r'<td class="of-night of-night-(\w+)( of-arrival)?".*?of-day">(\d+)<', page)
    taken = [(day, bool(is_arrival)) for state, is_arrival, day in cells if state == "booked"]
    assert taken == [("1", True), ("2", False), ("3", False)]
    assert page.count(f'<a href="{page_of(booking)}"><span class="of-day">') == 3
    assert len(cells) == 31
    assert "3 de 31 noches ocupadas" in read(office.get(calendar_of(booking)))


def test_a_stay_over_the_end_of_a_month_is_in_both(office):
    booking = make_confirmed_booking(now=NOW, home=make_property(), check_in=date(2026, 12, 30), nights=4)

    assert "2 de 31 noches" in read(office.get(calendar_of(booking)))
    assert "2 de 31 noches" in read(office.get(calendar_of(booking, "2027-01")))


def test_a_hold_counts_until_its_time_is_over(office):
    hold = make_hold(now=NOW, check_in=DECEMBER)

    with freeze_time(NOW + timedelta(minutes=5)):
        assert office.get(calendar_of(hold)).content.count(b'class="of-night of-night-held') == 3
        assert "3 de 31 noches" in read(office.get(calendar_of(hold)))
    with freeze_time(NOW + timedelta(hours=2)):
        assert "0 de 31 noches" in read(office.get(calendar_of(hold)))


def test_the_calendar_says_its_states_in_words_and_pages_by_month(office, booking):
    response = office.get(calendar_of(booking))

    assert "ocupada" in read(response)
    assert '?month=2026-11" rel="prev"' in response.content.decode()
    assert '?month=2027-01" rel="next"' in response.content.decode()
    assert "<caption>" in response.content.decode()


@pytest.mark.parametrize("month", ["", "x", "2026-13", "2026", "99999-01", "-1"])
def test_a_month_that_is_none_shows_this_month(office, booking, month):
    with freeze_time(NOW):
        assert "Noviembre de 2026" in read(office.get(calendar_of(booking, month)))


@pytest.mark.parametrize("month", ["0001-01", "9999-12"])
def test_the_first_and_the_last_month_of_all_break_nothing(office, booking, month):
    assert office.get(calendar_of(booking, month)).status_code == 200


def test_the_calendar_of_no_property_does_not_exist(office):
    assert office.get("/admin/bookings/property/999999/calendar/").status_code == 404


def test_the_calendar_needs_the_permission_to_see_bookings(booking):
    assert staff("bookings.view_property").get(calendar_of(booking)).status_code == 403


def test_a_calendar_has_no_english_word(office, booking):
    assert english_words(read(office.get(calendar_of(booking)))) == set()


def test_a_months_page_takes_the_same_queries_however_full_it_is(office, booking):
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            office.get(calendar_of(booking))
        return len(queries)

    office.get(calendar_of(booking))
    with_one = count()
    for day in (8, 12, 16):
        make_confirmed_booking(now=NOW, home=booking.home, check_in=date(2026, 12, day))

    assert count() == with_one


# --- Stripe's events --------------------------------------------------------------------------------------

EVENTS = "/admin/payments/stripeevent/"


def test_an_event_leads_to_its_booking_and_to_its_job(office, booking):
    event = make_event(booking.payments.get(kind=PaymentKind.DEPOSIT).attempts.get().stripe_intent_id)
    job_id = defer(APPLY_STRIPE_EVENT, {"event_id": event.pk})

    for address in (EVENTS, f"{EVENTS}{event.pk}/change/"):
        page = office.get(address).content.decode()
        assert page_of(booking) in page
        assert f"/admin/queue/jobs/{job_id}/" in page


def test_events_are_a_page_of_the_job_viewer(office):
    assert EVENTS in office.get("/admin/queue/jobs/").content.decode()


def test_more_events_take_no_more_queries(office, booking):
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            office.get(EVENTS)
        return len(queries)

    intent_id = booking.payments.get(kind=PaymentKind.DEPOSIT).attempts.get().stripe_intent_id
    make_event(intent_id)
    office.get(EVENTS)
    with_one = count()
    for number in range(2, 6):
        make_event(intent_id, event_id=f"evt_{number}")

    assert count() == with_one


def test_an_event_is_applied_again_by_a_new_job_and_that_is_written_down(office):
    event = make_event("pi_1", state="applied")

    response = office.post(f"{EVENTS}{event.pk}/apply-again/", follow=True)

    job = Job.objects.get()
    assert (job.task_name, job.args, job.status) == (
        APPLY_STRIPE_EVENT,
        {"event_id": event.pk, "again": True},
        "todo",
    )
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target_id, entry.outcome) == (
        "rosa",
        "retry",
        str(job.pk),
        "applied",
    )
    assert "se aplica otra vez" in read(response)


def test_a_double_click_applies_an_event_once(office):
    event = make_event("pi_1")

    office.post(f"{EVENTS}{event.pk}/apply-again/")
    again = office.post(f"{EVENTS}{event.pk}/apply-again/", follow=True)

    assert Job.objects.count() == AuditEntry.objects.count() == 1
    assert "su trabajo ya esperaba" in read(again)


def test_several_events_are_applied_again_from_the_list(office):
    for number in range(3):
        make_event("pi_1", event_id=f"evt_{number}")

    office.post(EVENTS, {"action": "apply_again", "_selected_action": ["evt_0", "evt_2"]})

    assert {job.args["event_id"] for job in Job.objects.all()} == {"evt_0", "evt_2"}


def test_who_may_only_look_applies_nothing_and_the_attempt_is_written_down():
    event = make_event("pi_1", state="applied")
    browser = staff("payments.view_stripeevent")

    page = browser.get(f"{EVENTS}{event.pk}/change/").content.decode()
    response = browser.post(f"{EVENTS}{event.pk}/apply-again/")

    assert "apply-again" not in page
    assert response.status_code == 403
    assert not Job.objects.exists()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.outcome, entry.refusal) == ("luis", "refused", "not_permitted")


def test_an_event_is_not_applied_again_by_opening_an_address(office):
    event = make_event("pi_1")

    assert office.get(f"{EVENTS}{event.pk}/apply-again/").status_code == 405


@pytest.mark.parametrize(("about", "count"), [("payment_intent", 1), ("refund", 0), ("other", 0)])
def test_events_are_filtered_by_what_they_are_about(office, about, count):
    make_event("pi_1")

    assert len(office.get(f"{EVENTS}?about={about}").context["cl"].result_list) == count


# --- Today in money ---------------------------------------------------------------------------------------


def due_on(day: datetime) -> Booking:
    """Return a booking whose balance falls due at that instant."""
    booking = make_confirmed_booking(now=NOW, home=make_property(), check_in=(day - timedelta(days=2)).date())
    Booking.objects.filter(pk=booking.pk).update(
        balance_due_at=day, arrival_at=day - timedelta(days=2), departure_at=day + timedelta(days=1)
    )
    return booking


def test_the_money_of_a_day_is_that_of_mexico_city():
    midnight = datetime(2026, 12, 10, 6, tzinfo=UTC)
    due_on(midnight - timedelta(seconds=1))
    due_on(midnight)
    due_on(midnight + timedelta(days=1) - timedelta(seconds=1))
    due_on(midnight + timedelta(days=1))

    money = read_money_today(now=midnight + timedelta(hours=12))

    assert (money.due.count, money.due.minor) == (2, 2 * 373_520)


def test_balances_are_told_by_what_became_of_them():
    noon = datetime(2026, 12, 10, 18, tzinfo=UTC)
    paid, _waiting, _late = due_on(noon), due_on(noon + timedelta(hours=1)), due_on(noon - timedelta(hours=5))
    declined = due_on(noon)
    Payment.objects.filter(pk=balance_of(declined).pk).update(status="failed")
    attempt = make_attempt_at(balance_of(paid))
    outcomes.record_intent(attempt_id=attempt.pk, intent=make_intent(attempt), now=NOW)

    money = read_money_today(now=noon)

    assert (money.due.count, money.charged.count, money.refused.count, money.late.count) == (4, 1, 1, 1)


def test_what_was_cancelled_is_not_due():
    noon = datetime(2026, 12, 10, 18, tzinfo=UTC)
    booking = due_on(noon)
    Booking.objects.filter(pk=booking.pk).update(cancel_requested_at=NOW)
    services.cancel_booking(booking=Booking.objects.get(pk=booking.pk), proof="test", now=NOW)
    assert Booking.objects.get(pk=booking.pk).status == BookingStatus.CANCELLED

    assert read_money_today(now=noon).due.count == 0


def test_the_panel_takes_three_queries_and_leads_to_the_payments(django_assert_num_queries):
    due_on(datetime(2026, 12, 10, 18, tzinfo=UTC))

    with freeze_time(datetime(2026, 12, 10, 19, tzinfo=UTC)), django_assert_num_queries(3):
        panel = read_money_panel()

    assert panel.figures[0].value == "1 · $3,735.20\u00a0MXN"
    assert {figure.url.partition("?")[0] for figure in panel.figures} == {
        "/admin/payments/payment/",
        "/admin/payments/debt/",
    }
    assert len(panel.notices) == 1


def test_an_empty_house_has_nothing_due():
    panel = read_money_panel()

    assert panel.figures[0].value == "0 · $0.00\u00a0MXN"
    assert panel.notices == ()


# --- The rest ---------------------------------------------------------------------------------------------


def test_a_refund_is_written_in_pesos(booking):
    cancel(booking)

    assert str(Refund.objects.get()).endswith("−$1,600.80\u00a0MXN")


def test_browsers_find_an_icon_where_they_look_for_it(client):
    response = client.get("/favicon.ico")

    assert response.status_code == 302
    assert response["Location"].endswith("icon.svg")
