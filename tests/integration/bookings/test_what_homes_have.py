"""What a home has is on its page, what lets one in is not."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.test import Client
from freezegun import freeze_time

from bookings.models import Booking
from bookings.queries import arrival_instructions
from tests.factories import make_confirmed_booking, make_hold, make_property
from tests.integration.pages import read

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
