"""A month of all homes on one page: what each night is, who comes and goes, and where each cell leads."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from freezegun import freeze_time

from bookings.closures import close_nights
from bookings.models import Booking, Property
from payments.date_changes import change_dates, preview_change
from tests.factories import BASE_URL, make_confirmed_booking, make_hold, make_property
from tests.integration.pages import english_words, read
from tests.integration.test_office import page_of, staff

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
PAGE = "/admin/bookings/property/occupancy/?month=2026-12"
EVERYTHING_SEEN = ("bookings.view_property", "bookings.view_booking", "bookings.view_nightblock")

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("rosa", password="x"))
    return client


@pytest.fixture
def home() -> Property:
    return make_property(name="Casa Caracol")


def book(home: Property, day: int, *, nights: int = 3) -> Booking:
    return make_confirmed_booking(now=NOW, home=home, check_in=date(2026, 12, day), nights=nights)


def cells(page: bytes, home: Property) -> dict[int, tuple[str, str, str]]:
    """Return the state, the letters and the link of each day of a home."""
    row = page.decode().partition(f">{home.name}</a></th>")[2].partition("</tr>")[0]
    found = re.findall(
        r'of-night-(\w+)[^>]*><a href="([^"]+)".*?>\w+ (\d+)</span><span class="of-letter"[^>]*>(\S*)</span>',
        row,
    )
    return {int(day): (state, letters, link.replace("&amp;", "&")) for state, link, day, letters in found}


def test_every_night_of_a_home_says_what_it_is_and_leads_somewhere(office, home):
    booking, hold = book(home, 5), make_hold(now=NOW, home=home, check_in=date(2026, 12, 10), nights=2)
    closed = close_nights(
        home=home, first=date(2026, 12, 20), until=date(2026, 12, 21), note="Pintura", now=NOW
    )

    with freeze_time(NOW):
        response = office.get(PAGE)

    found = cells(response.content, home)
    assert len(found) == 31
    assert found[5] == ("booked", "O▸", page_of(booking))
    assert found[6] == found[7] == ("booked", "O", page_of(booking))
    assert found[8][:2] == ("free", "◂")
    assert found[10] == ("held", "A▸", page_of(hold))
    assert found[12][:2] == ("free", "")  # who has not paid does not leave
    assert found[20] == ("manual", "C", f"/admin/bookings/nightblock/{closed.pk}/change/")
    assert found[9][2] == f"/admin/bookings/nightblock/add/?home={home.pk}&first=2026-12-09"
    assert "6 de 31 noches ocupadas" in read(response)
    assert f"Casa Caracol, sáb 5 dic: ocupada, {booking.folio} Lucía Pérez, llega alguien" in read(response)
    assert "Pintura" in read(response)


def test_on_a_day_of_turnover_somebody_leaves_and_somebody_arrives(office, home):
    book(home, 5), book(home, 8)

    assert cells(office.get(PAGE).content, home)[8][1] == "◂O▸"


def test_who_leaves_on_the_first_of_the_month_is_seen_there(office, home):
    booking = make_confirmed_booking(now=NOW, home=home, check_in=date(2026, 11, 28), nights=3)

    response = office.get(PAGE)

    assert cells(response.content, home)[1][:2] == ("free", "◂")
    assert f"sale {booking.folio}" in read(response)
    assert "0 de 31 noches" in read(response)


def test_a_hold_counts_until_its_time_is_over(office, home):
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 10))

    with freeze_time(NOW + timedelta(hours=2)):
        assert "0 de 31 noches" in read(office.get(PAGE))


def test_the_nights_of_a_stay_that_is_to_be_moved_stay_booked(office, home):
    booking = book(home, 5)
    dates = {"check_in": date(2026, 12, 6), "check_out": date(2026, 12, 10)}
    charge = preview_change(booking=booking, **dates, now=NOW).money.charge_minor
    change_dates(booking=booking, **dates, base_url=BASE_URL, agreed_charge_minor=charge, now=NOW)

    found = cells(office.get(PAGE).content, home)

    assert [found[day][0] for day in range(5, 10)] == ["booked", "booked", "booked", "held", "held"]


def test_the_night_before_is_shut_from_the_form_that_a_free_night_leads_to(office, home):
    form = office.get(cells(office.get(PAGE).content, home)[9][2]).content.decode()

    assert f'<option value="{home.pk}" selected>' in form
    assert 'value="2026-12-09"' in form


def test_who_may_only_look_is_led_to_the_month_of_the_home(home):
    close_nights(home=home, first=date(2026, 12, 20), until=date(2026, 12, 21), note="x", now=NOW)
    month = f"/admin/bookings/property/{home.pk}/calendar/?month=2026-12"

    found = cells(staff(*EVERYTHING_SEEN[:2]).get(PAGE).content, home)

    assert found[9][2] == found[20][2] == month


@pytest.mark.parametrize("permission", EVERYTHING_SEEN[:2])
def test_it_needs_the_permissions_to_see_homes_and_bookings(home, permission):
    assert staff(permission).get(PAGE).status_code == 403


def test_it_takes_the_same_queries_whatever_the_number_of_homes(office, home):
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            office.get(PAGE)
        return len(queries)

    book(home, 5)
    office.get(PAGE)
    with_one = count()
    for number in range(9):
        other = make_property(name=f"Casa {number:03}")
        book(other, 3 + number), book(other, 20)

    assert count() == with_one <= 6


def test_many_homes_are_pages_of_forty(office):
    for number in range(43):
        make_property(name=f"Casa {number:03}")

    first, second = office.get(PAGE), office.get(f"{PAGE}&page=2")

    assert first.content.count(b'<th scope="row" class="of-home">') == 40
    assert second.content.count(b'<th scope="row" class="of-home">') == 3
    assert "Página 2 de 2" in read(second)
    assert "?month=2027-01&amp;page=2" in second.content.decode()
    assert office.get(f"{PAGE}&page=zz").status_code == office.get(f"{PAGE}&page=99999").status_code == 200
    assert len(first.content) < 1_000_000


@pytest.mark.parametrize("month", ["", "x", "2026-13", "0001-01", "9999-12", "-1"])
def test_a_month_that_is_none_shows_this_month(office, home, month):
    with freeze_time(NOW):
        response = office.get(f"/admin/bookings/property/occupancy/?month={month}")

    assert "Noviembre de 2026" in read(response)


def test_without_a_home_it_says_so(office):
    assert "Todavía no hay ninguna propiedad" in read(office.get(PAGE))


def test_the_lists_of_the_office_lead_to_it(office, home):
    for name in ("property", "booking", "nightblock"):
        page = office.get(f"/admin/bookings/{name}/").content.decode()
        assert 'href="/admin/bookings/property/occupancy/"' in page


def test_it_has_no_english_word(office, home):
    book(home, 5)

    assert english_words(read(office.get(PAGE))) == set()
