"""A guest's data is handed over whole, and erased once nothing of theirs goes on; the money stays told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from bookings.models import Booking
from bookings.services import expire_holds
from payments.models import AccessLink, GuestEmail, LedgerTransfer
from tests.factories import make_confirmed_booking, make_hold

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
LIST = "/admin/bookings/booking/"

pytestmark = pytest.mark.django_db


def act(client: Client, action: str, booking: Booking, **more: str):
    return client.post(LIST, {"action": action, "_selected_action": [booking.pk], **more})


def make_past() -> Booking:
    booking = make_hold(now=NOW, email="Ana@Correo.example")
    Booking.objects.filter(pk=booking.pk).update(guest_phone="55 1234 5678")
    expire_holds(now=NOW + timedelta(hours=2), home=booking.home)
    GuestEmail.objects.create(
        booking=booking, kind="hold", base_url="https://x.example", facts={"name": "Lucía"}, created_at=NOW
    )
    return booking


def test_everything_of_an_address_is_exported_and_that_is_written_down(admin_client: Client):
    booking = make_confirmed_booking(now=NOW)

    response = act(admin_client, "export_guests", booking)

    (guest,) = json.loads(response.content)["guests"]
    (told,) = guest["bookings"]
    assert (told["folio"], told["name"]) == (booking.folio, "Lucía Pérez")
    assert told["payments"] and told["emails"]
    assert "no-store" in response["Cache-Control"] and "attachment" in response["Content-Disposition"]
    assert LogEntry.objects.filter(object_id=str(booking.pk)).count() == 1


def test_a_guest_of_the_past_is_erased_after_a_second_step_wherever_their_name_stood(admin_client: Client):
    booking, other = make_past(), make_hold(now=NOW, email="otra@correo.example")
    AccessLink.objects.create(
        email="ana@correo.example", language="en", created_at=NOW, expires_at=NOW.replace(hour=20)
    )

    asked = act(admin_client, "erase_guests", booking)
    assert asked.status_code == 200 and Booking.objects.get(pk=booking.pk).guest_phone
    act(admin_client, "erase_guests", booking, confirmed="yes")

    booking.refresh_from_db()
    assert (booking.guest_name, booking.guest_phone) == ("–", "") and "ana" not in booking.guest_email
    assert all(mail.facts == {} and mail.dropped_at for mail in GuestEmail.objects.filter(booking=booking))
    assert not AccessLink.objects.exists()
    assert booking.quote.total_minor > 0
    assert LogEntry.objects.filter(object_id=str(booking.pk), change_message__contains="erased").exists()
    other.refresh_from_db()
    assert other.guest_name == "Lucía Pérez"


def test_nobody_is_erased_while_a_stay_of_theirs_goes_on_and_no_money_is_forgotten(admin_client: Client):
    past, coming = make_past(), make_confirmed_booking(now=NOW)
    Booking.objects.filter(pk=coming.pk).update(guest_email="ana@correo.example")
    transfers = LedgerTransfer.objects.count()

    act(admin_client, "erase_guests", past, confirmed="yes")

    past.refresh_from_db()
    assert past.guest_name == "Lucía Pérez" and LedgerTransfer.objects.count() == transfers > 0


def test_who_lacks_the_permission_has_neither_action(client: Client, django_user_model):
    user = django_user_model.objects.create_user("eva", is_staff=True)
    user.user_permissions.set(user.user_permissions.model.objects.filter(codename="view_booking"))
    client.force_login(user)
    booking = make_past()

    for action in ("export_guests", "erase_guests"):
        response = act(client, action, booking, confirmed="yes")
        assert b"Luc" not in response.content

    booking.refresh_from_db()
    assert booking.guest_name == "Lucía Pérez"
