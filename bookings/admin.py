"""The admin pages of properties, bookings and nights."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import formats
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from bookings.forms import PropertyForm
from bookings.models import Booking, BookingChangeLog, NightBlock, Property, Quote
from bookings.money import format_pesos
from bookings.read_only import ReadOnly, column, link_to
from bookings.references import read_reference


@admin.register(Property)
class PropertyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = PropertyForm
    list_display = ("name", "town", "capacity", "nightly_rate", "min_nights", "is_listed")
    list_filter = ("is_listed",)
    search_fields = ("name", "town", "slug")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012

    @admin.display(description=_("price per night"), ordering="nightly_rate_minor")
    def nightly_rate(self, home: Property) -> str:
        return format_pesos(home.nightly_rate_minor)


class BookingAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Bookings without their money; payments registers it with them."""

    list_display = ("folio", "guest_name", "home", "check_in", "night_count", "status", "total", "created_at")
    list_filter = ("status", "quote__home", "arrival_at")
    list_select_related = ("quote__home",)
    list_per_page = 50
    date_hierarchy = "arrival_at"
    search_fields = ("guest_name", "guest_email")
    search_help_text = _("Folio, public id, guest or e-mail")
    show_full_result_count = False
    readonly_fields = (
        "folio",
        "whole_id",
        "status",
        "home",
        "check_in",
        "night_count",
        "guests",
        "total",
        "guest_name",
        "guest_email",
        "guest_phone",
        "arrival_at",
        "departure_at",
        "balance_due_at",
        "hold_expires_at",
        "checkout_open",
        "created_at",
        "confirmed_at",
        "cancel_requested_at",
        "cancelled_at",
        "settled_at",
    )
    fields = readonly_fields
    whole_id = column("public_id", _("public id"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Booking], search_term: str
    ) -> tuple[QuerySet[Booking], bool]:
        named = read_reference(search_term)
        if named is None:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(public_id__range=named), False

    @admin.display(description=_("property"), ordering="quote__home__name")
    def home(self, booking: Booking) -> str:
        return booking.home.name

    @admin.display(description=_("check-in"), ordering="arrival_at")
    def check_in(self, booking: Booking) -> str:
        return formats.date_format(booking.quote.check_in)

    @admin.display(description=_("nights"))
    def night_count(self, booking: Booking) -> int:
        return booking.quote.night_count

    @admin.display(description=_("guests"))
    def guests(self, booking: Booking) -> int:
        return booking.quote.guests

    @admin.display(description=_("total"), ordering="quote__total_minor")
    def total(self, booking: Booking) -> str:
        return format_pesos(booking.quote.total_minor)


@admin.register(NightBlock)
class NightBlockAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("home", "first_night", "departure", "booking_link", "active", "created_at", "released_at")
    list_filter = ("active", "home")
    list_select_related = ("home", "booking")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("home__name", "booking__guest_email")
    readonly_fields = (*list_display, "release_proof")
    fields = readonly_fields

    @admin.display(description=_("first night"), ordering="nights")
    def first_night(self, block: NightBlock) -> str:
        return formats.date_format(block.nights.lower)

    @admin.display(description=_("departure"))
    def departure(self, block: NightBlock) -> str:
        return formats.date_format(block.nights.upper)

    @admin.display(description=_("booking"))
    def booking_link(self, block: NightBlock) -> SafeString:
        return link_to(block.booking)


@admin.register(BookingChangeLog)
class BookingChangeLogAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("booking_link", "before", "after", "price_before", "price_after", "applied_at")
    list_select_related = ("booking", "old_quote", "new_quote")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("booking__guest_email", "booking__guest_name")
    readonly_fields = list_display
    fields = readonly_fields

    @admin.display(description=_("booking"))
    def booking_link(self, change: BookingChangeLog) -> SafeString:
        return link_to(change.booking)

    @admin.display(description=_("before"))
    def before(self, change: BookingChangeLog) -> str:
        return _write_nights(change.old_quote)

    @admin.display(description=_("after"))
    def after(self, change: BookingChangeLog) -> str:
        return _write_nights(change.new_quote)

    @admin.display(description=_("price before"))
    def price_before(self, change: BookingChangeLog) -> str:
        return format_pesos(change.old_quote.total_minor)

    @admin.display(description=_("price after"))
    def price_after(self, change: BookingChangeLog) -> str:
        return format_pesos(change.new_quote.total_minor)


def _write_nights(quote: Quote) -> str:
    return f"{formats.date_format(quote.check_in)} – {formats.date_format(quote.check_out)}"
