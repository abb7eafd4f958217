"""Guests agree to texts that the owner publishes, version by version, and what they agreed to is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.urls import reverse
from freezegun import freeze_time

from bookings.legal import built_in, read_sections
from bookings.models import Booking, Consent, LegalText
from tests.factories import make_property
from tests.integration.pages import english_words, read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
STAY = {"check_in": "2026-12-01", "check_out": "2026-12-04", "guests": "2"}
CONTACT = {"name": "Lucía Pérez", "email": "lucia@correo.example"}
PAGE = "/casas/casa-caracol/"
PATHS = {"terms": "/terminos/", "privacy": "/privacidad/", "cookies": "/cookies/"}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def today():
    with freeze_time(NOW):
        yield


@pytest.fixture(autouse=True)
def home():
    return make_property(name="Casa Caracol", slug="casa-caracol")


def publish(kind: str, version: int, words: str = "Nuevas reglas.") -> LegalText:
    return LegalText.objects.create(
        kind=kind, version=version, spanish=words, english="New rules.", published_at=NOW
    )


def hold(client, **consent: str):
    return client.post(PAGE, {**STAY, **CONTACT, **consent})


# --- The pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "path"), PATHS.items())
def test_each_text_is_there_before_the_owner_has_written_one(client, kind, path):
    text = read(client.get(path))

    assert "Primera versión." in text
    assert len(text) > 900
    assert english_words(text) <= {"cookies"}


@pytest.mark.parametrize("kind", LegalText.Kind.values)
def test_the_texts_that_come_with_the_site_say_as_much_in_both_languages(kind):
    spanish, english = (read_sections(built_in(kind, is_english=each)) for each in (False, True))

    assert [len(section.paragraphs) for section in spanish] == [len(each.paragraphs) for each in english]


def test_a_page_shows_the_newest_version_and_older_ones_on_request(client):
    publish("terms", 1, "## Uno\n\nLas primeras.")
    publish("terms", 2, "## Dos\n\nLas segundas <b>reglas</b>.")

    assert "Las segundas <b>reglas</b>." in read(client.get("/terminos/"))
    assert "Las primeras." in read(client.get("/terminos/?version=1"))
    assert "Primera versión." in read(client.get("/terminos/?version=0"))
    assert client.get("/terminos/?version=9").status_code == 404
    client.cookies["django_language"] = "en"
    assert "New rules." in read(client.get("/terminos/"))


def test_who_lets_the_homes_is_told_on_every_page(client, settings):
    settings.COMPANY = {
        "name": "Estancias Reyes, S. A. de C. V.",
        "rfc": "ERE010101AB1",
        "address": "Calle Uno 2, Tulum",
        "phone": "984 123 4567",
    }

    home, privacy = read(client.get("/")), read(client.get("/privacidad/"))

    assert "Estancias Reyes, S. A. de C. V. · Calle Uno 2, Tulum" in home
    assert "984 123 4567" in home
    assert "RFC ERE010101AB1" in privacy
    assert 'href="tel:9841234567"' in client.get("/").content.decode()


# --- The consent ------------------------------------------------------------------------------------------


def test_without_the_box_nothing_is_held_and_the_page_says_why(client):
    response = hold(client, versions="0-0")

    assert "Léelos y marca la casilla" in read(response)
    assert 'name="name" value="Lucía Pérez"' in response.content.decode()
    assert not Booking.objects.exists()


def test_a_hold_keeps_which_versions_were_accepted_and_when(client):
    publish("terms", 1)
    publish("privacy", 1)
    publish("privacy", 2)

    assert hold(client, accepts="on", versions="1-2").status_code == 303

    consent = Consent.objects.get(booking=Booking.objects.get())
    assert (consent.terms_version, consent.privacy_version, consent.accepted_at) == (1, 2, NOW)


@pytest.mark.parametrize("versions", ["0-0", "", "1-1", "x" * 30, "9-9"])
def test_nobody_accepts_what_the_page_did_not_show(client, versions):
    publish("terms", 1)

    response = hold(client, accepts="on", versions=versions)

    assert response.status_code == 200
    assert not Booking.objects.exists()
    assert 'name="versions" value="1-0"' in response.content.decode()


def test_what_was_published_and_agreed_to_never_changes(client):
    text = publish("terms", 1)
    hold(client, accepts="on", versions="1-0")

    for change in (
        lambda: LegalText.objects.filter(pk=text.pk).update(spanish="Otra cosa."),
        lambda: text.delete(),
        lambda: Consent.objects.update(terms_version=7),
        lambda: publish("terms", 1),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_holding_again_carries_the_consent_along(client):
    booking_page = hold(client, accepts="on", versions="0-0")["Location"]

    with freeze_time("2026-11-02 18:31:00"):
        page = client.get(booking_page).content.decode()

    assert 'name="accepts" value="on"' in page
    assert 'name="versions" value="0-0"' in page


# --- The office -------------------------------------------------------------------------------------------


def test_the_owner_publishes_the_next_version_starting_from_the_last(client):
    owner = User.objects.create_superuser("duena")
    client.force_login(owner)
    publish("privacy", 1, "El aviso de antes.")
    address = reverse("admin:bookings_legaltext_add")
    assert "El aviso de antes." in client.get(f"{address}?kind=privacy").content.decode()

    client.post(address, {"kind": "privacy", "spanish": "El aviso de ahora.", "english": "The notice."})

    text = LegalText.objects.get(kind="privacy", version=2)
    assert (text.spanish, text.published_at) == ("El aviso de ahora.", NOW)
    changed = client.get(reverse("admin:bookings_legaltext_change", args=[text.pk]))
    assert '<textarea name="spanish"' not in changed.content.decode()
