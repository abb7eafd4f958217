"""Nobody holds dates, tries cards or guesses passwords by the hundred; readers and Stripe are not counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from freezegun import freeze_time

from procrastinate_tasks.conf import Rate
from reyes_estancias.form_limits import count_form
from reyes_estancias.models import FormCount
from reyes_estancias.visitors import address_of, pseudonym_of
from tests.integration.pages import english_words, read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
LANGUAGE = ("/idioma/", {"language": "es-mx", "next": "/"})

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def limits(settings):
    settings.FORM_LIMITS = {
        "login": Rate(2, per=timedelta(minutes=5)),
        "": Rate(3, per=timedelta(minutes=1)),
    }


@pytest.fixture(autouse=True)
def noon():
    with freeze_time(NOW) as clock:
        yield clock


def send(client: Client, address: str = "192.0.2.1") -> int:
    return client.post(*LANGUAGE, REMOTE_ADDR=address).status_code


def test_a_form_too_many_is_refused_kindly_until_the_span_is_over(client, noon):
    assert [send(client) for _ in range(4)] == [302, 302, 302, 429]

    refused = client.post(*LANGUAGE, REMOTE_ADDR="192.0.2.1")
    assert refused["Retry-After"] == "60"
    assert "Espera unos minutos" in read(refused)
    assert english_words(read(refused)) == set()
    noon.tick(timedelta(seconds=61))
    assert send(client) == 302


def test_each_visitor_has_a_count_of_their_own(client):
    assert [send(client, "192.0.2.1") for _ in range(4)][-1] == 429

    assert send(client, "192.0.2.2") == 302


def test_reading_is_never_refused(client):
    assert {client.get("/", REMOTE_ADDR="192.0.2.1").status_code for _ in range(10)} == {200}


def test_stripe_s_webhook_is_not_counted(client):
    statuses = {client.post("/webhooks/stripe/", b"{}", "application/json").status_code for _ in range(10)}

    assert statuses == {400}


def test_passwords_cannot_be_guessed_for_long(client):
    User.objects.create_superuser("rosa", password="correct horse")
    wrong = {"username": "rosa", "password": "guess"}
    assert [client.post("/admin/login/", wrong).status_code for _ in range(3)] == [200, 200, 429]

    right = client.post("/admin/login/", {"username": "rosa", "password": "correct horse"})

    assert right.status_code == 429, "not even the right one tells a guesser that it is right"


def test_no_address_is_stored(client):
    send(client)

    row = FormCount.objects.get()
    assert "192.0.2.1" not in row.visitor
    assert len(row.visitor) == 32


def test_counts_that_are_over_are_swept_away(client, noon):
    for host in range(5):
        send(client, f"192.0.2.{host}")
    noon.tick(timedelta(minutes=2))

    send(client, "192.0.2.9")

    assert FormCount.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_forms_sent_at_once_are_all_counted():
    def count(_: int) -> int:
        try:
            return count_form(kind="", visitor="v", ends_at=NOW + timedelta(minutes=1), now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        counts = sorted(threads.map(count, range(40)))

    assert counts == list(range(1, 41))


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "10.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        (2, "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (1, "", ""),
        (2, "203.0.113.9", "10.0.0.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_only_the_part_of_the_path_that_our_proxies_wrote_is_believed(settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().post("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": forwarded})

    assert address_of(request) == expected
    assert len(pseudonym_of(request)) == 32


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        ("9.9.9.9:443", "9.9.9.9"),
        ("9.9.9.9", "9.9.9.9"),
        ("[2001:db8:1:2:3::4]:443", "2001:db8:1:2::"),
        ("[2001:db8:1:2:3::4]", "2001:db8:1:2::"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::"),
        ("9.9.9.9:443:1", "9.9.9.9:443:1"),
    ],
)
def test_a_proxy_that_adds_the_port_makes_no_other_visitor_of_each_connection(rf, settings, sent, address):
    settings.TRUSTED_PROXIES = 1

    assert address_of(rf.get("/", headers={"x-forwarded-for": sent})) == address
