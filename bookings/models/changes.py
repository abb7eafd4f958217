"""Changes of dates: those that were applied, and the one that waits for its payment."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from bookings.models.stays import Booking, Quote


class BookingChangeLog(models.Model):
    """A change of dates that was applied: which quote took the place of which.

    ``kept_minor`` is what the house keeps of nights that were given up so late that it does not let them go.
    """

    booking = models.ForeignKey(Booking, models.PROTECT, related_name="changes", verbose_name=_("booking"))
    old_quote = models.OneToOneField(
        Quote, models.PROTECT, related_name="replaced_by", verbose_name=_("before")
    )
    new_quote = models.OneToOneField(Quote, models.PROTECT, related_name="replaces", verbose_name=_("after"))
    kept_minor = models.BigIntegerField(_("kept for nights given up (centavos)"), default=0, db_default=0)
    applied_at = models.DateTimeField(_("applied"))

    class Meta:
        verbose_name = _("change of dates")
        verbose_name_plural = _("changes of dates")
        ordering = ("-applied_at",)
        constraints = (
            models.CheckConstraint(
                name="bookings_kept_for_a_change_is_not_negative", condition=Q(kept_minor__gte=0)
            ),
        )

    def __str__(self) -> str:
        return f"{self.old_quote.check_in} → {self.new_quote.check_in}"


class DateChange(models.Model):
    """Dearer dates of a confirmed stay, held until they are paid for; until then the stay is as it was.

    ``kept_minor`` is what is kept of nights given up, once it is applied.
    """

    class State(models.TextChoices):
        OPEN = "open", _("waits for its payment")
        APPLIED = "applied", _("applied")
        ABANDONED = "abandoned", _("abandoned")

    booking = models.ForeignKey(
        Booking, models.PROTECT, related_name="date_changes", verbose_name=_("booking")
    )
    quote = models.OneToOneField(
        Quote, models.PROTECT, related_name="date_change", verbose_name=_("new dates")
    )
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    charge_minor = models.BigIntegerField(_("to be paid first (centavos)"))
    kept_minor = models.BigIntegerField(_("kept for nights given up (centavos)"), default=0)
    expires_at = models.DateTimeField(_("held until"))
    created_at = models.DateTimeField(_("created"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("change of dates under way")
        verbose_name_plural = _("changes of dates under way")
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                name="bookings_one_open_change_per_booking",
                fields=("booking",),
                condition=Q(state="open"),
            ),
            models.CheckConstraint(
                name="bookings_change_state_makes_sense",
                condition=Q(state="open", ended_at=None)
                | Q(state__in=("applied", "abandoned"), ended_at__isnull=False),
            ),
            models.CheckConstraint(
                name="bookings_change_amounts_make_sense",
                condition=Q(charge_minor__gt=0, kept_minor__gte=0),
            ),
        )

    def __str__(self) -> str:
        return f"{self.booking} → {self.quote.check_in}"
