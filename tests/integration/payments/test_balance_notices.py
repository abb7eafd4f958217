"""Three days before a card is charged its guest is told, once, and only while it is true."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail

from bookings.models import Booking
from payments import tasks
from payments.date_changes import change_dates
from payments.models import GuestEmail
from payments.services import request_cancellation
from tests.factories import BASE_URL, make_property
from tests.house import House


@pytest.fixture(autouse=True)
def _addresses(settings) -> None:
    settings.SITE_BASE_URL = BASE_URL


def notices() -> list[str]:
    return [
        str(message.subject)
        for message in mail.outbox
        if "balance_soon" in message.extra_headers["Message-ID"]
    ]


def announce(house: House) -> str:
    said = tasks.announce_balances()
    house.run_jobs()
    return said


def book_soon(house: House) -> Booking:
    """Return a booking whose balance falls due in a little less than three days."""
    booking = house.book()
    house.run_jobs()
    house.wait_until(booking.balance_due_at - timedelta(days=3))
    return booking


def test_a_guest_is_told_three_days_before_and_once(house: House):
    booking = house.book()
    house.wait_until(booking.balance_due_at - timedelta(days=3, minutes=1))
    assert announce(house) == "announced=0"

    house.wait(minutes=1)

    assert [announce(house) for _ in range(3)] == ["announced=1", "announced=0", "announced=0"]
    assert len(notices()) == 1
    assert booking.folio in notices()[0]


def test_who_booked_at_the_last_moment_was_told_by_the_confirmation(house: House):
    booking = house.book(check_in=house.now.date())
    assert booking.balance_due_at - house.now < timedelta(days=3)

    assert announce(house) == "announced=0"


def test_a_balance_that_was_cancelled_is_not_announced(house: House):
    booking = book_soon(house)
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)

    assert announce(house) == "announced=0"


def test_a_day_that_moved_is_announced_again_and_the_old_notice_is_dropped(house: House):
    booking = book_soon(house)
    assert tasks.announce_balances() == "announced=1"  # The mail server is down.
    quote = booking.quote
    change_dates(
        booking=booking,
        check_in=quote.check_in + timedelta(days=20),
        check_out=quote.check_out + timedelta(days=20),
        base_url=BASE_URL,
        now=house.now,
    )
    house.run_jobs()
    assert notices() == []
    assert GuestEmail.objects.get(kind=GuestEmail.Kind.BALANCE_SOON).dropped_at is not None
    booking = Booking.objects.get(pk=booking.pk)
    house.wait_until(booking.balance_due_at - timedelta(days=2))

    assert announce(house) == "announced=1"
    assert len(notices()) == 1


def test_a_notice_that_comes_after_the_charge_is_dropped(house: House):
    booking = book_soon(house)
    assert tasks.announce_balances() == "announced=1"
    house.wait_until(booking.balance_due_at)

    house.charge(booking)
    house.run_jobs()

    assert notices() == []


# --- Arrivals ---------------------------------------------------------------------------------------------


def arrivals() -> list[str]:
    return [
        str(message.subject) for message in mail.outbox if "<arrival." in message.extra_headers["Message-ID"]
    ]


def announce_arrivals(house: House) -> str:
    said = tasks.announce_arrivals()
    house.run_jobs()
    return said


def test_a_guest_is_expected_two_days_before_and_told_once(house: House):
    booking = house.book()
    house.wait_until(booking.arrival_at - timedelta(days=2, minutes=1))
    assert announce_arrivals(house) == "announced=0"

    house.wait(minutes=1)

    assert [announce_arrivals(house) for _ in range(3)] == ["announced=1", "announced=0", "announced=0"]
    assert len(arrivals()) == 1
    assert booking.folio in arrivals()[0]


def test_only_the_mail_of_the_arrival_says_how_to_get_in(house: House):
    home = make_property(
        address="Calle Sol 12",
        map_url="https://maps.example/12",
        host_name="Marisol Reyes",
        host_phone="984 123 4567",
        arrival_instructions="La llave está en la caja <azul>.\n\nSu código es 4711.",
    )
    booking = house.book(home=home)
    house.wait_until(booking.arrival_at - timedelta(days=2))

    announce_arrivals(house)

    (arrival,) = (message for message in mail.outbox if "4711" in message.body)
    assert "<arrival." in arrival.extra_headers["Message-ID"]
    assert "Cómo entrar:\n\nLa llave está en la caja <azul>.\n\nSu código es 4711." in arrival.body
    assert "Dirección: Calle Sol 12" in arrival.body
    assert "Quién te recibe: Marisol Reyes, 984 123 4567" in arrival.body
    assert "Ver en el mapa: https://maps.example/12" in arrival.body
    assert isinstance(arrival, mail.EmailMultiAlternatives)
    html = str(arrival.alternatives[0][0])
    assert '<a href="https://maps.example/12"' in html
    assert "<p" in html and "caja &lt;azul&gt;." in html
    others = GuestEmail.objects.exclude(kind=GuestEmail.Kind.ARRIVAL)
    assert others.exists()
    assert all("4711" not in str(email.facts) for email in others)


def test_how_to_get_in_is_not_told_when_the_house_has_written_nothing(house: House):
    booking = house.book()
    house.wait_until(booking.arrival_at - timedelta(days=2))

    announce_arrivals(house)

    message = next(m for m in mail.outbox if "<arrival." in m.extra_headers["Message-ID"])
    assert "Cómo entrar" not in message.body
    assert "Quién te recibe" not in message.body


def test_who_booked_for_tonight_is_told_at_once_and_who_cancelled_is_not(house: House):
    house.book(check_in=house.now.date())
    cancelled = house.book(check_in=house.now.date())
    request_cancellation(booking=cancelled, base_url=BASE_URL, now=house.now)

    assert announce_arrivals(house) == "announced=1"


def test_an_arrival_that_moved_is_told_anew_and_not_on_the_old_day(house: House):
    booking = house.book()
    house.wait_until(booking.arrival_at - timedelta(days=1))
    assert tasks.announce_arrivals() == "announced=1"  # The mail server is down.
    quote = booking.quote
    change_dates(
        booking=booking,
        check_in=quote.check_in + timedelta(days=20),
        check_out=quote.check_out + timedelta(days=20),
        base_url=BASE_URL,
        now=house.now,
    )

    house.run_jobs()
    assert arrivals() == []
    booking.refresh_from_db()
    house.wait_until(booking.arrival_at - timedelta(days=1))
    assert announce_arrivals(house) == "announced=1"
    assert len(arrivals()) == 1
