"""The nights that are blocked."""

from __future__ import annotations

from datetime import date

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.backends.postgresql.psycopg_any import DateRange
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from bookings.models.homes import Property
from bookings.models.stays import Booking

NIGHT_BLOCKS_NEVER_OVERLAP = "bookings_night_blocks_never_overlap"


class NightBlock(models.Model):
    """Nights of a property that nobody else can have; ``nights`` is half-open, ``[)``.

    A booking blocks the nights of its stay, and for a while those that it is to be moved to. Staff block
    nights by hand for no booking; ``note`` says why.
    """

    class Kind(models.TextChoices):
        STAY = "stay", _("stay")
        CHANGE = "change", _("change of dates")
        MANUAL = "manual", _("by hand")

    home = models.ForeignKey(
        Property, models.PROTECT, related_name="night_blocks", verbose_name=_("property")
    )
    booking = models.ForeignKey(
        Booking,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="night_blocks",
        verbose_name=_("booking"),
    )
    kind = models.CharField(_("kind"), max_length=6, choices=Kind, default=Kind.STAY, db_default="stay")
    nights = DateRangeField(_("nights"))
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"))
    released_at = models.DateTimeField(_("released"), null=True, blank=True)
    release_proof = models.CharField(_("why they could be released"), max_length=200, blank=True)
    note = models.CharField(_("why they are blocked"), max_length=200, blank=True, db_default="")

    class Meta:
        verbose_name = _("blocked nights")
        verbose_name_plural = _("blocked nights")
        constraints = (
            ExclusionConstraint(
                name=NIGHT_BLOCKS_NEVER_OVERLAP,
                expressions=(
                    ("home", RangeOperators.EQUAL),
                    ("nights", RangeOperators.OVERLAPS),
                    (Coalesce("booking", -F("id")), RangeOperators.NOT_EQUAL),
                ),
                condition=Q(active=True),
            ),
            models.CheckConstraint(
                name="bookings_released_nights_have_a_proof",
                condition=Q(active=True, released_at__isnull=True)
                | (Q(active=False, released_at__isnull=False) & ~Q(release_proof="")),
            ),
            models.CheckConstraint(
                name="bookings_nights_are_blocked_for_somebody",
                condition=Q(kind="manual", booking=None)
                | Q(kind__in=("stay", "change"), booking__isnull=False),
            ),
            models.CheckConstraint(
                name="bookings_night_block_is_not_empty",
                condition=Q(nights__isempty=False, nights__lower_inf=False, nights__upper_inf=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.home} {self.nights.lower} – {self.nights.upper}"


def nights_between(check_in: date, check_out: date) -> DateRange:
    """Return the half-open range of nights of a stay."""
    return DateRange(check_in, check_out, "[)")
