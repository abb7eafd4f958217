"""Staff correct a guest's mistyped address, and what stands now is written to the right one.

Django's own log of the administration keeps who did it, not the addresses.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _

from bookings.forms import EmailForm
from bookings.models import Booking
from payments.panels.refusals import telling_refusals
from payments.services import replace_email

CORRECT = "bookings.change_booking"


class CorrectAddress:
    """Mix into the admin of bookings; its page shows ``may_correct_address``."""

    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.correct_address)
        correct = path("<int:booking_id>/address/", view, name="bookings_booking_address")
        return [correct, *super().get_urls()]  # type: ignore[misc]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> Any:
        context["may_correct_address"] = request.user.has_perm(CORRECT)
        return super().render_change_form(request, context, *args, **options)  # type: ignore[misc]

    def correct_address(self, request: HttpRequest, booking_id: int) -> HttpResponse:
        """Ask for the right address, and write it down."""
        if not request.user.has_perm(CORRECT):
            raise PermissionDenied
        booking = get_object_or_404(Booking, pk=booking_id)
        form = EmailForm(request.POST or None, initial={"email": booking.guest_email})
        form.fields["email"].help_text = _("What stands now is sent there: the hold, or the confirmation.")
        if form.is_valid() and self._replace(request, booking, form.cleaned_data["email"]):
            return redirect("admin:bookings_booking_change", booking_id)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Correct the address of %(folio)s") % {"folio": booking.folio},
            "booking": booking,
            "form": form,
        }
        return render(request, "payments/admin/address.html", context)

    def _replace(self, request: HttpRequest, booking: Booking, email: str) -> bool:
        words, now = _("The guest's address was corrected."), timezone.now()
        with telling_refusals(request):
            with transaction.atomic():
                replace_email(booking=booking, email=email, base_url=settings.SITE_BASE_URL, now=now)
                self.log_change(request, booking, words)  # type: ignore[attr-defined]
            messages.success(request, words)
            return True
        return False
