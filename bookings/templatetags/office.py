"""How the office writes instants, and the nights of its calendars."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from bookings.nights_calendar import NightState
from bookings.occupancy import OccupiedNight
from bookings.read_only import write_instant
from bookings.templatetags.lodging import short_day

register = template.Library()

register.simple_tag(write_instant, name="office_instant")

_LETTERS = {
    NightState.HELD: pgettext_lazy("letter for a night that is held", "H"),
    NightState.BOOKED: pgettext_lazy("letter for a night that is booked", "B"),
    NightState.STAYED: pgettext_lazy("letter for a night that was stayed", "S"),
    NightState.MANUAL: pgettext_lazy("letter for a night that is closed", "C"),
}


@register.filter
def night_letter(state: NightState) -> str:
    """Return the letter that tells a state from the others without colours; a free night has none."""
    return str(_LETTERS.get(state, ""))


@register.simple_tag
def night_sentence(night: OccupiedNight) -> str:
    """Return what there is to know of a night of a home: whose it is, who arrives and who leaves."""
    parts = [f"{short_day(night.date)}: {night.state.label}"]
    if night.block is not None:
        booking = night.block.booking
        parts.append(f"{booking.folio} {booking.guest_name}" if booking else night.block.note)
    if night.arriving is not None:
        parts.append(_("somebody arrives"))
    if night.leaving is not None:
        parts.append(_("%(folio)s leaves") % {"folio": night.leaving.folio})
    return ", ".join(part for part in parts if part)
