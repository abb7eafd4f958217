"""Why a booking was refused, in the reader's language.

BookingError
├── StayRefused
│   ├── NightsRefused · TooManyGuests · PriceRefused · StayUnavailable · TooManyHolds
├── HoldExpired · HoldNotExtended
├── ChangeRefused
│   ├── NotConfirmed · SameNights · SleptNightsMoved
└── PhotoRefused
"""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bookings.policies import NightsProblem


class BookingError(Exception):
    """Something about a booking cannot be done; the message says what to do instead."""


class StayRefused(BookingError):
    """The stay asked for cannot be held."""


class NightsRefused(StayRefused):
    """The dates break a rule of the property."""

    def __init__(self, *, problem: NightsProblem, min_nights: int, max_nights: int) -> None:
        self.problem = problem
        super().__init__(_describe(problem, min_nights, max_nights))


class TooManyGuests(StayRefused):
    """More guests than beds."""

    def __init__(self, *, guests: int, capacity: int) -> None:
        self.guests, self.capacity = guests, capacity
        super().__init__(
            ngettext(
                "This home takes %(capacity)d guest. Lower the number or choose another home.",
                "This home takes up to %(capacity)d guests. Lower the number or choose another home.",
                capacity,
            )
            % {"capacity": capacity}
        )


class PriceRefused(StayRefused):
    """No card can be charged the deposit, or the balance, at once."""

    def __init__(self) -> None:
        super().__init__(_("A card cannot be charged the price of this stay. Choose other dates."))


class StayUnavailable(StayRefused):
    """Somebody else has at least one of the nights."""

    def __init__(self) -> None:
        super().__init__(_("Somebody has just taken some of these nights. Choose other dates."))


class TooManyHolds(StayRefused):
    """The visitor holds, or has held today, too many nights without paying."""

    def __init__(self, *, is_holding: bool) -> None:
        self.is_holding = is_holding
        super().__init__(
            _("You hold other nights that are not paid. Pay for them or give them up, then hold these.")
            if is_holding
            else _("Too many stays were held today and not paid. Try again tomorrow, or write to us.")
        )


class HoldExpired(BookingError):
    """The hold ran out, so its nights may be somebody else's by now."""

    def __init__(self) -> None:
        super().__init__(_("The time to pay has run out and the nights were released. Hold them again."))


class HoldNotExtended(BookingError):
    """More time is given once, and to nobody whose nights somebody else asks for."""

    def __init__(self) -> None:
        super().__init__(
            _("These dates cannot be held longer: they were already, or somebody else asks for them.")
        )


class ChangeRefused(BookingError):
    """The booking is not in a state in which this change can be made."""


class NotConfirmed(ChangeRefused):
    """Only a confirmed booking can be changed or charged."""

    def __init__(self, *, status: str) -> None:
        self.status = status
        super().__init__(_("Only a confirmed booking can be changed."))


class SameNights(ChangeRefused):
    """The stay has these dates already: somebody sent a form twice, or changes nothing."""

    def __init__(self) -> None:
        super().__init__(_("Your stay has these dates already. Choose others."))


class SleptNightsMoved(ChangeRefused):
    """Nights that were already slept stay where they are."""

    def __init__(self) -> None:
        super().__init__(
            _("Nights already slept cannot be moved. Keep the arrival date and leave today or later.")
        )


def _describe(problem: NightsProblem, min_nights: int, max_nights: int) -> str:
    match problem:
        case NightsProblem.REVERSED:
            return _("Check-out must be after check-in. Correct the dates.")
        case NightsProblem.PAST:
            return _("Check-in is in the past. Choose a date from today on.")
        case NightsProblem.TOO_FEW:
            return ngettext(
                "This home is let for at least %(nights)d night. Choose a longer stay.",
                "This home is let for at least %(nights)d nights. Choose a longer stay.",
                min_nights,
            ) % {"nights": min_nights}
        case NightsProblem.TOO_MANY:
            return ngettext(
                "This home is let for at most %(nights)d night. Choose a shorter stay.",
                "This home is let for at most %(nights)d nights. Choose a shorter stay.",
                max_nights,
            ) % {"nights": max_nights}
        case NightsProblem.TOO_FAR:
            return _("Choose a date within the next two years.")


class PhotoRefused(BookingError):
    """A file is no photo that we can show."""
