"""The office's day: who comes, who owes, what needs somebody; bookings by telephone, nights closed."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction
from django.test import Client
from freezegun import freeze_time

from bookings.closures import close_nights
from bookings.exceptions import NightsRefused, StayUnavailable
from bookings.models import Booking, NightBlock
from payments.models import GuestEmail, ReconciliationBreak
from tests.factories import make_confirmed_booking, make_hold, make_property
from tests.integration.pages import read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)  # noon in Mexico City
ARRIVAL = date(2026, 12, 1)
BOOKINGS = "/admin/bookings/booking/"
BLOCKS = "/admin/bookings/nightblock/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def today():
    with freeze_time(NOW):
        yield


def listed(client: Client, query: str) -> set[str]:
    page = client.get(f"{BOOKINGS}?{query}")
    return {booking.folio for booking in page.context["cl"].result_list}


# --- Lists ------------------------------------------------------------------------------------------------


def test_bookings_are_found_by_when_their_guests_come_and_go(admin_client: Client):
    today = make_confirmed_booking(now=NOW - timedelta(days=9), check_in=NOW.date(), nights=3)
    soon = make_confirmed_booking(now=NOW, check_in=NOW.date() + timedelta(days=5), nights=3)
    long_ago = NOW - timedelta(days=9)
    leaving = make_confirmed_booking(now=long_ago, check_in=NOW.date() - timedelta(days=2), nights=2)
    here = make_confirmed_booking(now=long_ago, check_in=NOW.date() - timedelta(days=1), nights=3)
    make_hold(now=NOW, check_in=NOW.date())

    assert listed(admin_client, "arrival=today") == {today.folio}
    assert listed(admin_client, "arrival=week") == {today.folio, soon.folio}
    assert listed(admin_client, "arrival=leaving") == {leaving.folio}
    assert listed(admin_client, "arrival=here") == {here.folio}


def test_bookings_are_found_by_money_that_is_due(admin_client: Client):
    late = NOW - timedelta(days=9)
    owes = make_confirmed_booking(now=late, check_in=NOW.date() - timedelta(days=4), nights=9)
    make_confirmed_booking(now=NOW, check_in=ARRIVAL)

    assert listed(admin_client, "money=due") == {owes.folio}


def test_bookings_are_found_by_what_needs_a_person(admin_client: Client):
    odd = make_confirmed_booking(now=NOW, check_in=ARRIVAL)
    make_confirmed_booking(now=NOW, check_in=ARRIVAL)
    ReconciliationBreak.objects.create(
        kind="foreign_charge", stripe_id="pi_x", theirs="1.00", booking=odd, found_at=NOW, seen_at=NOW
    )

    assert listed(admin_client, "person=yes") == {odd.folio}


def test_the_list_is_exported_and_no_cell_is_a_formula(admin_client: Client):
    booking = make_confirmed_booking(now=NOW, check_in=ARRIVAL)
    Booking.objects.filter(pk=booking.pk).update(
        guest_name='=HYPERLINK("http://x","y")', guest_phone="+52 55"
    )

    answer = admin_client.post(BOOKINGS, {"action": "export", "_selected_action": [booking.pk]})
    content = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(content))
    assert row["Folio"] == booking.folio
    assert row["Huésped"].startswith("'=")
    assert row["Teléfono"] == "'+52 55"
    assert (row["Total"], row["Pagado"]) == (
        f"{booking.quote.total_minor / 100:.2f}",
        f"{booking.quote.deposit_minor / 100:.2f}",
    )


# --- By telephone -----------------------------------------------------------------------------------------


def by_telephone(home: int, **changes: str) -> dict[str, str]:
    usual = {
        "home": str(home),
        "check_in": "2026-12-01",
        "check_out": "2026-12-04",
        "guests": "2",
        "name": "Lucía Pérez",
        "email": "lucia@correo.example",
        "phone": "55 1234 5678",
    }
    return {**usual, **changes}


def test_a_booking_is_taken_by_telephone_and_its_guest_gets_the_link(admin_client: Client):
    home = make_property()

    answer = admin_client.post(f"{BOOKINGS}add/", by_telephone(home.pk), follow=True)

    assert answer.status_code == 200
    booking = Booking.objects.get()
    assert (booking.guest_name, booking.quote.check_in) == ("Lucía Pérez", ARRIVAL)
    assert booking.hold_expires_at == NOW + timedelta(hours=2)
    assert booking.emails.filter(kind=GuestEmail.Kind.HOLD).count() == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"check_out": "2026-12-02"}, "se renta por 2 noches como mínimo"),
        ({"guests": "9"}, "hasta 4 huéspedes"),
        ({"check_in": "2026-10-01", "check_out": "2026-10-05"}, "La llegada ya pasó."),
        ({"email": "nobody"}, "correo"),
        ({"name": "\u200b\u2060"}, "Escribe un nombre que se pueda leer."),
        ({"phone": "=1+1;<b>"}, "Usa solo números"),
        ({"check_in": "9999-12-28", "check_out": "9999-12-31"}, "Elige una fecha dentro de los próximos dos"),
        ({"check_in": "2028-11-01", "check_out": "2028-11-05"}, "Elige una fecha dentro de los próximos dos"),
        ({"check_in": "0001-01-01", "check_out": "0001-01-05"}, "La llegada ya pasó."),
    ],
)
def test_what_cannot_be_booked_is_told_on_the_form(admin_client: Client, changes: dict[str, str], words: str):
    home = make_property()

    text = read(admin_client.post(f"{BOOKINGS}add/", by_telephone(home.pk, **changes)))

    assert words in text
    assert not Booking.objects.exists()


def test_who_may_not_add_a_booking_has_no_form(client: Client):
    user = User.objects.create_user("ana", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_booking"))
    client.force_login(user)

    assert client.get(f"{BOOKINGS}add/").status_code == 403


# --- By hand ----------------------------------------------------------------------------------------------


def test_nights_are_closed_by_hand_and_opened_again(admin_client: Client):
    home = make_property()
    form = {"home": home.pk, "first": "2026-12-01", "until": "2026-12-05", "note": "Pintura"}
    admin_client.post(f"{BLOCKS}add/", form)
    block = NightBlock.objects.get()
    assert (block.kind, block.note, block.booking) == ("manual", "Pintura", None)
    with pytest.raises(StayUnavailable):
        make_hold(now=NOW, home=home, check_in=date(2026, 12, 4), nights=2)

    admin_client.post(BLOCKS, {"action": "open_again", "_selected_action": [block.pk]})

    assert make_hold(now=NOW, home=home, check_in=date(2026, 12, 4), nights=2)


def test_nights_are_closed_from_the_first_day_of_all_to_the_last(admin_client: Client):
    home = make_property()
    form = {"home": home.pk, "first": "0001-01-01", "until": "9999-12-31", "note": "Vendida"}
    admin_client.post(f"{BLOCKS}add/", form)

    pages = [f"{BLOCKS}{NightBlock.objects.get().pk}/change/", BLOCKS, "/admin/bookings/property/occupancy/"]
    pages += [f"/admin/bookings/property/{home.pk}/calendar/", f"/casas/{home.slug}/", "/?guests=2"]

    assert [admin_client.get(page).status_code for page in pages] == [200] * 6


def test_nights_that_somebody_has_are_not_closed_and_the_form_says_so(admin_client: Client):
    booking = make_confirmed_booking(now=NOW, check_in=ARRIVAL)
    form = {"home": booking.home.pk, "first": "2026-11-30", "until": "2026-12-02", "note": "Pintura"}

    text = read(admin_client.post(f"{BLOCKS}add/", form))

    assert "Alguien acaba de apartar algunas de estas noches." in text
    assert NightBlock.objects.filter(kind="manual").count() == 0


def test_a_booking_is_not_opened_like_a_closure(admin_client: Client):
    booking = make_confirmed_booking(now=NOW, check_in=ARRIVAL)
    block = booking.night_blocks.get()

    admin_client.post(BLOCKS, {"action": "open_again", "_selected_action": [block.pk]})

    assert booking.night_blocks.get().active


@pytest.mark.parametrize("nights", [0, -1])
def test_a_closure_has_a_night(nights: int):
    with pytest.raises(NightsRefused):
        close_nights(
            home=make_property(),
            first=ARRIVAL,
            until=ARRIVAL + timedelta(days=nights),
            note="",
            now=NOW,
        )


def test_the_database_keeps_two_closures_and_a_booking_apart():
    booking = make_confirmed_booking(now=NOW, check_in=ARRIVAL)
    closed = close_nights(
        home=booking.home, first=date(2026, 12, 20), until=date(2026, 12, 22), note="", now=NOW
    )

    for nights in (booking.quote.nights, closed.nights):
        with pytest.raises(IntegrityError, match="never_overlap"), transaction.atomic():
            NightBlock.objects.create(home=booking.home, nights=nights, kind="manual", created_at=NOW)


def test_the_calendar_of_the_office_shows_what_is_closed(admin_client: Client):
    home = make_property()
    close_nights(home=home, first=date(2026, 12, 1), until=date(2026, 12, 3), note="Pintura", now=NOW)

    text = read(admin_client.get(f"/admin/bookings/property/{home.pk}/calendar/?month=2026-12"))

    assert "2 de 31 noches ocupadas" in text
    assert "cerrada" in text
