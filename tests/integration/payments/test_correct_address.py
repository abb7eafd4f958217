"""Staff correct the address of a guest who mistyped it, and the right one hears what stands."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.test import Client
from django.urls import reverse
from freezegun import freeze_time

from bookings.models import Booking
from payments import tasks
from payments.exceptions import TransientFault
from payments.models import GuestEmail
from payments.services import open_checkout
from tests.factories import BASE_URL, make_confirmed_booking, make_hold
from tests.gateways import FakeGateway
from tests.integration.pages import english_words, read

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
RIGHT = "lucia.perez@correo.example"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def today():
    with freeze_time(NOW):
        yield


@pytest.fixture
def desk(client):
    user = User.objects.create_user("recepcion", is_staff=True)
    user.user_permissions.add(
        *Permission.objects.filter(
            content_type__app_label="bookings", codename__in=("view_booking", "change_booking")
        )
    )
    client.force_login(user)
    return client


def correct(desk, booking: Booking, email: str = RIGHT):
    return desk.post(_address_of(booking), {"email": email})


def _address_of(booking: Booking) -> str:
    return reverse("admin:bookings_booking_address", args=[booking.pk])


def send_all() -> list[str]:
    unsent = GuestEmail.objects.filter(sent_at=None, dropped_at=None).order_by("pk")
    for email in unsent:
        tasks.send_guest_email(email.pk)
    return [str(message.subject) for message in mail.outbox if message.to == [RIGHT]]


def test_a_confirmed_guest_gets_the_confirmation_at_the_right_address(desk):
    booking = make_confirmed_booking(now=NOW, check_in=date(2026, 12, 1))
    first = GuestEmail.objects.get(booking=booking)
    GuestEmail.objects.filter(pk=first.pk).update(sent_at=NOW)

    assert correct(desk, booking).status_code == 302

    booking.refresh_from_db()
    assert booking.guest_email == RIGHT
    assert [subject.split(":")[0] for subject in send_all()] == ["Reserva confirmada"]


def test_a_guest_who_holds_gets_the_way_back(desk):
    correct(desk, make_hold(now=NOW))

    assert [subject.split(" hasta")[0] for subject in send_all()] == ["Apartado"]


def test_whoever_has_the_wrong_address_can_do_nothing_any_more(desk):
    booking = make_confirmed_booking(now=NOW, check_in=date(2026, 12, 1))
    theirs = booking.get_absolute_url()
    before = {path: Client().get(path).status_code for path in _pages(theirs)}

    correct(desk, booking)

    booking.refresh_from_db()
    assert set(before.values()) == {200}
    assert {Client().get(path).status_code for path in _pages(theirs)} == {404}
    assert {Client().post(path).status_code for path in (f"{theirs}cancelar/", f"{theirs}fechas/")} == {404}
    assert {Client().get(path).status_code for path in _pages(booking.get_absolute_url())} == {200}
    send_all()
    assert booking.get_absolute_url() in mail.outbox[-1].body


def test_whoever_took_the_wrong_address_for_their_own_is_not_led_on_either(desk):
    booking, stranger = make_hold(now=NOW), Client()
    theirs = booking.get_absolute_url()
    mine = stranger.post(f"{theirs}correo/", {"email": "ajena@correo.example"})["Location"]
    assert stranger.get(theirs)["Location"] == mine
    assert mine in stranger.get("/").content.decode()

    correct(desk, booking)

    booking.refresh_from_db()
    assert [stranger.get(link).status_code for link in (theirs, mine)] == [404, 404]
    assert booking.access_token not in stranger.get("/").content.decode()


def _pages(link: str) -> list[str]:
    return [f"{link}{page}" for page in ("", "estado/", "estancia.ics", "fechas/", "cancelar/")]


@pytest.mark.parametrize("same", ["lucia@correo.example", "Lucia@Correo.example"])
def test_a_link_that_went_to_the_right_address_goes_on(desk, same):
    booking = make_hold(now=NOW)

    correct(desk, booking, same)

    assert Client().get(booking.get_absolute_url()).status_code == 200


def test_an_address_waits_while_a_page_is_opened_with_it(desk):
    """What was asked of Stripe and not answered is asked again in the same words."""
    booking, gateway = make_hold(now=NOW), FakeGateway(fault=TransientFault())
    with pytest.raises(TransientFault):
        open_checkout(booking=booking, base_url=BASE_URL, gateway=gateway, now=NOW)  # type: ignore[arg-type]

    answer = read(desk.post(_address_of(booking), {"email": RIGHT}))

    booking.refresh_from_db()
    assert booking.guest_email == "lucia@correo.example"
    assert "ocupada en este momento" in answer
    gateway.fault = None
    open_checkout(booking=booking, base_url=BASE_URL, gateway=gateway, now=NOW)  # type: ignore[arg-type]
    assert correct(desk, booking).status_code == 302


def test_it_is_written_down_who_did_it_and_no_address_is(desk):
    correct(desk, make_hold(now=NOW))

    entry = LogEntry.objects.get()
    assert entry.user.get_username() == "recepcion"
    assert "@" not in entry.change_message


def test_what_is_no_address_changes_nothing(desk):
    booking = make_hold(now=NOW)

    response = correct(desk, booking, "no es un correo")

    booking.refresh_from_db()
    assert booking.guest_email == "lucia@correo.example"
    assert response.status_code == 200
    assert english_words(read(response)) <= {"django"}


def test_nobody_corrects_without_the_right_to(client):
    client.force_login(User.objects.create_user("nadie", is_staff=True))
    booking = make_hold(now=NOW)

    assert correct(client, booking).status_code == 403
    booking.refresh_from_db()
    assert booking.guest_email == "lucia@correo.example"


def test_the_page_of_a_booking_leads_there(desk):
    booking = make_hold(now=NOW)

    page = desk.get(reverse("admin:bookings_booking_change", args=[booking.pk])).content.decode()

    assert reverse("admin:bookings_booking_address", args=[booking.pk]) in page
