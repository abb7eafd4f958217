"""The owner publishes new versions of the legal texts; what was published stays as it was."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from bookings.legal import built_in
from bookings.models import Consent, LegalText
from bookings.read_only import OfficeList, ReadOnly, instant, link_to


@admin.register(LegalText)
class LegalTextAdmin(OfficeList, admin.ModelAdmin):  # type: ignore[type-arg]
    """Published as a new version each time: guests have accepted the older ones."""

    list_display = ("kind", "version", "published")
    list_filter = ("kind",)
    fields = ("kind", "spanish", "english")
    published = instant("published_at", _("published"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with the words that hold now: ``?kind=privacy`` chooses the text."""
        asked = request.GET.get("kind", "")
        kind = asked if asked in LegalText.Kind.values else LegalText.Kind.TERMS.value
        text = LegalText.objects.filter(kind=kind).first()
        return {
            "kind": kind,
            "spanish": text.spanish if text else built_in(kind, is_english=False),
            "english": text.english if text else built_in(kind, is_english=True),
        }

    def save_model(self, request: HttpRequest, obj: LegalText, form: Any, change: bool) -> None:
        newest = LegalText.objects.filter(kind=obj.kind).aggregate(Max("version"))["version__max"]
        obj.version, obj.published_at = (newest or 0) + 1, timezone.now()
        super().save_model(request, obj, form, change)


@admin.register(Consent)
class ConsentAdmin(OfficeList, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("id", "booking_link", "terms_version", "privacy_version", "accepted")
    list_select_related = ("booking",)
    ordering = ("-id",)
    search_fields = ("booking__guest_email", "booking__guest_name")
    readonly_fields = list_display
    fields = readonly_fields
    accepted = instant("accepted_at", _("accepted"))

    @admin.display(description=_("booking"))
    def booking_link(self, consent: Consent) -> SafeString:
        return link_to(consent.booking)
