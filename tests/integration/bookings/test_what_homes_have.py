"""What a home has is on its page, what lets one in is not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time

from bookings.models import Booking, Property
from bookings.queries import arrival_instructions
from tests.factories import make_confirmed_booking, make_hold, make_property
from tests.integration.pages import english_words, read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
WHOLE: dict[str, object] = {
    "bedrooms": 2,
    "beds": 3,
    "bathrooms": 1,
    "amenities": "Wi-Fi de 100 Mbps\n\n  Alberca <b>\n",
    "address": "Calle 5 #12, Tulum",
    "map_url": "https://maps.example/tulum",
    "house_rules": "No se permite fumar",
    "host_name": "Marisol Reyes",
    "host_phone": "+52 55 5555 0142",
    "arrival_instructions": "El código es 4711",
}

# What staff may change, what a guest then reads, and whether the list of homes says it too.
CHANGES: list[tuple[str, object, str, bool]] = [
    ("name", "Casa de las Garzas", "Casa de las Garzas", True),
    ("town", "Bacalar", "Bacalar", True),
    ("capacity", 9, "Hasta 9 huéspedes", True),
    ("nightly_rate_minor", 987_600, "9,876", True),
    ("min_nights", 4, "4 noches", True),
    ("summary", "Con vista a la laguna", "Con vista a la laguna", False),
    ("bathrooms", 7, "7 baños", False),
    ("amenities", "Hamacas", "Hamacas", False),
    ("address", "Calle 8", "Calle 8", False),
    ("map_url", "https://maps.example/bacalar", "https://maps.example/bacalar", False),
    ("house_rules", "Sin fiestas", "Sin fiestas", False),
    ("host_phone", "+52 55 5555 0199", "+52 55 5555 0199", False),
]

pytestmark = pytest.mark.django_db


def test_the_page_of_a_home_says_what_it_has_and_never_how_to_get_in(client: Client):
    home = make_property(**WHOLE)

    response = client.get(f"/casas/{home.slug}/")
    text = read(response)

    for words in (
        "2 recámaras · 3 camas · 1 baño",
        "Wi-Fi de 100 Mbps",
        "Calle 5 #12, Tulum",
        "Ver en el mapa",
        "No se permite fumar",
        "Quién te recibe Marisol Reyes, +52 55 5555 0142",
    ):
        assert words in text
    assert 'href="tel:+525555550142"' in response.content.decode()
    assert "<b>" not in response.content.decode()
    assert "4711" not in response.content.decode()


def test_a_home_of_which_nothing_was_written_yet_has_no_empty_headings(client: Client):
    text = read(client.get(f"/casas/{make_property().slug}/"))

    for words in ("Lo que hay", "Dónde está", "Quién te recibe", "0 camas"):
        assert words not in text


def test_how_to_get_in_is_told_to_the_guest_of_a_confirmed_stay_alone():
    home = make_property(**WHOLE)
    guest = make_confirmed_booking(now=NOW, home=home, check_in=date(2026, 12, 1))
    hold = make_hold(now=NOW, home=home, check_in=date(2026, 12, 20))
    leaving = make_confirmed_booking(now=NOW, home=home, check_in=date(2027, 1, 1))
    Booking.objects.filter(pk=leaving.pk).update(cancel_requested_at=NOW)
    leaving.refresh_from_db()

    assert arrival_instructions(guest) == "El código es 4711"
    assert arrival_instructions(hold) == arrival_instructions(leaving) == ""


def test_a_guest_reads_where_to_go_and_whom_to_call_once_the_stay_is_confirmed(client: Client):
    home = make_property(**WHOLE)
    with freeze_time(NOW):
        guest = make_confirmed_booking(now=NOW, home=home, check_in=date(2026, 12, 1))
        hold = make_hold(now=NOW, home=home, check_in=date(2026, 12, 20))
        text = client.get(guest.get_absolute_url()).content.decode()
        of_hold = client.get(hold.get_absolute_url()).content.decode()

    assert home.address in text
    assert f'href="{home.map_url}"' in text
    assert home.host_name in text
    assert f'href="tel:{home.host_phone.replace(" ", "")}"' in text
    assert home.host_phone not in of_hold
    assert "4711" not in text + of_hold


def test_who_cancels_or_has_left_is_not_told_where_to_go(client: Client):
    booking = make_confirmed_booking(now=NOW, home=make_property(**WHOLE), check_in=date(2026, 12, 1))

    with freeze_time(booking.departure_at):
        assert "5555 0142" not in client.get(booking.get_absolute_url()).content.decode()
    Booking.objects.filter(pk=booking.pk).update(cancel_requested_at=NOW)
    with freeze_time(NOW):
        assert "5555 0142" not in client.get(booking.get_absolute_url()).content.decode()


@pytest.mark.parametrize("address", ["http://maps.example/", "javascript:alert(1)"])
def test_a_link_to_a_map_is_one_that_browsers_trust(admin_client: Client, address: str):
    home = make_property(**WHOLE)
    page = f"/admin/bookings/property/{home.pk}/change/"
    form = admin_client.get(page).context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields}

    admin_client.post(page, {**data, "map_url": address})

    home.refresh_from_db()
    assert home.map_url == "https://maps.example/tulum"


@pytest.mark.parametrize(("field", "value", "words", "is_listed"), CHANGES, ids=[row[0] for row in CHANGES])
def test_what_staff_change_of_a_home_is_seen_at_once(
    client: Client, field: str, value: object, words: str, is_listed: bool
):
    home = make_property(**WHOLE)
    pages = ["/", f"/casas/{home.slug}/"] if is_listed else [f"/casas/{home.slug}/"]
    assert not any(words in client.get(page).content.decode() for page in pages)

    Property.objects.filter(pk=home.pk).update(**{field: value})

    assert all(words in client.get(page).content.decode() for page in pages)


def test_a_home_that_was_read_in_one_language_is_read_in_the_other(client: Client):
    home = make_property(**WHOLE)
    pages = ("/", f"/casas/{home.slug}/")
    spanish = [read(client.get(page)) for page in pages]

    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    english = [read(client.get(page)) for page in pages]

    for text in spanish:
        assert not english_words(text)
        assert "Hasta 4 huéspedes" in text
    for text in english:
        assert "Up to 4 guests" in text
        assert "huéspedes" not in text


def test_the_list_tells_the_price_of_the_stay_that_is_asked_for(client: Client):
    make_property(nightly_rate_minor=100_000, cleaning_fee_minor=0, tax_bps=0, capacity=4)
    start = timezone.localdate() + timedelta(days=40)

    def ask(nights: int, guests: int) -> str:
        stay = {
            "check_in": f"{start}",
            "check_out": f"{start + timedelta(days=nights)}",
            "guests": f"{guests}",
        }
        return read(client.get("/", stay))

    assert "$2,000" in ask(2, 2)
    assert "$3,000" in ask(3, 2)
    assert "$" not in ask(3, 5)
    assert "desde $1,000" in read(client.get("/"))


def test_a_home_at_another_address_is_linked_there_at_once(client: Client):
    home = make_property(slug="casa-vieja")
    first = timezone.localdate() + timedelta(days=9)
    asked = f"?check_in={first}&check_out={first + timedelta(days=3)}&guests=2"
    assert (
        f'href="/casas/casa-vieja/{asked.replace("&", "&amp;")}"' in client.get(f"/{asked}").content.decode()
    )

    Property.objects.filter(pk=home.pk).update(slug="casa-nueva")

    listed = client.get("/").content.decode()
    assert 'href="/casas/casa-nueva/"' in listed
    assert "casa-vieja" not in listed


def test_the_foot_of_a_page_says_who_lets_now(client: Client, settings):
    make_property()
    client.get("/")

    settings.COMPANY = {**settings.COMPANY, "name": "Casas del Mar"}

    assert "Casas del Mar" in client.get("/").content.decode()
