"""*Mis reservas*: a link to an address, which tells nobody whether it is known, and which opens once."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings as project
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client
from freezegun import freeze_time

from bookings.models import Booking
from payments import guest_access, tasks
from payments.guest_access import AccessLinkOver
from payments.ledger import dunning
from payments.models import AccessLink, GuestVisit
from procrastinate_tasks import Rate
from reyes_estancias import settings as real_settings
from tests.factories import BASE_URL, balance_of, make_confirmed_booking, make_hold, make_property
from tests.integration.pages import english_words, read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)  # noon in Mexico City
KNOWN = "lucia@correo.example"
PAGE = "/mis-reservas/"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]


@pytest.fixture(autouse=True)
def today():
    with freeze_time(NOW, ignore=["concurrent.futures"]) as clock:
        yield clock


@pytest.fixture
def booking() -> Booking:
    return make_confirmed_booking(
        now=NOW, home=make_property(name="Casa Caracol"), check_in=date(2026, 12, 1), email=KNOWN
    )


def ask(client, email: str = KNOWN):
    return client.post(PAGE, {"email": email})


def send_all() -> list[str]:
    return [
        tasks.send_access_link(pk) for pk in AccessLink.objects.order_by("pk").values_list("pk", flat=True)
    ]


def link() -> str:
    """Return the path of the newest link that was sent."""
    found = re.search(rf"{project.SITE_BASE_URL}(/mis-reservas/entrar/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def enter(client) -> None:
    ask(client)
    send_all()
    assert client.post(link())["Location"] == PAGE


# --- Asking for a link ------------------------------------------------------------------------------------


def test_the_answer_is_the_same_for_a_known_and_an_unknown_address(client, booking):
    answers = [
        Client().post(PAGE, {"email": email}, follow=True) for email in (KNOWN, "nadie@correo.example")
    ]

    known, unknown = (read(answer) for answer in answers)
    assert known == unknown
    assert "Si hay reservas con ese correo" in known
    assert english_words(known) == set()
    assert send_all() == ["sent", "dropped"]
    assert [message.to for message in mail.outbox] == [[KNOWN]]


def test_asking_does_the_same_work_for_a_known_and_an_unknown_address(
    client, booking, django_assert_num_queries
):
    ask(client)  # Whatever is read once is read.
    with django_assert_num_queries(4):
        ask(client, KNOWN)
    with django_assert_num_queries(4):
        ask(client, "nadie@correo.example")


def test_the_email_tells_of_no_booking_and_speaks_the_visitors_language(client, booking):
    client.cookies["django_language"] = "en"
    ask(client)

    send_all()

    (message,) = mail.outbox
    assert message.subject == "Your bookings at Reyes Estancias"
    assert booking.folio not in message.body
    assert booking.access_token not in message.body


def test_an_address_is_found_however_it_is_capitalised(client, booking):
    ask(client, "Lucia@Correo.EXAMPLE")

    assert send_all() == ["sent"]


def test_nobodys_mailbox_is_filled_by_others(client, booking, today):
    for _ in range(5):
        ask(client)

    assert send_all() == ["sent", "sent", "sent", "dropped", "dropped"]


def test_one_visitor_asks_only_so_often(client, booking, settings):
    settings.FORM_LIMITS = {"my_bookings": Rate(5, per=timedelta(minutes=15))}

    assert [ask(client).status_code for _ in range(6)] == [303] * 5 + [429]


def test_the_project_limits_asking_and_opening():
    """The tests' own settings have no limits."""
    assert {"my_bookings", "open_access"} <= set(real_settings.FORM_LIMITS)


@pytest.mark.parametrize("email", ["", "no es un correo", "a" * 300 + "@correo.example"])
def test_what_is_no_address_is_asked_for_again(client, email):
    response = ask(client, email)

    assert response.status_code == 200
    assert not AccessLink.objects.exists()


def test_what_was_asked_for_is_forgotten_after_a_day(client, booking, today):
    ask(client)
    today.move_to(NOW + timedelta(days=1, minutes=1))
    ask(client)

    tasks.send_access_link(AccessLink.objects.latest("pk").pk)

    assert AccessLink.objects.count() == 1


# --- Opening it -------------------------------------------------------------------------------------------


def test_a_link_leads_to_the_bookings_of_the_address_and_to_no_others(client, booking):
    other = make_confirmed_booking(now=NOW, check_in=date(2026, 12, 1), email="otra@correo.example")
    enter(client)

    response = client.get(PAGE)

    text = read(response)
    assert "Casa Caracol" in text
    assert "Confirmada. El jueves 3 de diciembre cobramos el saldo de $3,735.20 MXN" in text
    assert booking.get_absolute_url() in response.content.decode()
    assert other.folio not in text
    assert english_words(text) == set()


