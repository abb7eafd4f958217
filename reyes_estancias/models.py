"""What the site itself stores, beside bookings and payments."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class FormCount(models.Model):
    """How many forms of a kind a visitor has sent within a span of time; ``visitor`` is no address."""

    kind = models.CharField(_("kind"), max_length=50)
    visitor = models.CharField(_("visitor"), max_length=32)
    ends_at = models.DateTimeField(_("until"))
    count = models.PositiveIntegerField(_("forms"), default=1)

    class Meta:
        verbose_name = _("count of forms")
        verbose_name_plural = _("counts of forms")
        default_permissions = ()
        indexes = (models.Index(fields=["ends_at"], name="site_form_counts_by_end"),)
        constraints = (
            models.UniqueConstraint(fields=("kind", "visitor", "ends_at"), name="site_one_count_per_span"),
        )

    def __str__(self) -> str:
        return f"{self.kind}: {self.count}"
