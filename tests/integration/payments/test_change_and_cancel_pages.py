"""Moving and cancelling a stay: what the page promises is what happens."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from freezegun import freeze_time

from bookings import services
from bookings.models import Booking
from payments import queries
from payments.billing import cancellation_cost
from payments.ledger import claims, outcomes
from payments.models import BookingAccount, GuestEmail, Payment, Refund
from payments.policies import PaymentKind
from payments.protocols.cancellation import settle_cancellation
from tests.factories import (
    BASE_URL,
    balance_of,
    make_confirmed_booking,
    make_hold,
    make_intent,
    make_property,
)
from tests.integration.pages import read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)  # noon in Mexico City
ARRIVAL = date(2026, 12, 1)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]


@pytest.fixture(autouse=True)
def today():
    with freeze_time(NOW):
        yield


@pytest.fixture
def booking() -> Booking:
    return make_confirmed_booking(now=NOW, home=make_property(), check_in=ARRIVAL, nights=4)


def nights(check_in: str, check_out: str) -> dict[str, str]:
    return {"check_in": check_in, "check_out": check_out}


def pay_balance(booking: Booking, now: datetime) -> None:
    attempt = claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=now).attempt
    assert attempt is not None
    outcomes.record_intent(attempt_id=attempt.pk, intent=make_intent(attempt), now=now)


# --- Other dates ------------------------------------------------------------------------------------------


def test_the_page_begins_with_the_dates_of_the_booking(client, booking):
    body = client.get(f"{booking.get_absolute_url()}fechas/").content.decode()

    assert 'value="2026-12-01"' in body
    assert 'value="2026-12-05"' in body


def test_a_cheaper_stay_shows_before_and_after_and_is_changed_in_a_second_step(client, booking):
    page = f"{booking.get_absolute_url()}fechas/"

    preview = read(client.get(page, nights("2026-12-10", "2026-12-13")))
    agreed = {**nights("2026-12-10", "2026-12-13"), "sums": "0-0-321320-0"}
    answer = client.post(page, agreed, follow=True)

    assert "jue 10 dic – dom 13 dic" in preview
    assert "Total $7,076.00 MXN $5,336.00 MXN" in preview
    assert "El saldo de $3,213.20 MXN se cobra a tu tarjeta el sábado 12 de diciembre." in preview
    assert "Tu estancia ya tiene fechas nuevas." in read(answer)
    assert balance_of(booking).amount_minor == 321_320
    assert Booking.objects.get(pk=booking.pk).quote.check_in == date(2026, 12, 10)


def test_a_change_that_is_sent_twice_is_made_and_told_once(client, booking):
    page, dates = f"{booking.get_absolute_url()}fechas/", nights("2026-12-10", "2026-12-14")
    form = {**dates, "sums": client.get(page, dates).context["preview"].sums}

    answers = [client.post(page, form) for _ in range(3)]

    assert {answer["Location"] for answer in answers} == {booking.get_absolute_url()}
    assert booking.changes.count() == 1
    assert booking.emails.filter(kind=GuestEmail.Kind.CHANGED).count() == 1
    assert read(client.get(booking.get_absolute_url())).count("Tu estancia ya tiene fechas nuevas.") == 1


def test_the_dates_that_a_stay_has_are_no_change(client, booking):
    text = read(client.get(f"{booking.get_absolute_url()}fechas/", nights("2026-12-01", "2026-12-05")))

    assert "Tu estancia ya tiene esas fechas. Elige otras." in text
    assert "Cambiar a estas fechas" not in text


def test_a_preview_changes_nothing(client, booking):
    client.get(f"{booking.get_absolute_url()}fechas/", nights("2026-12-10", "2026-12-13"))

    assert Booking.objects.get(pk=booking.pk).quote_id == booking.quote_id


def test_the_own_nights_of_a_booking_are_free_for_it(client, booking):
    text = read(client.get(f"{booking.get_absolute_url()}fechas/", nights("2026-12-02", "2026-12-05")))

    assert "Cambiar a estas fechas" in text


def test_a_dearer_stay_says_what_is_paid_now_and_leads_to_its_page_once_agreed_to(client, booking, gateway):
    page = f"{booking.get_absolute_url()}fechas/"
    dearer = nights("2026-12-01", "2026-12-07")

    preview = read(client.get(page, dearer))
    answer = client.post(page, {**dearer, "sums": "104400-0-738920-0"})

    assert "Total $7,076.00 MXN $10,556.00 MXN" in preview
    assert "Pagas $1,044.00 MXN ahora" in preview
    assert "Pagar $1,044.00 MXN y cambiar" in preview
    assert [request.amount_minor for request in gateway.requests] == [104_400]
    assert answer.headers["Location"].startswith("https://checkout")
    text = read(client.get(booking.get_absolute_url()))
    assert "Tus fechas nuevas están apartadas hasta las 12:35" in text
    assert "en cuanto pagues $1,044.00 MXN" in text
    assert Booking.objects.get(pk=booking.pk).quote_id == booking.quote_id


@pytest.mark.parametrize("sums", ["", "0-0-0-0", "104400-0-738920-1"])
def test_sums_that_the_guest_has_not_read_change_nothing(client, booking, gateway, sums):
    page = f"{booking.get_absolute_url()}fechas/"

    text = read(client.post(page, {**nights("2026-12-01", "2026-12-07"), "sums": sums}))

    assert "Los montos cambiaron desde que abriste esta página." in text
    assert "Pagar $1,044.00 MXN y cambiar" in text
    assert not gateway.requests
    assert not booking.date_changes.exists()


def test_a_guest_keeps_the_dates_they_have(client, booking, gateway):
    page = f"{booking.get_absolute_url()}fechas/"
    client.post(page, {**nights("2026-12-01", "2026-12-07"), "sums": "104400-0-738920-0"})

    text = read(client.post(f"{page}conservar/", follow=True))

    assert "Tu estancia conserva sus fechas." in text
    assert "Tu reserva está confirmada" in text
    assert booking.date_changes.get().state == "abandoned"


def test_a_page_that_is_open_for_other_dates_is_closed_for_a_guest_who_chooses_anew(client, booking, gateway):
    page = f"{booking.get_absolute_url()}fechas/"
    client.post(page, {**nights("2026-12-01", "2026-12-07"), "sums": "104400-0-738920-0"})

    client.post(page, {**nights("2026-12-10", "2026-12-13"), "sums": "0-0-321320-0"})

    moved = Booking.objects.get(pk=booking.pk)
    assert moved.quote.check_in == date(2026, 12, 10)
    assert [session.status for session in gateway.sessions.values()] == ["expired"]


def test_nights_given_up_shortly_before_arrival_say_what_is_kept(client, booking):
    page = f"{booking.get_absolute_url()}fechas/"

    with freeze_time(datetime(2026, 11, 28, 18, tzinfo=UTC)):
        text = read(client.get(page, nights("2026-12-01", "2026-12-03")))

    assert "Dejas 2 noches con tan poca anticipación que cancelarlas costaría $1,740.00 MXN" in text
    assert "El saldo de $3,213.20 MXN se cobra a tu tarjeta" in text


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (nights("2026-12-05", "2026-12-01"), "La salida debe ser después"),
        (nights("2026-10-01", "2026-10-04"), "La llegada ya pasó."),
        (nights("2026-12-01", "2026-12-02"), "se renta por 2 noches como mínimo"),
        (nights("nunca", ""), "Introduzca una fecha válida."),
        (nights("9998-12-01", "9998-12-05"), "dentro de los próximos dos años"),
    ],
)
def test_dates_that_cannot_be_had_are_refused_kindly(client, booking, dates, words):
    page = f"{booking.get_absolute_url()}fechas/"

    assert words in read(client.get(page, dates))
    assert words in read(client.post(page, dates))


def test_nights_of_somebody_else_are_refused(client, booking):
    make_hold(now=NOW, home=booking.home, check_in=date(2026, 12, 20), nights=4)
    page = f"{booking.get_absolute_url()}fechas/"

    preview = read(client.get(page, nights("2026-12-18", "2026-12-22")))
    forced = read(client.post(page, nights("2026-12-18", "2026-12-22")))

    assert "Algunas de estas noches ya están ocupadas." in preview
    assert "Alguien acaba de apartar algunas de estas noches." in forced


def test_a_stay_that_has_begun_keeps_its_arrival(client, booking):
    page = f"{booking.get_absolute_url()}fechas/"

    with freeze_time(datetime(2026, 12, 3, 18, tzinfo=UTC)):
        moved = read(client.get(page, nights("2026-12-02", "2026-12-05")))
        shorter = read(client.get(page, nights("2026-12-01", "2026-12-04")))

    assert "Las noches que ya pasaron no se pueden mover." in moved
    assert "Cambiar a estas fechas" in shorter


def test_only_a_confirmed_booking_can_be_moved(client):
    hold = make_hold(now=NOW, check_in=ARRIVAL)

    text = read(client.get(f"{hold.get_absolute_url()}fechas/", nights("2026-12-10", "2026-12-13")))

    assert "Esta reserva ya no se puede mover." in text


# --- Cancelling -------------------------------------------------------------------------------------------


def test_giving_up_a_hold_costs_nothing(client):
    hold = make_hold(now=NOW, check_in=ARRIVAL)
    page = f"{hold.get_absolute_url()}cancelar/"

    text = read(client.get(page))
    answer = client.post(page, {"kept_minor": "0"}, follow=True)

    assert "No has pagado nada, así que no cuesta nada." in text
    assert "Estamos cancelando tu reserva" in read(answer)


def test_cancelling_in_time_promises_the_whole_deposit(client, booking):
    text = read(client.get(f"{booking.get_absolute_url()}cancelar/"))

    assert "Has pagado $2,122.80 MXN" in text
    assert "Te devolvemos $2,122.80 MXN" in text
    assert "Puedes cancelar gratis hasta el lunes 23 de noviembre." in text
    assert "Cobramos a tu tarjeta" not in text


def test_cancelling_late_names_the_fee(client, booking):
    with freeze_time(NOW + timedelta(days=25)):
        text = read(client.get(f"{booking.get_absolute_url()}cancelar/"))

    assert "Te devolvemos $0.00 MXN" in text
    assert "Cobramos a tu tarjeta $1,415.20 MXN" in text
    assert "Cancelar hoy cuesta $3,538.00 MXN en total" in text


def test_sums_that_changed_meanwhile_are_shown_again_before_anything_happens(client, booking):
    page = f"{booking.get_absolute_url()}cancelar/"

    with freeze_time(NOW + timedelta(days=25)):
        answer = client.post(page, {"kept_minor": "0"})

    assert "Los montos cambiaron" in read(answer)
    assert Booking.objects.get(pk=booking.pk).cancel_requested_at is None


@pytest.mark.parametrize("data", [{}, {"kept_minor": "todo"}, {"kept_minor": "-1"}])
def test_a_cancellation_without_the_sums_is_no_cancellation(client, booking, data):
    client.post(f"{booking.get_absolute_url()}cancelar/", data)

    assert Booking.objects.get(pk=booking.pk).cancel_requested_at is None


def test_cancelling_twice_is_cancelling_once(client, booking):
    page = f"{booking.get_absolute_url()}cancelar/"
    client.post(page, {"kept_minor": "0"})

    again = client.post(page, {"kept_minor": "0"}, follow=True)

    assert again.status_code == 200
    assert read(again).count("Te llegará un correo.") == 1


def test_a_cancelled_booking_cannot_be_cancelled_again(client, booking, gateway):
    client.post(f"{booking.get_absolute_url()}cancelar/", {"kept_minor": "0"})

    assert "ya no se puede cancelar" in read(client.get(f"{booking.get_absolute_url()}cancelar/"))


@pytest.mark.parametrize(
    ("days", "is_balance_paid"),
    [(0, False), (21, False), (22, False), (25, False), (29, False), (30, False), (35, False), (35, True)],
)
def test_the_settlement_does_what_the_page_promised(booking, gateway, days, is_balance_paid):
    at = NOW + timedelta(days=days)
    if is_balance_paid:
        pay_balance(booking, at)
    promised = cancellation_cost(booking, paid_minor=queries.paid_for(booking), asked_at=at)

    services.request_cancellation(booking=booking, now=at)
    settle_cancellation(booking_id=booking.pk, base_url=BASE_URL, gateway=gateway, now=at)

    refunded = sum(Refund.objects.values_list("amount_minor", flat=True))
    fees = sum(Payment.objects.filter(kind=PaymentKind.FEE).values_list("amount_minor", flat=True))
    assert (refunded, fees) == (promised.refund_minor, promised.fee_minor)
    assert BookingAccount.objects.get(booking=booking).owed_minor == promised.kept_minor


def test_the_page_counts_from_the_arrival_that_was_moved_away(client, booking):
    """Moving a stay to later just to cancel it for free does not pay, and the page says so."""
    late = NOW + timedelta(days=25)
    with freeze_time(late):
        client.post(f"{booking.get_absolute_url()}fechas/", nights("2027-01-10", "2027-01-14"))
        text = read(client.get(f"{booking.get_absolute_url()}cancelar/"))

    assert "Te devolvemos $0.00 MXN" in text
