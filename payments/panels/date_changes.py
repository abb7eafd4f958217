"""The list of dearer dates that guests asked for: what waits for its payment, and what became of the rest."""

from __future__ import annotations

from django.contrib import admin
from django.utils import formats
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from bookings.models import DateChange
from bookings.money import format_pesos
from bookings.read_only import OfficeList, ReadOnly, instant, link_to
from payments import unfinished
from payments.panels.try_again import TryAgain


@admin.register(DateChange)
class DateChangeAdmin(TryAgain, OfficeList, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    work = unfinished.CHANGES
    list_display = ("id", "booking_link", "dates", "charge", "state", "held_until", "made", "over")
    list_filter = ("state", "expires_at")
    list_select_related = ("booking", "quote")
    ordering = ("-id",)
    search_fields = ("booking__guest_email", "booking__guest_name")
    readonly_fields = list_display
    fields = readonly_fields
    held_until = instant("expires_at", _("held until"))
    made = instant("created_at", _("created"))
    over = instant("ended_at", _("ended"))

    @admin.display(description=_("booking"))
    def booking_link(self, change: DateChange) -> SafeString:
        return link_to(change.booking)

    @admin.display(description=_("new dates"))
    def dates(self, change: DateChange) -> str:
        return f"{formats.date_format(change.quote.check_in)} – {formats.date_format(change.quote.check_out)}"

    @admin.display(description=_("to be paid first"), ordering="charge_minor")
    def charge(self, change: DateChange) -> str:
        return format_pesos(change.charge_minor)
