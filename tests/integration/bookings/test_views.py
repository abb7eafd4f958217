"""The pages before there is a booking: the homes, one home, and holding it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from freezegun import freeze_time

from bookings import services
from bookings.models import Booking, Property
from tests.factories import make_hold, make_property
from tests.integration.pages import english_words, read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)  # noon in Mexico City
STAY = {"check_in": "2026-12-01", "check_out": "2026-12-04", "guests": "2"}
CONSENT = {"accepts": "on", "versions": "0-0"}
CONTACT = {"name": "Lucía Pérez", "email": "lucia@correo.example", "phone": "55 1234 5678", **CONSENT}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def today():
    with freeze_time(NOW):
        yield


@pytest.fixture
def home():
    return make_property(name="Casa Caracol", slug="casa-caracol", nightly_rate_minor=150_000, capacity=4)


def test_the_home_page_lists_what_is_let_with_its_price_a_night(client, home):
    make_property(name="Casa Escondida", is_listed=False)

    text = read(client.get("/"))

    assert "Casa Caracol" in text
    assert "desde $1,500.00 MXN por noche" in text
    assert "Hasta 4 huéspedes" in text
    assert "Casa Escondida" not in text


def test_the_home_page_without_homes_says_so(client):
    assert "Todavía no hay casas" in read(client.get("/"))


def test_a_search_shows_totals_first_and_says_why_the_others_do_not_suit(client, home):
    taken = make_property(name="Casa Ocupada")
    make_hold(now=NOW, home=taken, check_in=date(2026, 12, 2), nights=4)
    make_property(name="Casa Chica", capacity=1)
    make_property(name="Casa Larga", min_nights=5)

    text = read(client.get("/", STAY))

    assert "3 noches : del martes 1 de diciembre al viernes 4 de diciembre" in text
    assert "$5,336.00 MXN en total, con impuestos" in text
    assert "Ocupada en esas fechas." in text
    assert "Esta casa recibe a 1 huésped." in text
    assert "Esta casa se renta por 5 noches como mínimo." in text
    assert text.index("Casa Caracol") < text.index("Casa Ocupada")


def test_a_search_by_guests_alone_says_which_homes_are_too_small(client, home):
    text = read(client.get("/", {"check_in": "", "check_out": "", "guests": "5"}))

    assert "Esta casa recibe hasta 4 huéspedes." in text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({**STAY, "check_out": ""}, "Falta esta fecha."),
        ({**STAY, "check_in": "ayer"}, "Introduzca una fecha válida."),
        ({**STAY, "guests": "muchos"}, "Introduzca un número entero"),
        ({**STAY, "check_out": "9999-12-31"}, "dentro de los próximos dos años"),
        ({**STAY, "check_in": "2026-12-04", "check_out": "2026-12-01"}, "La salida debe ser después"),
        ({**STAY, "check_in": "2026-10-01"}, "La llegada ya pasó"),
    ],
)
def test_a_search_that_makes_no_sense_is_answered_kindly(client, home, query, words):
    response = client.get("/", query)

    assert response.status_code == 200
    assert words in read(response)
    assert 'value="2026-12-01"' in response.content.decode() or query["check_in"] != STAY["check_in"]


def test_a_home_shows_its_rules_and_two_months_that_begin_on_sunday(client, home):
    response = client.get("/casas/casa-caracol/")
    text = read(response)

    assert "A dos calles del mar." in text
    assert "Llegada a partir de las 15:00" in text
    assert "Salida antes de las 12:00" in text
    assert "noviembre de 2026" in text
    assert "diciembre de 2026" in text
    assert text.index("do lu ma mi ju vi sá") > 0


def test_the_calendar_says_in_words_which_nights_are_taken(client, home):
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 8), nights=2)

    text = read(client.get("/casas/casa-caracol/", {"month": "2026-12"}))

    assert "7 , libre" in text
    assert "8 , solo salida" in text
    assert "9 , ocupada" in text
    assert "10 , libre" in text


@pytest.mark.parametrize("month", ["2026-11", "1999-01", "mañana", "", "2026-13", "0001-01", "-"])
def test_a_month_that_is_past_or_none_shows_the_present_one(client, home, month):
    assert "noviembre de 2026" in read(client.get("/casas/casa-caracol/", {"month": month}))


def test_the_calendar_ends_at_the_horizon(client, home):
    response = client.get("/casas/casa-caracol/", {"month": "2999-01"})

    assert "noviembre de 2028" in read(response)
    assert "month=2028-11" not in response.content.decode()


def test_paging_the_calendar_keeps_the_stay(client, home):
    response = client.get("/casas/casa-caracol/", STAY)

    expected = "?check_in=2026-12-01&amp;check_out=2026-12-04&amp;guests=2&amp;month=2027-01"
    assert expected in response.content.decode()


def test_a_free_stay_shows_a_price_that_adds_up_and_when_it_is_paid(client, home):
    text = read(client.get("/casas/casa-caracol/", STAY))

    assert "Total $5,336.00 MXN impuestos incluidos" in text
    assert "3 noches × $1,500.00 MXN $4,500.00 MXN" in text
    assert "Limpieza $100.00 MXN" in text
    assert "IVA (16 %) $736.00 MXN" in text
    assert "Hoy pagas $1,600.80 MXN anticipo del 30 %" in text
    assert "Después pagas $3,735.20 MXN el jueves 3 de diciembre, con la misma tarjeta" in text


def test_the_price_of_a_long_stay_names_its_discount(client, home):
    text = read(client.get("/casas/casa-caracol/", {**STAY, "check_out": "2026-12-08"}))

    assert "Descuento por estancia larga −$1,050.00 MXN" in text


def test_the_refund_terms_are_dates_and_pesos_of_this_stay(client, home):
    text = read(client.get("/casas/casa-caracol/", STAY))

    assert "Hasta el lunes 23 de noviembre : te devolvemos todo lo que pagaste, $1,600.80 MXN." in text
    assert "Del martes 24 de noviembre al martes 1 de diciembre : no se devuelven los $1,600.80 MXN" in text
    assert "se cobran $1,067.20 MXN a tu tarjeta" in text
    assert "se cobra la estancia completa, $5,336.00 MXN" in text


def test_an_unknown_or_unlisted_home_is_not_found(client):
    make_property(slug="escondida", is_listed=False)

    assert client.get("/casas/ninguna/").status_code == 404
    assert client.get("/casas/escondida/").status_code == 404


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({**STAY, "check_in": "2026-10-01"}, "La llegada ya pasó."),
        ({**STAY, "check_in": "2026-12-04", "check_out": "2026-12-01"}, "La salida debe ser después"),
        ({**STAY, "check_out": "2026-12-02"}, "se renta por 2 noches como mínimo"),
        ({**STAY, "check_out": "2028-01-04"}, "se renta por 365 noches como máximo"),
        ({**STAY, "guests": "5"}, "Esta casa recibe hasta 4 huéspedes."),
        ({**STAY, "guests": "0"}, "mayor o igual a 1"),
        ({**STAY, "guests": "-3"}, "mayor o igual a 1"),
        ({**STAY, "check_in": "\x00"}, "Introduzca una fecha válida."),
        ({**STAY, "check_in": "2026-02-31"}, "Introduzca una fecha válida."),
        ({"check_in": ""}, "Este campo es obligatorio."),
    ],
)
def test_dates_that_cannot_be_had_are_refused_beside_the_form(client, home, query, words):
    response = client.get("/casas/casa-caracol/", query)

    assert response.status_code == 200
    assert words in read(response)
    assert "Apartar estas fechas" not in read(response)


def test_taken_nights_come_with_the_nearest_free_ones(client, home):
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 1), nights=3)

    response = client.get("/casas/casa-caracol/", STAY)

    assert "Algunas de estas noches ya están ocupadas." in read(response)
    assert "vie 4 dic – lun 7 dic" in read(response)
    assert "?check_in=2026-12-04&amp;check_out=2026-12-07&amp;guests=2#stay" in response.content.decode()


def test_holding_leads_to_the_guests_own_page(client, home):
    response = client.post("/casas/casa-caracol/", {**STAY, **CONTACT})

    booking = Booking.objects.get()
    assert response.status_code == 303
    assert response["Location"] == booking.get_absolute_url()
    assert booking.guest_name == "Lucía Pérez"
    assert booking.quote.check_in == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "\u200b\u2060"}, "Escribe un nombre que se pueda leer."),
        ({"name": ""}, "Este campo es obligatorio."),
        ({"email": "lucia"}, "correo electrónico válid"),
        ({"email": "a" * 300 + "@correo.mx"}, "como máximo 254"),
        ({"phone": "llámame"}, "Usa solo números"),
        ({"name": "x\x00y"}, "nulos"),
    ],
)
def test_a_wrong_contact_is_refused_and_nothing_typed_is_lost(client, home, wrong, words):
    response = client.post("/casas/casa-caracol/", {**STAY, **CONTACT, **wrong})

    assert words in read(response)
    assert not Booking.objects.exists()
    body = response.content.decode()
    kept = {name: value for name, value in {**CONTACT, **wrong}.items() if name != "accepts"}
    assert 'name="accepts" id="accepts" required checked' in body
    assert all(f'value="{kept[name]}"' in body for name in kept if kept[name] and "\x00" not in kept[name])
    assert 'name="check_in" value="2026-12-01"' in body


def test_a_hold_that_lost_the_race_keeps_the_contact_for_other_dates(client, home):
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 1), nights=3, email="otra@correo.example")

    refused = client.post("/casas/casa-caracol/", {**STAY, **CONTACT})
    elsewhere = client.get(
        "/casas/casa-caracol/", {**STAY, "check_in": "2026-12-04", "check_out": "2026-12-07"}
    )

    assert "Alguien acaba de apartar algunas de estas noches." in read(refused)
    assert "vie 4 dic – lun 7 dic" in read(refused)
    assert 'value="Lucía Pérez"' in elsewhere.content.decode()


def test_the_same_form_sent_twice_is_one_hold(client, home):
    first = client.post("/casas/casa-caracol/", {**STAY, **CONTACT})
    second = client.post("/casas/casa-caracol/", {**STAY, **CONTACT})

    assert first["Location"] == second["Location"]
    assert Booking.objects.count() == 1


def test_the_same_form_from_somebody_else_or_later_is_refused(client, home):
    client.post("/casas/casa-caracol/", {**STAY, **CONTACT})

    other = Client().post("/casas/casa-caracol/", {**STAY, **CONTACT, "phone": "55 0000 0000"})
    with freeze_time(NOW + timedelta(minutes=3)):
        later = Client().post("/casas/casa-caracol/", {**STAY, **CONTACT})

    assert "Alguien acaba de apartar" in read(other)
    assert "Alguien acaba de apartar" in read(later)


def test_a_hold_of_past_dates_is_refused_by_the_form_that_was_left_open(client, home):
    with freeze_time(NOW + timedelta(days=60)):
        response = client.post("/casas/casa-caracol/", {**STAY, **CONTACT})

    assert "La llegada ya pasó." in read(response)
    assert not Booking.objects.exists()


def test_today_is_the_propertys_own_date(client):
    """At 23:30 in Tijuana it is tomorrow in Cancún: the same day is past in one and not in the other."""
    make_property(slug="tijuana", timezone="America/Tijuana")
    make_property(slug="cancun", timezone="America/Cancun")
    stay = {**STAY, "check_in": "2026-11-02", "check_out": "2026-11-05"}

    with freeze_time(datetime(2026, 11, 3, 7, 30, tzinfo=UTC)):
        west = read(client.get("/casas/tijuana/", stay))
        east = read(client.get("/casas/cancun/", stay))

    assert "Hoy pagas" in west
    assert "La llegada ya pasó." in east


@pytest.mark.parametrize("path", ["/", "/casas/casa-caracol/"])
@pytest.mark.parametrize("query", [{}, STAY, {**STAY, "guests": "9"}, {**STAY, "check_in": "x"}])
def test_no_english_word_is_on_a_spanish_page(client, home, path, query):
    assert english_words(read(client.get(path, query))) == set()


def test_the_pages_are_complete_in_english(client, home):
    client.post("/idioma/", {"language": "en", "next": "/"})

    text = read(client.get("/casas/casa-caracol/", STAY))

    assert "You pay today" in text
    assert "Until Monday, November 23 : you get back everything you paid" in text


def test_the_number_of_queries_does_not_grow_with_the_homes(client, django_assert_num_queries):
    for _ in range(5):
        services.hold_stay(
            home=make_property(),
            check_in=date(2026, 12, 1),
            check_out=date(2026, 12, 4),
            guests=2,
            guest=services.Guest(name="Ana", email="ana@correo.example"),
            now=NOW,
        )

    with django_assert_num_queries(1):
        client.get("/", STAY)


@pytest.mark.parametrize(("query", "most"), [({}, 2), (STAY, 3)])
def test_a_home_is_read_with_its_photos_and_its_nights_with_one_question_each(
    client, home, django_assert_num_queries, query, most
):
    with django_assert_num_queries(most):
        assert client.get("/casas/casa-caracol/", query).status_code == 200


def test_the_list_sees_at_once_what_is_taken_and_what_has_lapsed(client, home):
    def is_free(at: datetime) -> bool:
        with freeze_time(at):
            return "$5,336.00 MXN en total" in read(client.get("/", STAY))

    assert is_free(NOW)
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 2), nights=4)
    assert not is_free(NOW + timedelta(minutes=29))
    assert is_free(NOW + timedelta(minutes=30))


def test_a_home_says_at_once_what_is_taken_and_what_it_costs(client, home):
    assert "$5,336.00 MXN" in read(client.get("/casas/casa-caracol/", STAY))

    Property.objects.update(nightly_rate_minor=160_000)
    assert "$5,684.00 MXN" in read(client.get("/casas/casa-caracol/", STAY))

    make_hold(now=NOW, home=home, check_in=date(2026, 12, 2), nights=4)
    assert "Algunas de estas noches ya están ocupadas" in read(client.get("/casas/casa-caracol/", STAY))
    assert client.get("/casas/casa-caracol/").content.count(b'data-state="taken"') == 3
