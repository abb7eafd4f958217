"""Properties, quotes, bookings and the nights they block.

Migrations 0002 and 0010 add what a model cannot say: quotes never change, a booking moves only along its
state machine, and a living booking blocks exactly the nights of its quote, beside those it is to be moved to.
"""

from __future__ import annotations

from bookings.models.changes import BookingChangeLog, DateChange
from bookings.models.homes import Property, validate_timezone
from bookings.models.legal import Consent, LegalText
from bookings.models.nights import NIGHT_BLOCKS_NEVER_OVERLAP, NightBlock, nights_between
from bookings.models.photos import PhotoVariant, PropertyPhoto
from bookings.models.stays import Booking, BookingStatus, Quote

__all__ = (
    "NIGHT_BLOCKS_NEVER_OVERLAP",
    "Booking",
    "BookingChangeLog",
    "BookingStatus",
    "Consent",
    "DateChange",
    "LegalText",
    "NightBlock",
    "PhotoVariant",
    "Property",
    "PropertyPhoto",
    "Quote",
    "nights_between",
    "validate_timezone",
)
