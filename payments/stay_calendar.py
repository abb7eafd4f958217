"""A guest's stay for their calendar: the same entry on the page and in every e-mail."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from bookings.calendar_file import CalendarEntry, write_calendar
from bookings.models import Booking
from payments.email_facts import EmailFacts


def write_stay(*, booking: Booking, facts: EmailFacts, is_cancelled: bool = False, now: datetime) -> bytes:
    """Return the file of a stay; a later one of the same booking takes its place in the calendar."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    with translation.override(booking.language):
        title, notes = _("Stay at %(home)s") % {"home": facts.home}, _("Booking %(folio)s")
    entry = CalendarEntry(
        uid=f"{booking.public_id}@{domain}",
        sequence=facts.changes + is_cancelled,
        title=title,
        place=f"{facts.home}, {facts.town}",
        notes=notes % {"folio": facts.folio},
        begins_at=facts.arrival_at or booking.arrival_at,
        ends_at=facts.departure_at or booking.departure_at,
        is_cancelled=is_cancelled,
    )
    return write_calendar(entry, now=now)
