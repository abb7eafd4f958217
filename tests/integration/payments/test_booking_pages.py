"""The guest's page of a booking, in every state, and the way to the payment page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from freezegun import freeze_time

from bookings import services
from bookings.models import Booking, BookingStatus
from payments.exceptions import GatewayRefused, OutcomeUnknown, PayerEmailRefused, RequestRejected
from payments.gateway import RefundStatus
from payments.ledger import claims, dunning, outcomes, refunds
from payments.models import Payment, Refund
from payments.policies import PaymentKind
from payments.protocols.cancellation import settle_cancellation
from payments.services import open_checkout as open_stripe_page
from payments.services import request_cancellation
from payments.tasks import look_at_payment_page
from procrastinate_tasks.testing import assert_enqueued, refute_enqueued
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

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)  # noon in Mexico City
ARRIVAL = date(2026, 12, 1)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]


@pytest.fixture(autouse=True)
def today():
    with freeze_time(NOW):
        yield


@pytest.fixture
def hold() -> Booking:
    return make_hold(now=NOW, home=make_property(name="Casa Caracol"), check_in=ARRIVAL)


@pytest.fixture
def confirmed() -> Booking:
    return make_confirmed_booking(now=NOW, home=make_property(name="Casa Caracol"), check_in=ARRIVAL)


def open_checkout(booking: Booking, gateway: FakeGateway) -> None:
    open_stripe_page(booking=booking, base_url=BASE_URL, gateway=gateway, now=NOW)  # type: ignore[arg-type]


def decline(payment: Payment, code: str) -> None:
    dunning.note_decline(payment=payment, code=code, base_url=BASE_URL, now=NOW)


def cancel(booking: Booking, gateway: FakeGateway, now: datetime) -> None:
    request_cancellation(booking=booking, base_url=BASE_URL, now=now)
    settle_cancellation(booking_id=booking.pk, base_url=BASE_URL, gateway=gateway, now=now)  # type: ignore[arg-type]


def pay_balance(booking: Booking, now: datetime) -> None:
    attempt = claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=now).attempt
    assert attempt is not None
    outcomes.record_intent(attempt_id=attempt.pk, intent=make_intent(attempt), now=now)


def test_a_hold_says_until_when_and_what_to_pay_now_and_later(client, hold):
    text = read(client.get(hold.get_absolute_url()))

    assert "Apartado para ti hasta las 12:30" in text
    assert "eran las 12:00 en Tulum cuando se mostró esta página" in text
    assert "Pagar anticipo $1,600.80 MXN" in text
    assert "Después pagas $3,735.20 MXN" in text
    assert "Soltar las fechas" in text
    assert "Cambiar las fechas" not in text


def test_the_clock_of_a_hold_is_the_propertys(client):
    hold = make_hold(now=NOW, home=make_property(timezone="America/Cancun"), check_in=ARRIVAL)

    assert "hasta las 13:30" in read(client.get(hold.get_absolute_url()))


def test_paying_leads_to_the_payment_page_and_twice_to_the_same_one(client, hold, gateway):
    first = client.post(f"{hold.get_absolute_url()}pagar/")
    second = client.post(f"{hold.get_absolute_url()}pagar/")

    assert first.status_code == 303
    assert first["Location"].startswith("https://checkout.stripe.example/")
    assert first["Location"] == second["Location"]
    assert gateway.requests[0].amount_minor == hold.quote.deposit_minor


def test_the_address_of_paying_opened_by_hand_leads_to_the_booking(client, hold):
    response = client.get(f"{hold.get_absolute_url()}pagar/")

    assert (response.status_code, response["Location"]) == (302, hold.get_absolute_url())


def test_a_guest_who_did_not_finish_paying_still_sees_the_clock_and_says_if_they_did(client, hold, gateway):
    open_checkout(hold, gateway)

    response = client.get(hold.get_absolute_url())
    paid = client.get(f"{hold.get_absolute_url()}?pagado=1")

    assert "Apartado para ti hasta las 12:35" in read(response)
    assert "Si no terminaste, sigue donde te quedaste" in read(response)
    assert "Pagar anticipo" in read(response)
    assert "Ya pagué" in read(response)
    assert "Confirmando tu pago…" in read(paid)
    assert 'data-look-after="5"' in paid.content.decode()
    assert 'http-equiv="refresh"' not in paid.content.decode()


def test_a_guest_who_comes_back_from_paying_is_not_asked_to_pay_again(client, hold, gateway):
    open_checkout(hold, gateway)
    (request,) = gateway.requests

    text = read(client.get(request.success_url.removeprefix(BASE_URL)))
    assert "Confirmando tu pago…" in text
    assert "Pagar anticipo" not in text
    assert "¿No terminaste de pagar?" in text

    assert "Pagar anticipo" in read(client.get(request.cancel_url.removeprefix(BASE_URL)))


def test_a_payment_that_lies_about_is_looked_at_less_often(client, hold, gateway):
    open_checkout(hold, gateway)

    with freeze_time(NOW + timedelta(minutes=6)):
        response = client.get(f"{hold.get_absolute_url()}?pagado=1")

    assert 'data-look-after="30"' in response.content.decode()


def test_a_payment_that_the_bank_is_working_on_offers_no_second_one(client, hold, gateway):
    open_checkout(hold, gateway)
    attempt = hold.payments.get().attempts.get()
    outcomes.record_session_processing(attempt_id=attempt.pk, now=NOW)

    text = read(client.get(hold.get_absolute_url()))

    assert "Confirmando tu pago…" in text
    assert "Pagar anticipo" not in text


def test_a_confirmed_booking_says_when_the_balance_is_charged(client, confirmed):
    response = client.get(confirmed.get_absolute_url())
    text = read(response)

    assert "Tu reserva está confirmada" in text
    assert "Te esperamos en Casa Caracol el martes 1 de diciembre a partir de las 15:00." in text
    assert "Anticipo pagado $1,600.80 MXN" in text
    assert "Saldo por pagar $3,735.20 MXN" in text
    assert "El jueves 3 de diciembre a las 15:00 cobramos el saldo de $3,735.20 MXN" in text
    assert "Hasta el lunes 23 de noviembre : te devolvemos todo lo que pagaste, $1,600.80 MXN." in text
    assert "Pagar" not in text
    assert 'data-look-after="0"' in response.content.decode()


@pytest.mark.parametrize("code", ["insufficient_funds", "authentication_required"])
def test_a_balance_the_card_did_not_pay_is_payable(client, confirmed, gateway, code):
    decline(balance_of(confirmed), code)

    text = read(client.get(confirmed.get_absolute_url()))
    paying = client.post(f"{confirmed.get_absolute_url()}pagar/")

    assert "Falta un pago tuyo" in text
    assert "Pagar saldo $3,735.20 MXN" in text
    assert paying["Location"].startswith("https://checkout.stripe.example/")
    assert "Falta un pago tuyo" in read(client.get(confirmed.get_absolute_url()))
    assert "Confirmando tu pago…" in read(client.get(f"{confirmed.get_absolute_url()}?pagado=1"))


def test_a_balance_that_is_being_charged_says_so(client, confirmed):
    with freeze_time(NOW + timedelta(days=32)) as later:
        claims.claim_balance(booking_id=confirmed.pk, base_url=BASE_URL, now=later().replace(tzinfo=UTC))
        text = read(client.get(confirmed.get_absolute_url()))

    assert "Saldo lo estamos cobrando" in text
    assert "Pagar" not in text


def test_a_lapsed_hold_offers_the_same_dates_again(client, hold):
    with freeze_time(NOW + timedelta(minutes=31)):
        page = client.get(hold.get_absolute_url())
        again = client.post(
            f"/casas/{hold.home.slug}/",
            {
                "check_in": "2026-12-01",
                "check_out": "2026-12-04",
                "guests": "2",
                "name": hold.guest_name,
                "email": hold.guest_email,
                "phone": hold.guest_phone,
                "accepts": "on",
                "versions": "0-0",
            },
        )

    assert "El apartado venció" in read(page)
    assert "Volver a apartar" in read(page)
    assert f'name="name" value="{hold.guest_name}"' in page.content.decode()
    assert again.status_code == 303
    assert again["Location"] != hold.get_absolute_url()


def test_an_expired_hold_says_that_nothing_was_charged(client, hold):
    services.expire_holds(now=NOW + timedelta(minutes=31))

    text = read(client.get(hold.get_absolute_url()))

    assert "El apartado venció" in text
    assert "No se cobró nada" in text
    assert "Cancelar la reserva" not in text


def test_paying_too_late_says_why(client, hold):
    with freeze_time(NOW + timedelta(minutes=31)):
        response = client.post(f"{hold.get_absolute_url()}pagar/", follow=True)

    assert "El tiempo para pagar se acabó" in read(response)


@pytest.mark.parametrize(
    "fault",
    [
        OutcomeUnknown(operation="create_session", detail="timed out"),
        GatewayRefused(operation="create_session", detail="invalid key"),
    ],
)
def test_a_payment_page_that_cannot_be_opened_is_no_dead_end(client, hold, gateway, fault):
    gateway.fault = fault

    response = client.post(f"{hold.get_absolute_url()}pagar/", follow=True)

    assert "No se pudo en este momento. No se cobró nada" in read(response)
    assert "Pagar anticipo" in read(response)


def test_paying_what_is_paid_says_that_there_is_nothing_to_pay(client, confirmed):
    response = client.post(f"{confirmed.get_absolute_url()}pagar/", follow=True)

    assert "No hay nada que pagar." in read(response)


def test_a_cancellation_under_way_says_that_nothing_more_is_charged(client, confirmed):
    request_cancellation(booking=confirmed, base_url=BASE_URL, now=NOW)

    text = read(client.get(confirmed.get_absolute_url()))

    assert "Estamos cancelando tu reserva" in text
    assert "Cambiar las fechas" not in text


def test_a_cancelled_booking_shows_the_refund_on_its_way(client, confirmed, gateway):
    cancel(confirmed, gateway, NOW)

    text = read(client.get(confirmed.get_absolute_url()))

    assert "Tu reserva está cancelada" in text
    assert "Se canceló el lunes 2 de noviembre." in text
    assert "Devolución va en camino a tu tarjeta −$1,600.80 MXN" in text


def test_a_refund_that_stripe_has_taken_is_sent_and_not_yet_on_the_card(client, confirmed, gateway):
    cancel(confirmed, gateway, NOW)
    refund = Refund.objects.get()
    asked = gateway.create_refund(
        intent_id=refund.attempt.stripe_intent_id,
        amount_minor=refund.amount_minor,
        refund_key=str(refund.key),
    )
    refunds.record_refund(refund_id=refund.pk, answer=replace(asked, status=RefundStatus.SUCCEEDED), now=NOW)

    text = read(client.get(confirmed.get_absolute_url()))

    assert "Devolución enviada a tu tarjeta el lunes 2 de noviembre; los bancos tardan de 5 a 10 días" in text


def test_a_fee_that_the_card_did_not_pay_is_payable_after_cancelling(client, confirmed, gateway):
    late = NOW + timedelta(days=28)
    with freeze_time(late):
        cancel(confirmed, gateway, late)
        decline(confirmed.payments.get(kind=PaymentKind.FEE), "insufficient_funds")
        text = read(client.get(confirmed.get_absolute_url()))

    assert "Tu reserva está cancelada" in text
    assert "Pagar cargo por cancelación $1,067.20 MXN" in text


def test_a_completed_stay_is_thanked_for(client, confirmed):
    after = NOW + timedelta(days=40)
    with freeze_time(after):
        pay_balance(confirmed, after)
        services.complete_departed(now=after)
        text = read(client.get(confirmed.get_absolute_url()))

    assert Booking.objects.get(pk=confirmed.pk).status == BookingStatus.COMPLETED
    assert "Gracias por tu visita" in text
    assert "Saldo pagado $3,735.20 MXN" in text
    assert "Cancelar la reserva" not in text


def test_the_booking_of_an_unlisted_home_does_not_link_to_it(client, confirmed):
    confirmed.home.is_listed = False
    confirmed.home.save()

    assert f"/casas/{confirmed.home.slug}/" not in client.get(confirmed.get_absolute_url()).content.decode()


@pytest.mark.parametrize("page", ["", "pagar/", "fechas/", "cancelar/"])
def test_wrong_and_unknown_addresses_are_one_and_the_same_not_found(client, hold, page):
    token = hold.access_token
    gone = token.replace(token[:4], "0000" if token[:4] != "0000" else "1111", 1)
    unknown = Booking(public_id=uuid4()).access_token

    answers = [client.get(f"/reserva/{wrong}/{page}") for wrong in (gone, unknown, "x", token[:-1], "n.n")]

    bodies = {answer.content.replace(answer.wsgi_request.path.encode(), b"") for answer in answers}
    assert {answer.status_code for answer in answers} == {404}
    assert len({_without_token(body) for body in bodies}) == 1


def _without_token(body: bytes) -> bytes:
    return b"\n".join(line for line in body.splitlines() if b"csrfmiddlewaretoken" not in line)


@pytest.mark.parametrize("page", ["", "fechas/", "cancelar/"])
def test_a_private_page_is_kept_out_of_caches_logs_and_search_engines(client, confirmed, page):
    response = client.get(confirmed.get_absolute_url() + page)

    assert response["X-Robots-Tag"] == "noindex"
    assert response["Referrer-Policy"] == "same-origin"
    assert "no-store" in response["Cache-Control"]
    assert '<meta name="robots" content="noindex">' in response.content.decode()


def test_no_personal_data_is_in_an_address(hold):
    assert "lucia" not in hold.get_absolute_url().lower()


@pytest.mark.parametrize("page", ["", "fechas/", "cancelar/"])
def test_no_english_word_is_on_a_spanish_page(client, hold, confirmed, page):
    for booking in (hold, confirmed):
        assert english_words(read(client.get(booking.get_absolute_url() + page))) == set()


@pytest.mark.parametrize(("page", "most"), [("", 9), ("fechas/", 8), ("cancelar/", 10)])
def test_a_page_takes_few_queries(client, confirmed, django_assert_max_num_queries, page, most):
    with django_assert_max_num_queries(most):
        client.get(confirmed.get_absolute_url() + page)


# --- What went wrong is said with the clock in sight ------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OutcomeUnknown(operation="create_session", detail="timed out"), "intenta de nuevo en un minuto"),
        (RequestRejected(operation="create_session", detail="too large"), "la falla es nuestra"),
        (PayerEmailRefused(operation="create_session", detail="email_invalid"), "no acepta tu correo"),
    ],
)
def test_whatever_stripe_refuses_the_hold_and_its_clock_stay_in_sight(client, hold, gateway, fault, words):
    gateway.fault = fault

    text = read(client.post(f"{hold.get_absolute_url()}pagar/", follow=True))

    assert words in text
    assert "Apartado para ti hasta las 12:30" in text
    assert english_words(text) == set()


def test_an_address_that_was_refused_is_corrected_on_the_page_and_then_paid(client, hold, gateway):
    page = hold.get_absolute_url()
    gateway.fault = PayerEmailRefused(operation="create_session", detail="email_invalid")
    client.post(f"{page}pagar/")
    gateway.fault = None

    wrong = read(client.post(f"{page}correo/", {"email": "no es un correo"}))
    corrected = client.post(f"{page}correo/", {"email": "nueva@correo.example"})
    text = read(client.get(corrected["Location"]))
    paying = client.post(f"{corrected['Location']}pagar/")

    assert "Corregir el correo" in wrong
    assert "Ya tenemos tu nuevo correo" in text
    assert "Pagar anticipo" in text
    assert paying.status_code == 303
    assert gateway.requests[0].guest_email == "nueva@correo.example"
    assert client.get(f"{page}?pagado=1")["Location"] == f"{corrected['Location']}?pagado=1"


# --- The guest comes back ---------------------------------------------------------------------------------


def test_a_guest_who_says_they_have_paid_has_stripe_asked_once_and_decides_nothing(client, hold, gateway):
    open_checkout(hold, gateway)
    (request,) = gateway.requests
    back = client.get(request.success_url.removeprefix(BASE_URL))
    lock = f"look-now:{hold.payments.get().attempts.get().pk}"
    refute_enqueued(look_at_payment_page, queueing_lock=lock)

    for _ in range(3):
        client.post(f"{hold.get_absolute_url()}pagado/")

    assert 'id="look"' in back.content.decode()
    assert_enqueued(look_at_payment_page, queueing_lock=lock)
    hold.refresh_from_db()
    assert hold.status == BookingStatus.PENDING


@pytest.mark.parametrize("method", ["get", "head", "options"])
@pytest.mark.parametrize("page", ["?pagado=1", "pagado/", "correo/", "pagar/"])
def test_reading_a_page_changes_no_row(client, hold, gateway, method, page):
    open_checkout(hold, gateway)
    rows = _rows()

    getattr(client, method)(hold.get_absolute_url() + page)

    assert _rows() == rows


def _rows() -> list[object]:
    """Return every version of every row that a guest's page could write."""
    tables = ("procrastinate_jobs", "bookings_booking", "payments_payment", "payments_paymentattempt")
    with connection.cursor() as cursor:
        return [
            cursor.execute(f"SELECT id, xmin::text FROM {table} ORDER BY id").fetchall() for table in tables
        ]
