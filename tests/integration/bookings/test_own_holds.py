"""A guest who closed the tab is led back to their own hold, and only in their own browser."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from freezegun import freeze_time

from bookings.models import Booking
from payments import tasks
from payments.models import GuestEmail
from procrastinate_tasks.testing import assert_enqueued
from reyes_estancias.tasks import clear_sessions
from tests.factories import make_hold, make_property
from tests.integration.pages import english_words, read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)  # noon in Mexico City
STAY = {"check_in": "2026-12-01", "check_out": "2026-12-04", "guests": "2"}
CONSENT = {"accepts": "on", "versions": "0-0"}
CONTACT = {"name": "Lucía Pérez", "email": "lucia@correo.example", "phone": "55 1234 5678", **CONSENT}
PAGE = "/casas/casa-caracol/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def today():
    with freeze_time(NOW):
        yield


@pytest.fixture(autouse=True)
def home():
    return make_property(name="Casa Caracol", slug="casa-caracol", nightly_rate_minor=150_000, capacity=4)


def test_the_same_nights_in_the_same_browser_lead_back_to_the_hold_as_long_as_it_stands(client):
    first = client.post(PAGE, {**STAY, **CONTACT})
    with freeze_time(NOW + timedelta(minutes=20)):
        later = client.post(PAGE, {**STAY, **CONTACT, "name": "L. Pérez"})

    assert later["Location"] == first["Location"]
    assert Booking.objects.count() == 1


@pytest.mark.parametrize("path", ["/", PAGE])
@pytest.mark.parametrize("query", [{}, STAY, {**STAY, "check_in": "2026-12-03", "check_out": "2026-12-06"}])
def test_every_page_says_whose_the_nights_are_and_until_when(client, path, query):
    held = client.post(PAGE, {**STAY, **CONTACT})["Location"]

    response = client.get(path, query)

    assert "estas noches son tuyas hasta las 12:30. Sigue con tu reserva" in read(response)
    assert f'href="{held}"' in response.content.decode()
    assert "Algunas de estas noches ya están ocupadas." not in read(response)
    assert english_words(read(response)) == set()


def test_another_browser_is_told_nothing(client):
    client.post(PAGE, {**STAY, **CONTACT})

    other = Client().get(PAGE, STAY)

    assert "son tuyas" not in read(other)
    assert "Algunas de estas noches ya están ocupadas." in read(other)


@pytest.mark.parametrize("cookie", ["", "x", "00000000", "a.b.c", "é", "x" * 5000])
def test_a_cookie_that_is_not_ours_opens_nothing(client, home, cookie):
    hold = make_hold(now=NOW, home=home, check_in=date(2026, 12, 1))
    client.cookies["apartados"] = cookie or hold.public_id.hex

    response = client.get(PAGE, STAY)

    assert response.status_code == 200
    assert "son tuyas" not in read(response)


def test_a_hold_that_is_over_is_not_offered(client):
    client.post(PAGE, {**STAY, **CONTACT})

    with freeze_time(NOW + timedelta(minutes=31)):
        assert "son tuyas" not in read(client.get(PAGE))


@pytest.mark.parametrize("path", ["/", PAGE])
def test_no_shared_cache_keeps_a_page_that_is_one_visitors(client, path):
    response = client.get(path)

    assert "private" in response["Cache-Control"]
    assert "Cookie" in response["Vary"]


def test_a_visitor_who_holds_too_much_is_told_what_to_do(client):
    for number in range(5):
        make_property(slug=f"otra-{number}")
        refused = client.post(
            f"/casas/otra-{number}/", {**STAY, **CONTACT, "email": f"a{number}@correo.example"}
        )

    assert "Ya tienes otras noches apartadas sin pagar." in read(refused)
    assert Booking.objects.count() == 4


# --- What is stored of a visitor --------------------------------------------------------------------------


def test_nothing_that_was_not_validated_is_stored(client):
    response = client.post(PAGE, {**STAY, **CONTACT, "name": "x" * 50_000})

    assert response.status_code == 200
    assert not Session.objects.exists()


def test_a_form_larger_than_forms_are_is_refused(client):
    assert client.post(PAGE, {**STAY, **CONTACT, "name": "x" * 2_300_000}).status_code == 400
    assert not Session.objects.exists()


@pytest.mark.parametrize("path", ["/", PAGE])
def test_readers_and_those_who_hold_leave_no_session(client, path):
    client.get(path, STAY)
    client.post(PAGE, {**STAY, **CONTACT})
    client.get(path)

    assert not Session.objects.exists()


def test_the_contact_of_a_guest_who_was_refused_is_kept_for_an_hour_and_then_cleared(client, home):
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 1))

    client.post(PAGE, {**STAY, **CONTACT})

    session = Session.objects.get()
    assert session.expire_date == NOW + timedelta(hours=1)
    assert len(session.session_data) < 1_000
    assert clear_sessions() == "sessions_cleared=0"
    with freeze_time(NOW + timedelta(hours=1, seconds=1)):
        assert clear_sessions() == "sessions_cleared=1"


def test_whoever_is_signed_in_stays_so(client, home, django_user_model):
    client.force_login(django_user_model.objects.create_user("rosa"))
    before = Session.objects.get().expire_date
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 1))

    client.post(PAGE, {**STAY, **CONTACT})

    assert Session.objects.get().expire_date >= before


# --- The e-mail of the hold -------------------------------------------------------------------------------


def test_a_hold_is_written_to_its_guest_with_the_way_back(client):
    held = client.post(PAGE, {**STAY, **CONTACT})["Location"]

    email = GuestEmail.objects.get()
    assert_enqueued("payments.tasks.send_guest_email", {"email_id": email.pk})
    assert tasks.send_guest_email(email.pk) == "sent"

    (message,) = mail.outbox
    assert message.to == ["lucia@correo.example"]
    assert "Apartado hasta las 12:30: Casa Caracol" in message.subject
    assert held in message.body
    assert "Paga antes el anticipo de $1,600.80\u00a0MXN" in message.body
    words = message.body.replace(held, "").replace(settings.SITE_BASE_URL, "")
    assert english_words(words) == set()


def test_the_same_form_sent_twice_is_one_email(client):
    for _ in range(2):
        client.post(PAGE, {**STAY, **CONTACT})

    assert GuestEmail.objects.count() == 1


def test_a_hold_and_its_email_are_there_together_or_not_at_all(client, monkeypatch):
    def fail(**_: object) -> None:
        raise RuntimeError("killed between the two")

    monkeypatch.setattr("payments.services.announce_hold", fail)

    with pytest.raises(RuntimeError):
        client.post(PAGE, {**STAY, **CONTACT})

    assert not Booking.objects.exists()


def test_a_guest_who_reads_english_is_written_to_in_english(client):
    client.cookies["django_language"] = "en"
    client.post(PAGE, {**STAY, **CONTACT})

    tasks.send_guest_email(GuestEmail.objects.get().pk)

    assert mail.outbox[0].subject.startswith("Held until 12:30 PM: Casa Caracol")
