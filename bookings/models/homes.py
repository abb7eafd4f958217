"""The homes that are let."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from bookings import policies


def validate_timezone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(
            _("“%(name)s” is not a time zone. Use a name such as America/Cancun."), params={"name": name}
        )


class Property(models.Model):
    """A home that is let, with its prices and rules."""

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("address on the site"), unique=True)
    town = models.CharField(_("town"), max_length=120)
    summary = models.TextField(_("description"))
    timezone = models.CharField(
        _("time zone"), max_length=64, default="America/Mexico_City", validators=[validate_timezone]
    )
    currency = models.CharField(_("currency"), max_length=3, default="mxn")
    nightly_rate_minor = models.BigIntegerField(
        _("price per night (centavos)"), validators=[MinValueValidator(1)]
    )
    cleaning_fee_minor = models.BigIntegerField(
        _("cleaning fee (centavos)"), default=10_000, validators=[MinValueValidator(0)]
    )
    tax_bps = models.PositiveIntegerField(_("tax (hundredths of a percent)"), default=1_600)
    lodging_tax_bps = models.PositiveIntegerField(
        _("state's tax on lodging (hundredths of a percent)"),
        default=0,
        db_default=0,
        validators=[MaxValueValidator(policies.BASIS_POINTS)],
        help_text=_("On the nights alone; 300 is 3 %. Each state has its own."),
    )
    min_nights = models.PositiveSmallIntegerField(_("fewest nights"), default=policies.MIN_NIGHTS)
    max_nights = models.PositiveSmallIntegerField(_("most nights"), default=policies.MAX_NIGHTS)
    capacity = models.PositiveSmallIntegerField(_("most guests"))
    is_listed = models.BooleanField(_("shown on the site"), default=True)
    bedrooms = models.PositiveSmallIntegerField(_("bedrooms"), default=0, db_default=0)
    beds = models.PositiveSmallIntegerField(_("beds"), default=0, db_default=0)
    bathrooms = models.PositiveSmallIntegerField(_("bathrooms"), default=0, db_default=0)
    amenities = models.TextField(
        _("amenities"), blank=True, db_default="", help_text=_("One a line, such as: Wi-Fi of 100 Mbps")
    )
    address = models.CharField(_("address"), max_length=200, blank=True, db_default="")
    map_url = models.CharField(
        _("link to a map"),
        max_length=200,
        blank=True,
        db_default="",
        validators=[URLValidator(schemes=["https"])],
    )
    house_rules = models.TextField(
        _("rules of this house"), blank=True, db_default="", help_text=_("One a line, such as: No smoking")
    )
    host_name = models.CharField(_("who receives guests"), max_length=120, blank=True, db_default="")
    host_phone = models.CharField(_("telephone for guests"), max_length=40, blank=True, db_default="")
    arrival_instructions = models.TextField(
        _("arrival instructions"),
        blank=True,
        db_default="",
        help_text=_("Keys, codes, how to get in: never on the site, only for guests who are about to come."),
    )

    class Meta:
        verbose_name = _("property")
        verbose_name_plural = _("properties")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                name="bookings_property_amounts_make_sense",
                condition=Q(
                    nightly_rate_minor__gt=0, cleaning_fee_minor__gte=0, tax_bps__lte=policies.BASIS_POINTS
                ),
            ),
            models.CheckConstraint(
                name="bookings_property_rules_make_sense",
                condition=Q(
                    min_nights__gte=policies.MIN_NIGHTS,
                    min_nights__lte=F("max_nights"),
                    max_nights__lte=policies.MAX_NIGHTS,
                    capacity__gte=1,
                ),
            ),
            models.CheckConstraint(
                name="bookings_property_lodging_tax_makes_sense",
                condition=Q(lodging_tax_bps__lte=policies.BASIS_POINTS),
            ),
            models.CheckConstraint(name="bookings_property_lets_in_pesos", condition=Q(currency="mxn")),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse prices at which no card could be charged even the shortest stay."""
        if self.nightly_rate_minor is None or self.cleaning_fee_minor is None:
            return  # The form says so already.
        shortest = policies.price_stay(
            nights=self.min_nights or policies.MIN_NIGHTS,
            nightly_rate_minor=self.nightly_rate_minor,
            cleaning_fee_minor=self.cleaning_fee_minor,
            tax_bps=self.tax_bps or 0,
            lodging_tax_bps=self.lodging_tax_bps or 0,
        )
        if not shortest.can_be_charged:
            message = _("A card cannot be charged the shortest stay at this price: its deposit or balance.")
            raise ValidationError({"nightly_rate_minor": message})

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def amenity_list(self) -> list[str]:
        return _lines(self.amenities)

    @property
    def rule_list(self) -> list[str]:
        return _lines(self.house_rules)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
