"""A hold is a promise: its clock is the server's, it is extended once, and coming back unpaid is no end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from freezegun import freeze_time

from bookings.models import Booking
from payments.ledger import dunning
from payments.services import open_checkout as open_stripe_page
from tests.factories import BASE_URL, balance_of, make_confirmed_booking, make_hold, make_property
from tests.integration.pages import english_words, read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)  # noon in Mexico City
ARRIVAL = date(2026, 12, 1)
OVERLAPPING = {"check_in": "2026-12-02", "check_out": "2026-12-05", "guests": "2"}
CONTACT = {"name": "Ana Ruiz", "email": "ana@correo.example", "accepts": "on", "versions": "0-0"}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]


@pytest.fixture(autouse=True)
def today():
    with freeze_time(NOW):
        yield


@pytest.fixture
def hold() -> Booking:
    return make_hold(now=NOW, home=make_property(name="Casa Caracol"), check_in=ARRIVAL)


@pytest.fixture
def page(hold: Booking) -> str:
    return hold.get_absolute_url()


def ask_for_more(client, page: str):
    return read(client.post(f"{page}tiempo/", follow=True))


def state_of(client, page: str):
    return client.get(f"{page}estado/").json()


# --- More time --------------------------------------------------------------------------------------------


def test_a_hold_is_extended_with_one_click_and_once(client, page, hold):
    assert "Necesito más tiempo" in read(client.get(page))

    text = ask_for_more(client, page)

    assert "Tus fechas quedan apartadas hasta las 13:00." in text
    assert "Apartado para ti hasta las 13:00" in text
    assert "Necesito más tiempo" not in text
    assert english_words(text) == set()
    assert "No podemos apartar estas fechas por más tiempo" in ask_for_more(client, page)
    hold.refresh_from_db()
    assert hold.hold_expires_at == NOW + timedelta(minutes=60)


def test_a_hold_that_is_over_is_not_extended(client, page):
    with freeze_time(NOW + timedelta(minutes=31)):
        assert "El tiempo para pagar se acabó" in ask_for_more(client, page)


def test_nobody_is_kept_waiting_longer_than_they_were_told(client, page, hold):
    other = Client(REMOTE_ADDR="203.0.113.9")
    path = f"/casas/{hold.home.slug}/"
    seen = read(other.get(path, OVERLAPPING))
    assert "Si no paga, quedan libres a las 12:30." in seen

    noted = read(other.post(f"{path}espera/", OVERLAPPING, follow=True))

    assert "Anotado" in noted
    assert english_words(noted) == set()
    assert "Necesito más tiempo" not in read(client.get(page))
    assert "alguien más las quiere" in ask_for_more(client, page)


def test_whoever_was_refused_the_nights_waits_for_them(client, page, hold):
    refused = Client(REMOTE_ADDR="203.0.113.9").post(f"/casas/{hold.home.slug}/", {**OVERLAPPING, **CONTACT})

    assert refused.status_code == 200
    assert "alguien más las quiere" in ask_for_more(client, page)


@pytest.mark.parametrize("behind", [timedelta(0), timedelta(seconds=2)])
def test_whoever_asks_by_a_clock_behind_that_of_the_extension_waits_after_it(client, page, hold, behind):
    with freeze_time(NOW + behind):
        ask_for_more(client, page)

    refused = Client(REMOTE_ADDR="203.0.113.9").post(f"/casas/{hold.home.slug}/", {**OVERLAPPING, **CONTACT})

    assert "Alguien acaba de apartar" in read(refused)
    hold.refresh_from_db()
    assert hold.wanted_at > hold.hold_extended_at


def test_nobody_waits_for_their_own_hold(client):
    home = make_property(name="Casa Sol")
    path = f"/casas/{home.slug}/"
    page = client.post(path, {**OVERLAPPING, **CONTACT})["Location"]

    client.post(f"{path}espera/", {**OVERLAPPING, "check_in": "2026-12-03"})

    assert "quedan apartadas hasta las 13:00" in ask_for_more(client, page)


def test_the_database_extends_no_hold_that_somebody_waits_for(hold):
    with pytest.raises(IntegrityError, match="bookings_no_wanted_hold_is_extended"), transaction.atomic():
        Booking.objects.filter(pk=hold.pk).update(wanted_at=NOW, hold_extended_at=NOW + timedelta(minutes=1))


def test_nights_that_are_paid_are_not_waited_for(client):
    home = make_property(name="Casa Sol")
    booking = make_confirmed_booking(now=NOW, home=home, check_in=ARRIVAL)

    client.post(f"/casas/{home.slug}/espera/", OVERLAPPING)

    assert "quedan libres" not in read(client.get(f"/casas/{home.slug}/", OVERLAPPING))
    booking.refresh_from_db()
    assert booking.wanted_at is None


@pytest.mark.parametrize(
    "data",
    [{}, {**OVERLAPPING, "check_in": "mañana"}, {**OVERLAPPING, "check_out": "2026-12-01"}],
)
def test_waiting_for_nothing_changes_nothing(client, hold, data):
    assert client.post(f"/casas/{hold.home.slug}/espera/", data).status_code == 303

    hold.refresh_from_db()
    assert hold.wanted_at is None


# --- The clock --------------------------------------------------------------------------------------------


def test_the_clock_is_the_servers(client, page):
    with freeze_time(NOW + timedelta(minutes=7, seconds=30)):
        assert state_of(client, page) == {"stage": "held", "seconds_left": 1350, "look_after": 30}
        assert 'data-seconds-left="1350"' in client.get(page).content.decode()


def test_a_hold_that_ends_ends_on_the_page_too(client, page):
    with freeze_time(NOW + timedelta(minutes=30)):
        assert state_of(client, page)["stage"] == "hold_over"


def test_a_wrong_address_has_no_state(client, page):
    assert client.get("/reserva/nada/estado/").status_code == 404


# --- Coming back without having paid ----------------------------------------------------------------------


def come_back(client, booking: Booking, gateway):
    open_stripe_page(booking=booking, base_url=BASE_URL, gateway=gateway, now=NOW)
    return read(client.get(gateway.requests[-1].cancel_url.removeprefix(BASE_URL)))


def test_who_comes_back_unpaid_sees_the_clock_and_ways_to_go_on(client, hold, gateway):
    text = come_back(client, hold, gateway)

    assert "No se completó tu pago" in text
    assert "No se cobró nada. Intenta de nuevo con esta tarjeta o con otra" in text
    assert "Apartado para ti hasta las 12:35" in text
    assert "Pagar anticipo" in text
    assert "Confirmando" not in text
    assert english_words(text) == set()


def test_who_comes_back_unpaid_from_a_balance_may_pay_it_still(client, gateway):
    booking = make_confirmed_booking(now=NOW, check_in=ARRIVAL)
    dunning.note_decline(payment=balance_of(booking), code="insufficient_funds", base_url=BASE_URL, now=NOW)

    text = come_back(client, booking, gateway)

    assert "No se completó tu pago" in text
    assert "Pagar saldo" in text
    assert "Confirmando" not in text


def test_who_has_paid_after_all_is_not_told_that_it_failed(client, gateway):
    booking = make_confirmed_booking(now=NOW, check_in=ARRIVAL)

    text = read(client.get(f"{booking.get_absolute_url()}?sin-pagar=1"))

    assert "No se completó" not in text
    assert "Tu reserva está confirmada" in text


# --- Sentences that are so --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2026, 12, 1, 20, tzinfo=UTC), "Te esperamos en"),
        (datetime(2026, 12, 1, 22, tzinfo=UTC), "Disfruta tu estancia en"),
        (datetime(2026, 12, 4, 19, tzinfo=UTC), "terminó el viernes 4 de diciembre."),
    ],
)
def test_a_stay_is_ahead_goes_on_or_has_ended(client, at, words):
    booking = make_confirmed_booking(now=NOW, check_in=ARRIVAL)

    with freeze_time(at):
        assert words in read(client.get(booking.get_absolute_url()))


def test_a_hold_that_is_over_says_whether_its_nights_are_free(client, hold, page):
    with freeze_time(NOW + timedelta(minutes=31)):
        assert "Las mismas fechas siguen libres" in read(client.get(page))
        make_hold(now=NOW + timedelta(minutes=31), home=hold.home, check_in=ARRIVAL)
        taken = read(client.get(page))

    assert "Alguien más ya tiene algunas de estas fechas" in taken
    assert "Volver a apartar" not in taken


def test_an_address_is_corrected_by_who_mistyped_it(client, page, hold):
    assert "¿No es tu correo?" in read(client.get(page))

    client.post(f"{page}correo/", {"email": "nueva@correo.example"})

    hold.refresh_from_db()
    assert hold.guest_email == "nueva@correo.example"


def test_a_tab_with_the_link_before_the_correction_is_led_on(client):
    home = make_property(name="Casa Sol")
    old = client.post(f"/casas/{home.slug}/", {**OVERLAPPING, **CONTACT})["Location"]
    client.post(f"{old}correo/", {"email": "nueva@correo.example"})

    answers = [client.get(f"{old}?pagado=1"), client.post(f"{old}pagar/"), client.get(f"{old}estado/")]

    new = Booking.objects.get().get_absolute_url()
    assert new != old
    assert [answer["Location"] for answer in answers] == [f"{new}?pagado=1", new, new]
    assert client.get(new).status_code == 200
    assert [Client().get(each).status_code for each in (old, new)] == [404, 200]


def test_nights_that_cannot_be_had_are_outlined_as_nobodys_stay(client, hold):
    path = f"/casas/{hold.home.slug}/"

    refused = client.get(path, OVERLAPPING).content.decode()
    free = client.get(path, {**OVERLAPPING, "check_in": "2026-12-05", "check_out": "2026-12-08"})

    assert "day-chosen" not in refused
    assert "day-chosen" in free.content.decode()


def test_a_confirmed_stay_goes_into_the_guests_calendar(client):
    booking = make_confirmed_booking(now=NOW, home=make_property(name="Casa Sol; Mar"), check_in=ARRIVAL)

    page = client.get(booking.get_absolute_url()).content.decode()
    answer = client.get(f"{booking.get_absolute_url()}estancia.ics")

    assert f"{booking.get_absolute_url()}estancia.ics" in page
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    assert b"DTSTART:20261201T210000Z\r\nDTEND:20261204T180000Z\r\n" in answer.content
    assert b"SUMMARY:Estancia en Casa Sol\\; Mar\r\n" in answer.content
    assert booking.access_token.encode() not in answer.content


def test_what_is_not_confirmed_has_no_calendar_file(client, page):
    assert client.get(f"{page}estancia.ics").status_code == 404
    assert client.get("/reserva/nada/estancia.ics").status_code == 404
