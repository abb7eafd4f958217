"""Money that takes days or never comes, and a mail server that is away."""

from __future__ import annotations

from unittest import mock

import pytest
from django.core.mail import EmailMessage

from bookings.models import Booking, BookingStatus
from payments import services
from payments.models import GuestEmail
from payments.policies import PaymentStatus
from tests.factories import BASE_URL, balance_of
from tests.faults.conftest import HouseMaker
from tests.faults.life import Life
from tests.faults.staging import (
    begin,
    book_many,
    end_well,
)

pytestmark = pytest.mark.slow  # minutes: make faults runs it


def refuse_balance(life: Life) -> Booking:
    """Return a booking whose card has said no to the balance."""
    (booking,) = book_many(life, 1)
    life.house.change_card(booking, "pm_card_chargeDeclinedLostCard")
    life.run_jobs()
    assert balance_of(booking).status == PaymentStatus.FAILED
    return booking


def open_page(life: Life, booking: Booking) -> str:
    return life.insist(
        lambda: services.open_checkout(
            booking=Booking.objects.get(pk=booking.pk),
            base_url=BASE_URL,
            gateway=life.house.gateway,
            now=life.house.now,
        )
    )


@pytest.mark.parametrize("events", ["sent", "lost", "reversed"])
def test_a_page_whose_money_takes_days_is_paid_when_it_is_there(new_house: HouseMaker, events: str):
    with new_house() as house:
        life = begin(house, events=events)
        booking = refuse_balance(life)
        open_page(life, booking)
        house.pay_page(booking, card="pm_card_settlesLater")
        life.work(minutes=40)
        assert balance_of(booking).status == PaymentStatus.PROCESSING
        assert house.charges(booking) == []

        for _ in range(4):
            life.work(minutes=24 * 60)

        assert balance_of(booking).status == PaymentStatus.PAID
        assert house.charges(booking) == [booking.quote.balance_minor]
        end_well(life)


@pytest.mark.parametrize("events", ["sent", "lost", "reversed"])
def test_a_page_whose_money_never_comes_can_be_paid_by_another(new_house: HouseMaker, events: str):
    with new_house() as house:
        life = begin(house, events=events)
        booking = refuse_balance(life)
        open_page(life, booking)
        house.pay_page(booking, card="pm_card_neverSettles")
        for _ in range(5):
            life.work(minutes=24 * 60)
        assert balance_of(booking).status == PaymentStatus.REQUIRES_ACTION

        open_page(life, booking)
        house.pay_page(booking)
        life.work(minutes=5)

        assert house.charges(booking) == [booking.quote.balance_minor]
        end_well(life)


def test_a_deposit_whose_money_never_comes_frees_the_nights(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        booking = house.hold()
        open_page(life, booking)
        house.pay_page(booking, card="pm_card_neverSettles")
        for _ in range(4):
            life.work(minutes=24 * 60)

        assert Booking.objects.get(pk=booking.pk).status == BookingStatus.EXPIRED
        assert house.lines(booking) == []
        end_well(life)


@pytest.mark.parametrize("card", ["pm_card_settlesLater", "pm_card_neverSettles"])
def test_a_saved_card_whose_money_takes_days_ends_as_its_money_does(new_house: HouseMaker, card: str):
    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)
        house.change_card(booking, card)
        life.run_jobs()
        assert balance_of(booking).status == PaymentStatus.PROCESSING
        for _ in range(4):
            life.work(minutes=24 * 60)

        came = card == "pm_card_settlesLater"
        assert house.charges(booking) == ([booking.quote.balance_minor] if came else [])
        if not came:
            house.change_card(booking, "pm_card_visa")
        end_well(life)


def test_a_link_is_sent_once_when_the_mail_server_is_back_after_six_hours(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)
        house.change_card(booking, "pm_card_chargeDeclinedLostCard")
        with mock.patch.object(EmailMessage, "send", side_effect=ConnectionRefusedError):
            for _ in range(12):
                life.work(minutes=30)
        link = GuestEmail.objects.get(booking=booking, kind=GuestEmail.Kind.PAYMENT_LINK)
        assert link.sent_at is None

        end_well(life)
        link.refresh_from_db()
        assert link.sent_at is not None
