"""Pages that are kept for everybody show nobody anything of anybody else, and no fact that has changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import Client
from freezegun import freeze_time

from bookings import queries, shared_pages
from bookings.models import Booking, Property
from tests.factories import make_hold, make_property
from tests.integration.pages import read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)  # noon in Mexico City
HOME = "/casas/casa-caracol/"
STAY = {"check_in": "2026-12-01", "check_out": "2026-12-04", "guests": "2"}
HELD = {
    **STAY,
    "name": "Lucía Pérez",
    "email": "lucia@correo.example",
    "phone": "",
    "accepts": "on",
    "versions": "0-0",
}
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def today():
    with freeze_time(NOW):
        yield


@pytest.fixture(autouse=True)
def home():
    return make_property(name="Casa Caracol", slug="casa-caracol", nightly_rate_minor=150_000, capacity=4)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates that were drawn for everybody, one for each time."""
    names: list[str] = []

    def note(template: str, context: dict[str, object], request: HttpRequest) -> str:
        names.append(template)
        return render_to_string(template, context, request)

    monkeypatch.setattr(shared_pages, "render_to_string", note)
    return names


@pytest.mark.parametrize("path", ["/", HOME])
def test_a_page_is_drawn_once_for_all_and_each_has_a_token_of_their_own(path: str, drawn: list[str]):
    visitors = [Client(enforce_csrf_checks=True) for _ in range(3)]

    pages = [visitor.get(path).content.decode() for visitor in visitors]
    tokens = [TOKEN.findall(page) for page in pages]

    assert len(drawn) == 1
    assert len({token for (token,) in tokens}) == 3
    for visitor, (token,) in zip(visitors, tokens, strict=True):
        sent = {"language": "en", "next": "/", "csrfmiddlewaretoken": token}
        assert visitor.post("/idioma/", sent).status_code == 302
    others = {"language": "en", "next": "/", "csrfmiddlewaretoken": tokens[1][0]}
    assert visitors[0].post("/idioma/", others).status_code == 403


@pytest.mark.parametrize("path", ["/", HOME])
def test_what_is_one_visitors_alone_is_in_no_page_of_anybody_else(client: Client, path: str, home: Property):
    holder, other = client, Client()
    other.get(path)
    holder.post(HOME, HELD)

    assert "son tuyas" in read(holder.get(path))
    assert "son tuyas" not in read(other.get(path))
    assert "son tuyas" in read(holder.get(path))


@pytest.mark.parametrize("path", ["/", HOME])
def test_what_is_told_once_is_told_to_one(client: Client, path: str, home: Property):
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 1))
    client.get(path)
    client.post(f"{HOME}espera/", STAY)

    assert "nadie puede apartar estas fechas por más tiempo" in read(client.get(path))
    assert "nadie puede apartar" not in read(Client().get(path))
    assert "nadie puede apartar" not in read(client.get(path))


def close(home: Property) -> None:
    make_hold(now=NOW, home=home, check_in=date(2026, 11, 10), nights=2)


CHANGES: list[tuple[str, Callable[[Property], object]]] = [
    ("/", lambda home: Property.objects.filter(pk=home.pk).update(nightly_rate_minor=160_000)),
    ("/", lambda home: Property.objects.filter(pk=home.pk).update(is_listed=False)),
    ("/", lambda home: make_property(name="Casa Nueva")),
    (HOME, lambda home: Property.objects.filter(pk=home.pk).update(summary="Otra cosa")),
    (HOME, lambda home: Property.objects.filter(pk=home.pk).update(house_rules="No fumar")),
    (HOME, close),
]


@pytest.mark.parametrize(("path", "change"), CHANGES)
def test_a_change_is_seen_by_the_next_who_asks(
    client: Client, home: Property, path: str, change: Callable[[Property], object]
):
    before = read(client.get(path))
    assert read(client.get(path)) == before

    change(home)

    assert read(client.get(path)) != before


@pytest.mark.parametrize("path", ["/", HOME])
def test_the_next_day_and_the_other_language_are_other_pages(client: Client, path: str):
    first = client.get(path).content.decode()
    assert 'min="2026-11-02"' in first

    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    assert '<html lang="en">' in client.get(path).content.decode()

    del client.cookies[settings.LANGUAGE_COOKIE_NAME]
    with freeze_time(NOW + timedelta(days=1)):
        assert 'min="2026-11-03"' in client.get(path).content.decode()


def test_a_hold_that_has_lapsed_is_free_on_the_calendar_at_once(client: Client, home: Property):
    close(home)
    taken = b'data-day="2026-11-11" data-state="taken"'
    assert taken in client.get(HOME).content

    with freeze_time(NOW + timedelta(minutes=30)):
        assert taken not in client.get(HOME).content


def test_a_page_that_asks_for_something_is_kept_for_nobody(client: Client, drawn: list[str]):
    for query in ("?month=2027-01", "?guests=2", "?x=1"):
        client.get(f"{HOME}{query}")
        client.get(f"/{query}")

    assert drawn == []


def test_an_hour_is_that_of_its_own_zone_though_the_instant_is_the_same(client: Client):
    mexico, cancun = make_property(), make_property(timezone="America/Cancun")

    for home, hour in ((mexico, "12:30"), (cancun, "13:30")):
        booking = make_hold(now=NOW, home=home)
        assert f"Apartado para ti hasta las {hour}" in read(client.get(booking.get_absolute_url()))


def test_what_is_read_with_sql_is_what_the_models_read(home: Property):
    booking = make_hold(now=NOW, home=home)

    found = queries.find_booking(booking.access_token)
    (listed,) = queries.list_listed(nights=None, now=NOW)

    by_django = Booking.objects.select_related("quote__home").get(pk=booking.pk)
    shown, _photos = queries.find_listed(home.slug)
    for ours, theirs in (
        (found, by_django),
        (found.quote, by_django.quote),
        (found.home, by_django.home),
        (listed.home, home),
        (shown, home),
    ):
        columns = [field.attname for field in theirs._meta.concrete_fields]
        theirs.refresh_from_db()
        assert [getattr(ours, name) for name in columns] == [getattr(theirs, name) for name in columns]
        assert ours._state.db == "default"
        assert not ours._state.adding
