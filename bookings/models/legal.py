"""What guests agree to: the texts of the house, version by version, and who has accepted which."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from bookings.models.stays import Booking


class LegalText(models.Model):
    """A version of a text, as the owner published it; it never changes, the next one takes its place."""

    class Kind(models.TextChoices):
        TERMS = "terms", _("terms and conditions")
        PRIVACY = "privacy", _("privacy notice")
        COOKIES = "cookies", _("cookies")

    kind = models.CharField(_("text"), max_length=10, choices=Kind)
    version = models.PositiveIntegerField(_("version"))
    spanish = models.TextField(_("in Spanish"), max_length=50_000)
    english = models.TextField(_("in English"), max_length=50_000)
    published_at = models.DateTimeField(_("published"))

    class Meta:
        verbose_name = _("legal text")
        verbose_name_plural = _("legal texts")
        ordering = ("kind", "-version")
        constraints = (
            models.UniqueConstraint(fields=("kind", "version"), name="bookings_one_text_per_version"),
            models.CheckConstraint(
                name="bookings_legal_text_known",
                condition=Q(kind__in=["terms", "privacy", "cookies"], version__gte=1),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.version}"


class Consent(models.Model):
    """That a guest has accepted the terms and the privacy notice; version 0 came with the site."""

    booking = models.OneToOneField(Booking, models.PROTECT, related_name="consent", verbose_name=_("booking"))
    terms_version = models.PositiveIntegerField(_("terms"))
    privacy_version = models.PositiveIntegerField(_("privacy notice"))
    accepted_at = models.DateTimeField(_("accepted"))

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")

    def __str__(self) -> str:
        return f"{self.booking} {self.terms_version}-{self.privacy_version}"
