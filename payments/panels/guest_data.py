"""Staff hand a guest what we know of them, or erase it; each is written into the history of the bookings."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bookings.models import Booking
from payments import guest_data
from payments.panels.booking_office import BookingOffice


class GuestData(BookingOffice):
    """Mix into the list of bookings: the bookings that are chosen name the guests."""

    actions: ClassVar[Any] = (*BookingOffice.actions, "export_guests", "erase_guests")

    def has_guest_data_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.handle_guest_data")

    @admin.action(description=gettext_lazy("Export the guests' data (JSON)"), permissions=["guest_data"])
    def export_guests(self, request: HttpRequest, queryset: QuerySet[Booking]) -> HttpResponse:
        for booking in queryset:
            self.log_change(request, booking, "guest's data exported")  # type: ignore[attr-defined]
        guests = [guest_data.export_guest(email) for email in _addresses(queryset)]
        headers = {"Content-Disposition": 'attachment; filename="guests.json"', "Cache-Control": "no-store"}
        return JsonResponse({"guests": guests}, headers=headers, json_dumps_params={"indent": 1})

    @admin.action(description=gettext_lazy("Erase the guests' data"), permissions=["guest_data"])
    def erase_guests(self, request: HttpRequest, queryset: QuerySet[Booking]) -> HttpResponse | None:
        addresses = _addresses(queryset)
        if "confirmed" not in request.POST:
            context: dict[str, Any] = {
                **self.admin_site.each_context(request),  # type: ignore[attr-defined]
                "title": _("Erase the guests' data"),
                "addresses": addresses,
                "chosen": queryset,
            }
            return render(request, "payments/admin/erase_guests.html", context)
        for email in addresses:
            self._erase(request, email)
        return None

    def _erase(self, request: HttpRequest, email: str) -> None:
        with transaction.atomic():
            erased = guest_data.erase_guest(email=email, now=timezone.now())
            for booking in erased:
                self.log_change(request, booking, "guest's data erased")  # type: ignore[attr-defined]
        if not erased:
            words = _("%(email)s has a stay, or money, that still goes on: nothing was erased.")
            messages.warning(request, words % {"email": email})
            return
        text = ngettext(
            "The guest of %(count)d booking was erased.",
            "The guest of %(count)d bookings was erased.",
            len(erased),
        )
        messages.success(request, text % {"count": len(erased)})


def _addresses(bookings: QuerySet[Booking]) -> list[str]:
    found = {email.lower() for email in bookings.values_list("guest_email", flat=True)}
    return sorted(found - {guest_data.ERASED_EMAIL})
