"""What the site offers for a stay, before anything is held: prices and kind refusals, read only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.utils.translation import gettext as _

from bookings import policies, queries
from bookings.availability import Stay, is_free
from bookings.exceptions import StayRefused, StayUnavailable, TooManyGuests
from bookings.models import Property
from bookings.rules import check_guests, check_nights, check_price


@dataclass(frozen=True, slots=True)
class Listing:
    """A property on the home page: with a price or a refusal when a stay was asked for."""

    home: Property
    photo_id: UUID | None = None
    price: policies.Price | None = None
    refusal: StayRefused | None = None

    @property
    def words(self) -> str:
        """Why the property does not suit; nobody was faster here, the nights simply are not free."""
        if isinstance(self.refusal, StayUnavailable):
            return _("Taken on these dates.")
        return str(self.refusal or "")


def list_homes(*, stay: Stay | None, guests: int | None, now: datetime) -> list[Listing]:
    """Return the listed properties, first those that suit the stay, or at least the number of guests."""
    nights = (stay.check_in, stay.check_out) if stay else None
    shown = queries.list_listed(nights=nights, now=now)
    if stay is None:
        listings = [
            Listing(each.home, each.photo_id, refusal=_too_many(each.home, guests or 1)) for each in shown
        ]
    else:
        listings = [_list_home(each, stay, now=now) for each in shown]
    return sorted(listings, key=lambda listing: listing.refusal is not None)


def price_offer(*, home: Property, stay: Stay, closed: Collection[date], today: date) -> policies.Price:
    """Price a stay that could be held now.

    Args:
        closed: the nights of the property that cannot be held.
        today: the property's local date.

    Raises:
        StayRefused: why it could not.
    """
    check_rules(home=home, stay=stay, today=today)
    if not is_free(check_in=stay.check_in, check_out=stay.check_out, closed=closed):
        raise StayUnavailable
    return _price(home, stay)


def check_rules(*, home: Property, stay: Stay, today: date) -> None:
    """Check a stay against the rules of a property, whoever else is there.

    Raises:
        NightsRefused: the dates break a rule.
        TooManyGuests: more guests than the property takes.
    """
    check_nights(home=home, check_in=stay.check_in, check_out=stay.check_out, today=today)
    check_guests(home=home, guests=stay.guests)


def _too_many(home: Property, guests: int) -> TooManyGuests | None:
    return TooManyGuests(guests=guests, capacity=home.capacity) if guests > home.capacity else None


def _list_home(shown: queries.ListedHome, stay: Stay, *, now: datetime) -> Listing:
    home = shown.home
    try:
        check_rules(home=home, stay=stay, today=now.astimezone(home.tz).date())
        if shown.is_taken:
            raise StayUnavailable
        return Listing(home, shown.photo_id, price=_price(home, stay))
    except StayRefused as refusal:
        return Listing(home, shown.photo_id, refusal=refusal)


def _price(home: Property, stay: Stay) -> policies.Price:
    price = policies.price_stay(
        nights=stay.night_count,
        nightly_rate_minor=home.nightly_rate_minor,
        cleaning_fee_minor=home.cleaning_fee_minor,
        tax_bps=home.tax_bps,
        lodging_tax_bps=home.lodging_tax_bps,
    )
    check_price(price)
    return price
