"""E-mails as guests see them: those that were asked for, and a sample of each kind in each language.

The link to the booking is left out: whoever has it may cancel, which reading an e-mail does not allow.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import translation
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from payments.email_facts import EmailFacts
from payments.letters import WrittenLetter, access_letter, read_facts, render_letter, write_letter
from payments.models import GuestEmail

_NO_LINK = "/reserva/…/"
_ACCESS_LINK = "access_link"
_SAMPLES = [*GuestEmail.Kind.choices, (_ACCESS_LINK, _("link to my bookings"))]

# An e-mail brings its own style and nothing else; only a page of ours may frame it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"

_SAMPLE = EmailFacts(
    name="Lucía Pérez",
    home="Casa Caracol",
    town="Tulum",
    folio="RE-00000000",
    guests=4,
    nights=7,
    arrival_at=datetime(2027, 1, 9, 21, tzinfo=UTC),
    departure_at=datetime(2027, 1, 16, 18, tzinfo=UTC),
    hold_expires_at=datetime(2026, 12, 1, 20, 32, tzinfo=UTC),
    balance_due_at=datetime(2027, 1, 11, 21, tzinfo=UTC),
    rate_minor=150_000,
    lodging_minor=1_050_000,
    discount_minor=105_000,
    cleaning_minor=10_000,
    tax_bps=1_600,
    tax_minor=152_800,
    total_minor=1_107_800,
    deposit_minor=332_340,
    balance_minor=775_460,
    payment_kind="balance",
    amount_minor=775_460,
    paid_minor=332_340,
    back_minor=332_340,
    next_try_at=datetime(2027, 1, 12, 15, tzinfo=UTC),
    old_arrival_at=datetime(2027, 1, 2, 21, tzinfo=UTC),
    old_departure_at=datetime(2027, 1, 9, 18, tzinfo=UTC),
    old_total_minor=1_107_800,
    changes=1,
    address="Calle Sol 12, La Veleta",
    map_url="https://www.openstreetmap.org/#map=17/20.21/-87.46",
    host_name="Marisol Reyes",
    host_phone="+52 984 123 4567",
    instructions="La llave está en la caja junto a la puerta.\nSu código es 4711.",
)


class PreviewEmails:
    """Mix into the page of the e-mails."""

    change_list_template: Any = "payments/admin/emails.html"
    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("samples/", view(self.show_samples), name="payments_guestemail_samples"),
            path("samples/<str:kind>/<str:language>/", view(self.show_sample), name="payments_sample_email"),
            path("<int:email_id>/seen/", view(self.show_email), name="payments_guestemail_seen"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    @admin.display(description=_("as the guest sees it"))
    def preview(self, email: GuestEmail) -> SafeString:
        address = reverse("admin:payments_guestemail_seen", args=[email.pk])
        return format_html('<a href="{}">{}</a>', address, gettext("See the e-mail"))

    def show_samples(self, request: HttpRequest) -> HttpResponse:
        """List a sample of every kind in every language."""
        self._require_view(request)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Every e-mail, with the facts of a sample"),
            "kinds": _SAMPLES,
            "languages": settings.LANGUAGES,
        }
        return render(request, "payments/admin/email_samples.html", context)

    def show_sample(self, request: HttpRequest, kind: str, language: str) -> HttpResponse:
        self._require_view(request)
        if kind not in dict(_SAMPLES) or language not in dict(settings.LANGUAGES):
            raise Http404
        link = settings.SITE_BASE_URL + _NO_LINK
        if kind == _ACCESS_LINK:
            with translation.override(language):
                letter = render_letter(access_letter(), name="", link=link)
        else:
            letter = write_letter(kind=GuestEmail.Kind(kind), facts=_SAMPLE, link=link, language=language)
        return self._show(request, letter)

    def show_email(self, request: HttpRequest, email_id: int) -> HttpResponse:
        self._require_view(request)
        emails = GuestEmail.objects.select_related("booking__quote__home", "payment", "refund")
        email = get_object_or_404(emails, pk=email_id)
        letter = write_letter(
            kind=GuestEmail.Kind(email.kind),
            facts=read_facts(email),
            link=email.base_url.rstrip("/") + _NO_LINK,
            language=email.booking.language,
        )
        return self._show(request, letter)

    def _show(self, request: HttpRequest, letter: WrittenLetter) -> HttpResponse:
        if "html" in request.GET:
            return _frame(request, letter)
        context = {**self.admin_site.each_context(request), "title": letter.subject, "letter": letter}
        return render(request, "payments/admin/email.html", context)

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied


@xframe_options_sameorigin
def _frame(request: HttpRequest, letter: WrittenLetter) -> HttpResponse:
    return HttpResponse(letter.html, headers={"Content-Security-Policy": _POLICY})