def test_reading_mail_uses_no_link_and_the_button_uses_it_once(client, booking):
    ask(client)
    send_all()
    scanner = Client()
    for _ in range(3):
        assert scanner.get(link()).status_code == 200
    assert not GuestVisit.objects.exists()

    assert client.post(link()).status_code == 303

    for again in (Client().get(link()), Client().post(link())):
        assert "Ese enlace ya se usó o se venció." in read(again)
        assert not again.cookies.get("mis_reservas")


def test_a_link_ends_after_half_an_hour_and_a_visit_after_an_hour(client, booking, today):
    ask(client)
    send_all()
    today.move_to(NOW + timedelta(minutes=30))
    assert "se venció" in read(client.post(link()))

    enter(client)
    today.tick(timedelta(minutes=61))
    assert "Casa Caracol" not in read(client.get(PAGE))


def test_a_link_that_waited_too_long_for_the_mail_server_is_dropped(client, booking, today):
    ask(client)
    today.move_to(NOW + timedelta(minutes=31))

    assert send_all() == ["dropped"]


@pytest.mark.parametrize("token", ["nada", "0" * 32 + ".x", "a.b.c"])
def test_what_is_no_link_of_ours_opens_nothing(client, token):
    assert "se venció" in read(client.post(f"{PAGE}entrar/{token}/"))


def test_a_cookie_that_is_not_ours_opens_nothing(client, booking):
    enter(client)
    forged = Client()
    forged.cookies["mis_reservas"] = GuestVisit.objects.get().public_id.hex

    assert "Casa Caracol" not in read(forged.get(PAGE))


def test_leaving_ends_the_visit_in_every_tab(client, booking):
    enter(client)
    tab = Client()
    tab.cookies["mis_reservas"] = client.cookies["mis_reservas"].value

    client.post(f"{PAGE}salir/")

    for browser in (client, tab):
        assert "Casa Caracol" not in read(browser.get(PAGE))


def test_the_database_lets_one_visitor_in(booking, client):
    ask(client)
    ((access),) = AccessLink.objects.all()
    GuestVisit.objects.create(link=access, started_at=NOW, ends_at=NOW)

    with pytest.raises(IntegrityError), transaction.atomic():
        GuestVisit.objects.create(link=access, started_at=NOW, ends_at=NOW)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_open_a_link_at_once_one_gets_in(client, booking, monkeypatch):
    ask(client)
    ((access),) = AccessLink.objects.all()
    # Both find it unused.
    monkeypatch.setattr(guest_access, "require_openable", lambda token, now: access)

    def open_it(_number: int) -> bool:
        try:
            guest_access.open_link(token=access.token, now=NOW)
        except AccessLinkOver:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(max_workers=4) as threads:
        assert sorted(threads.map(open_it, range(4))) == [False, False, False, True]


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}entrar/nada/"])
def test_the_pages_are_kept_out_of_caches_and_search_engines(client, path):
    response = client.get(path)

    assert response["X-Robots-Tag"] == "noindex"
    assert "no-store" in response["Cache-Control"]


# --- What the list says -----------------------------------------------------------------------------------


def test_each_booking_is_in_words_with_what_to_do(client, booking):
    make_hold(now=NOW, home=make_property(name="Casa Apartada"), email=KNOWN)
    refused = make_confirmed_booking(now=NOW, home=make_property(name="Casa Debe"), email=KNOWN)
    dunning.note_decline(payment=balance_of(refused), code="insufficient_funds", base_url=BASE_URL, now=NOW)
    old = make_hold(now=NOW - timedelta(hours=2), home=make_property(name="Casa Vencida"), email=KNOWN)
    enter(client)

    text = read(client.get(PAGE))

    assert "Apartada para ti hasta las 12:30: falta pagar el anticipo Seguir y pagar" in text
    assert "Falta un pago de $3,735.20 MXN Seguir y pagar" in text
    assert "Se acabó el tiempo para pagar; no se cobró nada Ver la reserva" in text
    assert text.index("Próximas") < text.index("Canceladas o sin pagar") < text.index(old.folio)
    assert english_words(text) == set()


def test_the_list_takes_few_queries_however_long(client, booking, django_assert_max_num_queries):
    for _ in range(5):
        make_confirmed_booking(now=NOW, email=KNOWN)
    enter(client)

    with django_assert_max_num_queries(4):
        client.get(PAGE)


def test_a_page_that_is_missing_leads_to_my_bookings(client):
    response = client.get("/reserva/nada/")

    assert f'href="{PAGE}"' in response.content.decode()
    assert "pide uno nuevo" in read(response)
