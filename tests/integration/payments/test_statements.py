"""How many statements the dearest of a guest's requests take: each is a way to the database and back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from bookings import legal
from bookings.models import Booking, Property
from tests.factories import make_confirmed_booking, make_hold, make_property

# With transactions of its own, so that their beginnings and ends are counted.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("gateway")]


@pytest.fixture
def home() -> Property:
    return make_property(name="Casa Caracol")


@pytest.fixture
def hold(home: Property) -> Booking:
    return make_hold(now=timezone.now(), home=home)


def test_to_hold_nights(client: Client, home: Property, django_assert_max_num_queries: Any):
    arrival = timezone.localdate() + timedelta(days=20)
    stay = {"check_in": arrival, "check_out": arrival + timedelta(days=3), "guests": "2"}
    guest = {"name": "Lucía Pérez", "email": "lucia@correo.example", "accepts": "on"}
    form = {**stay, **guest, "versions": legal.current_versions()}

    with django_assert_max_num_queries(22):
        client.post(f"/casas/{home.slug}/", form)

    assert Booking.objects.count() == 1


def test_to_open_the_payment_page(client: Client, hold: Booking, django_assert_max_num_queries: Any):
    with django_assert_max_num_queries(27):
        response = client.post(f"{hold.get_absolute_url()}pagar/")

    assert "checkout" in response["Location"]


@pytest.mark.parametrize(("path", "most"), [("", 3), ("estado/", 2)])
def test_to_look_at_a_hold(
    client: Client, hold: Booking, path: str, most: int, django_assert_max_num_queries: Any
):
    with django_assert_max_num_queries(most):
        client.get(hold.get_absolute_url() + path)


def test_to_look_at_a_confirmed_booking(client: Client, home: Property, django_assert_max_num_queries: Any):
    booking = make_confirmed_booking(now=timezone.now(), home=home)

    with django_assert_max_num_queries(5):
        client.get(booking.get_absolute_url())
