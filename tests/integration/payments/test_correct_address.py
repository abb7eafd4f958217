"""Staff correct the address of a guest who mistyped it, and the right one hears what stands."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.urls import reverse
from freezegun import freeze_time

from bookings.models import Booking
from payments import tasks
from payments.models import GuestEmail
from tests.factories import make_confirmed_booking, make_hold
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
    return desk.post(reverse("admin:bookings_booking_address", args=[booking.pk]), {"email": email})


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
