"""Staff see every e-mail as its guest does, without what only the guest may do."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse

from payments.models import GuestEmail
from tests.factories import make_confirmed_booking

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("kind", "language"), list(product([*GuestEmail.Kind.values, "access_link"], dict(settings.LANGUAGES)))
)
def test_a_sample_of_every_kind_is_shown_in_every_language(admin_client, kind, language):
    address = reverse("admin:payments_sample_email", args=[kind, language])

    page, framed = admin_client.get(address), admin_client.get(f"{address}?html")

    assert "Reyes Estancias" in page.content.decode()
    assert ("RE-00000000" in page.content.decode()) == (kind != "access_link")
    assert f'lang="{language}"' in framed.content.decode()
    assert framed["X-Frame-Options"] == "SAMEORIGIN"
    assert "default-src 'none'" in framed["Content-Security-Policy"]


def test_an_email_that_was_asked_for_is_shown_without_the_guests_link(admin_client):
    booking = make_confirmed_booking(now=NOW)
    email = GuestEmail.objects.get(booking=booking)
    address = reverse("admin:payments_guestemail_seen", args=[email.pk])

    page, framed = admin_client.get(address), admin_client.get(f"{address}?html")

    assert "Lucía Pérez" in framed.content.decode()
    for answer in (page, framed):
        assert booking.access_token not in answer.content.decode()


@pytest.mark.parametrize("name", ["samples", "seen"])
def test_nobody_sees_an_email_without_the_right_to(client, name):
    client.force_login(User.objects.create_user("nadie", is_staff=True))
    email = GuestEmail.objects.get(booking=make_confirmed_booking(now=NOW))
    args = [email.pk] if name == "seen" else []

    assert client.get(reverse(f"admin:payments_guestemail_{name}", args=args)).status_code == 403


@pytest.mark.parametrize("path", ["samples/nothing/en/", "samples/hold/xx/", "999999/seen/"])
def test_what_there_is_not_is_not_found(admin_client, path):
    address = reverse("admin:payments_guestemail_changelist") + path

    assert admin_client.get(address).status_code == 404
