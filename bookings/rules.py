"""The rules of a property, checked on a stay before anything is held."""

from __future__ import annotations

from datetime import date

from bookings import policies
from bookings.exceptions import NightsRefused, PriceRefused, TooManyGuests
from bookings.models import Property


def check_nights(*, home: Property, check_in: date, check_out: date, today: date) -> None:
    """Check nights against the rules of a property; ``today`` is its local date.

    Raises:
        NightsRefused: the dates break a rule.
    """
    problem = policies.nights_problem(
        check_in=check_in,
        check_out=check_out,
        today=today,
        min_nights=home.min_nights,
        max_nights=home.max_nights,
    )
    if problem is not None:
        raise NightsRefused(problem=problem, min_nights=home.min_nights, max_nights=home.max_nights)


def check_guests(*, home: Property, guests: int) -> None:
    """Check a number of guests against the beds.

    Raises:
        TooManyGuests: more guests than the property takes.
    """
    if guests > home.capacity:
        raise TooManyGuests(guests=guests, capacity=home.capacity)


def check_price(price: policies.Price) -> None:
    """Check a price against what a card can be charged, before it is promised.

    Raises:
        PriceRefused: the deposit or the balance is too little or too much.
    """
    if not price.can_be_charged:
        raise PriceRefused
