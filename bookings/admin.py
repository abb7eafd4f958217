"""The admin pages of properties, bookings and nights."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from bookings import legal_admin, photo_admin  # noqa: F401 - they register their pages
from bookings.closures import open_nights
from bookings.forms import PropertyForm
from bookings.models import Booking, BookingChangeLog, NightBlock, Property, Quote
from bookings.money import format_pesos
from bookings.nights_calendar import NightState, read_first, read_month
from bookings.occupancy import read_occupancy
from bookings.office_forms import ClosureForm, TelephoneForm
from bookings.read_only import NOTHING, OfficeList, ReadOnly, column, instant, link_to
from bookings.references import read_reference

_MOST_HOMES = 40
_LIST_WITH_OCCUPANCY = "bookings/admin/list_with_occupancy.html"


@admin.register(Property)
class PropertyAdmin(OfficeList, admin.ModelAdmin):  # type: ignore[type-arg]
    form = PropertyForm
    list_display = ("name", "town", "capacity", "nightly_rate", "min_nights", "is_listed", "calendar_link")
    list_filter = ("is_listed",)
    search_fields = ("name", "town", "slug")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012
    change_form_template = "bookings/admin/property.html"
    change_list_template = _LIST_WITH_OCCUPANCY

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("occupancy/", view(self.show_occupancy), name="bookings_property_occupancy"),
            path("<int:property_id>/calendar/", view(self.show_calendar), name="bookings_property_calendar"),
            *super().get_urls(),
        ]

    def show_occupancy(self, request: HttpRequest) -> HttpResponse:
        """Show a month of the nights of all properties; ``?month=2026-12`` chooses it."""
        self._require_view_of_nights(request)
        now = timezone.now()
        homes = Paginator(Property.objects.order_by("name", "pk"), _MOST_HOMES).get_page(
            request.GET.get("page")
        )
        first = read_first(request.GET.get("month", ""), today=timezone.localdate(now))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Occupancy of all homes"),
            "opts": self.opts,
            "homes": homes,
            "month": read_occupancy(homes=list(homes), first=first, now=now),
            "states": NightState,
            "may_close": request.user.has_perm("bookings.add_nightblock"),
            "may_see_closures": request.user.has_perm("bookings.view_nightblock"),
        }
        return TemplateResponse(request, "bookings/admin/occupancy.html", context)

    def _require_view_of_nights(self, request: HttpRequest) -> None:
        if not (self.has_view_permission(request) and request.user.has_perm("bookings.view_booking")):
            raise PermissionDenied

    def show_calendar(self, request: HttpRequest, property_id: int) -> HttpResponse:
        """Show a month of a property's nights; ``?month=2026-12`` chooses it."""
        self._require_view_of_nights(request)
        homes = list(Property.objects.all())
        home = next((home for home in homes if home.pk == property_id), None)
        if home is None:
            raise Http404
        now = timezone.now()
        first = read_first(request.GET.get("month", ""), today=now.astimezone(home.tz).date())
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Nights of %(home)s") % {"home": home.name},
            "opts": self.opts,
            "month": read_month(home=home, first=first, now=now),
            "homes": homes,
            "states": NightState,
        }
        return TemplateResponse(request, "bookings/admin/calendar.html", context)

    @admin.display(description=_("price per night"), ordering="nightly_rate_minor")
    def nightly_rate(self, home: Property) -> str:
        return format_pesos(home.nightly_rate_minor)

    @admin.display(description=_("nights"))
    def calendar_link(self, home: Property) -> SafeString:
        address = reverse("admin:bookings_property_calendar", args=[home.pk])
        return format_html('<a href="{}">{}</a>', address, gettext("Calendar"))


class WrittenByForm(ReadOnly):
    """Mix into the page of rows that staff add, by a form that writes them, and change in no other way."""

    add_form: Any
    add_form_template: Any = "admin/change_form.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        meta = self.model._meta  # type: ignore[attr-defined]
        return request.user.has_perm(f"{meta.app_label}.add_{meta.model_name}")

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **options: Any) -> Any:
        return self.add_form if obj is None else super().get_form(request, obj, change, **options)  # type: ignore[misc]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.add_form.base_fields) if obj is None else super().get_fields(request, obj)  # type: ignore[misc]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else super().get_readonly_fields(request, obj)  # type: ignore[misc]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form has written it."""


class BookingAdmin(OfficeList, WrittenByForm, admin.ModelAdmin):  # type: ignore[type-arg]
    """Bookings without their money; payments registers it with them. One taken by telephone is added."""

    add_form = TelephoneForm
    change_list_template = _LIST_WITH_OCCUPANCY

    list_display = ("folio", "guest_name", "home", "check_in", "night_count", "status", "total", "made")
    list_filter = ("status", "quote__home", "arrival_at")
    search_fields = ("guest_name", "guest_email")
    search_help_text = _("Folio, public id, guest or e-mail")
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
        "made",
    )
    fields = readonly_fields
    whole_id = column("public_id", _("public id"))
    made = instant("created_at", _("created"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        return super().get_queryset(request).select_related("quote__home")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Booking], search_term: str
    ) -> tuple[QuerySet[Booking], bool]:
        named = read_reference(search_term)
        if named is not None:
            return queryset.filter(public_id__range=named), False
        if "@" in search_term:
            return queryset.filter(guest_email__iexact=search_term.strip()), False
        return super().get_search_results(request, queryset, search_term)

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
class NightBlockAdmin(OfficeList, WrittenByForm, admin.ModelAdmin):  # type: ignore[type-arg]
    """Blocked nights; staff close some by hand, and open them again."""

    add_form = ClosureForm
    change_list_template = _LIST_WITH_OCCUPANCY
    actions = ("open_again",)
    list_display = (
        "id",
        "home",
        "first_night",
        "departure",
        "kind",
        "booking_link",
        "active",
        "made",
        "freed",
    )
    list_filter = ("active", "kind", "home")
    list_select_related = ("home", "booking")
    ordering = ("-id",)
    search_fields = ("home__name", "booking__guest_email")
    readonly_fields = (*list_display, "note", "release_proof")
    fields = readonly_fields
    made = instant("created_at", _("created"))
    freed = instant("released_at", _("released"))

    def has_open_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("bookings.add_nightblock")

    @admin.action(description=_("Open nights that were closed by hand"), permissions=["open_again"])
    def open_again(self, request: HttpRequest, queryset: QuerySet[NightBlock]) -> None:
        with transaction.atomic():
            count = open_nights(blocks=queryset, now=timezone.now())
            for block in queryset.filter(kind=NightBlock.Kind.MANUAL):
                self.log_change(request, block, "opened again")
        text = ngettext("%(count)d closure was ended.", "%(count)d closures were ended.", count)
        messages.success(request, text % {"count": count})

    @admin.display(description=_("first night"), ordering="nights")
    def first_night(self, block: NightBlock) -> str:
        return formats.date_format(block.nights.lower)

    @admin.display(description=_("departure"))
    def departure(self, block: NightBlock) -> str:
        return formats.date_format(block.nights.upper)

    @admin.display(description=_("booking"))
    def booking_link(self, block: NightBlock) -> SafeString | str:
        return link_to(block.booking) if block.booking else NOTHING


@admin.register(BookingChangeLog)
class BookingChangeLogAdmin(OfficeList, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("id", "booking_link", "before", "after", "price_before", "price_after", "applied")
    list_select_related = ("booking", "old_quote", "new_quote")
    ordering = ("-id",)
    search_fields = ("booking__guest_email", "booking__guest_name")
    readonly_fields = list_display
    fields = readonly_fields
    applied = instant("applied_at", _("applied"))

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
