"""Properties, quotes, bookings and the nights they block.

Migration 0002 adds what a model cannot say: quotes never change, a booking moves only along its state
machine, and a living booking blocks exactly the nights of its quote.
"""

from __future__ import annotations

import uuid
from datetime import date
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.backends.postgresql.psycopg_any import DateRange
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from bookings import policies

NIGHT_BLOCKS_NEVER_OVERLAP = "bookings_night_blocks_never_overlap"
_ACCESS_SALT = "bookings.access"


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
    min_nights = models.PositiveSmallIntegerField(_("fewest nights"), default=policies.MIN_NIGHTS)
    max_nights = models.PositiveSmallIntegerField(_("most nights"), default=policies.MAX_NIGHTS)
    capacity = models.PositiveSmallIntegerField(_("most guests"))
    is_listed = models.BooleanField(_("shown on the site"), default=True)

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
        )
        if not shortest.can_be_charged:
            message = _("A card cannot be charged the shortest stay at this price: its deposit or balance.")
            raise ValidationError({"nightly_rate_minor": message})

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class Quote(models.Model):
    """An offer, never changed after it was made: the price a guest was shown is the price charged."""

    home = models.ForeignKey(Property, models.PROTECT, related_name="quotes", verbose_name=_("property"))
    nights = DateRangeField(_("nights"))
    guests = models.PositiveSmallIntegerField(_("guests"))
    nightly_rate_minor = models.BigIntegerField(_("price per night (centavos)"))
    tax_bps = models.PositiveIntegerField(_("tax (hundredths of a percent)"))
    lodging_minor = models.BigIntegerField(_("nights (centavos)"))
    discount_minor = models.BigIntegerField(_("discount (centavos)"))
    cleaning_minor = models.BigIntegerField(_("cleaning (centavos)"))
    tax_minor = models.BigIntegerField(_("tax (centavos)"))
    total_minor = models.BigIntegerField(_("total (centavos)"))
    deposit_minor = models.BigIntegerField(_("deposit (centavos)"))
    currency = models.CharField(_("currency"), max_length=3)
    created_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("quote")
        verbose_name_plural = _("quotes")
        constraints = (
            models.CheckConstraint(
                name="bookings_quote_adds_up",
                condition=Q(
                    total_minor=F("lodging_minor")
                    - F("discount_minor")
                    + F("cleaning_minor")
                    + F("tax_minor"),
                    lodging_minor__gt=0,
                    discount_minor__gte=0,
                    cleaning_minor__gte=0,
                    tax_minor__gte=0,
                    deposit_minor__gte=0,
                    deposit_minor__lte=F("total_minor"),
                ),
            ),
            models.CheckConstraint(
                name="bookings_quote_can_be_charged",
                condition=(
                    Q(deposit_minor=0)
                    | Q(deposit_minor__range=(policies.LEAST_CHARGE_MINOR, policies.MOST_CHARGE_MINOR))
                )
                & (
                    Q(total_minor=F("deposit_minor"))
                    | Q(
                        total_minor__gte=F("deposit_minor") + policies.LEAST_CHARGE_MINOR,
                        total_minor__lte=F("deposit_minor") + policies.MOST_CHARGE_MINOR,
                    )
                ),
            ),
            models.CheckConstraint(name="bookings_quote_has_guests", condition=Q(guests__gte=1)),
        )

    def __str__(self) -> str:
        return f"{self.home} {self.check_in} – {self.check_out}"

    @property
    def check_in(self) -> date:
        return cast(date, self.nights.lower)

    @property
    def check_out(self) -> date:
        return cast(date, self.nights.upper)

    @property
    def night_count(self) -> int:
        return (self.check_out - self.check_in).days

    @property
    def balance_minor(self) -> int:
        return self.total_minor - self.deposit_minor


class BookingStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    CONFIRMED = "confirmed", _("confirmed")
    COMPLETED = "completed", _("completed")
    CANCELLED = "cancelled", _("cancelled")
    EXPIRED = "expired", _("expired")


class Booking(models.Model):
    """A guest's stay, from the hold to the end.

    ``held_by`` stands for the visitor who holds it, from which no address can be read; empty when nobody was
    counted. ``hold_extended_at`` is when the guest asked for more time, ``wanted_at`` when somebody else last
    asked for its nights. ``checkout_open`` says that a Checkout Session may still take money for the hold:
    its nights are kept until Stripe proves that the session is over. ``settled_at`` is when nothing was owed
    any more; only then can a booking be completed. ``cancel_requested_at`` stops every new charge at once,
    while the settlement runs in a worker.
    """

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    quote = models.OneToOneField(Quote, models.PROTECT, related_name="booking", verbose_name=_("quote"))
    status = models.CharField(
        _("status"), max_length=10, choices=BookingStatus, default=BookingStatus.PENDING
    )
    guest_name = models.CharField(_("guest"), max_length=200)
    guest_email = models.EmailField(_("e-mail"))
    guest_phone = models.CharField(_("telephone"), max_length=40, blank=True)
    # In which the guest read the site, and is written to.
    language = models.CharField(_("language"), max_length=10, default="es-mx", db_default="es-mx")
    arrival_at = models.DateTimeField(_("arrival"))
    departure_at = models.DateTimeField(_("departure"))
    balance_due_at = models.DateTimeField(_("balance due"))
    hold_expires_at = models.DateTimeField(_("held until"))
    hold_extended_at = models.DateTimeField(null=True, blank=True, editable=False)
    wanted_at = models.DateTimeField(null=True, blank=True, editable=False)
    held_by = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)
    checkout_open = models.BooleanField(_("being paid"), default=False)
    created_at = models.DateTimeField(_("created"))
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    cancel_requested_at = models.DateTimeField(_("cancellation requested"), null=True, blank=True)
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)

    class Meta:
        verbose_name = _("booking")
        verbose_name_plural = _("bookings")
        ordering = ("-created_at",)
        indexes = (
            models.Index(
                name="bookings_due",
                fields=("balance_due_at",),
                condition=Q(status="confirmed", settled_at=None, cancel_requested_at=None),
            ),
            models.Index(
                name="bookings_to_settle",
                fields=("cancel_requested_at",),
                condition=Q(cancel_requested_at__isnull=False, status__in=("pending", "confirmed")),
            ),
            models.Index(name="bookings_holds", fields=("hold_expires_at",), condition=Q(status="pending")),
            models.Index(
                name="bookings_departures", fields=("departure_at",), condition=Q(status="confirmed")
            ),
            models.Index(name="bookings_newest", fields=("created_at",)),
            models.Index(name="bookings_arrivals", fields=("arrival_at",)),
            models.Index(name="bookings_balance_days", fields=("balance_due_at",)),
            models.Index(Upper("guest_email"), name="bookings_guest_email"),
            models.Index(
                name="bookings_unpaid_by_visitor",
                fields=("held_by", "created_at"),
                condition=Q(confirmed_at=None) & ~Q(held_by=""),
            ),
        )
        constraints = (
            models.CheckConstraint(
                name="bookings_booking_status_known", condition=Q(status__in=BookingStatus.values)
            ),
            models.CheckConstraint(
                name="bookings_confirmed_has_its_instant",
                condition=Q(status__in=("confirmed", "completed"), confirmed_at__isnull=False)
                | ~Q(status__in=("confirmed", "completed")),
            ),
            models.CheckConstraint(
                name="bookings_cancelled_has_its_instant",
                condition=Q(status="cancelled", cancelled_at__isnull=False)
                | (~Q(status="cancelled") & Q(cancelled_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="bookings_completed_owes_nothing",
                condition=~Q(status="completed") | Q(settled_at__isnull=False),
            ),
            models.CheckConstraint(
                name="bookings_only_a_hold_is_being_paid",
                condition=Q(checkout_open=False) | Q(status="pending"),
            ),
            models.CheckConstraint(
                name="bookings_no_wanted_hold_is_extended",
                condition=Q(hold_extended_at=None)
                | Q(wanted_at=None)
                | Q(wanted_at__gt=F("hold_extended_at")),
            ),
            models.CheckConstraint(
                name="bookings_instants_in_order",
                condition=Q(departure_at__gt=F("arrival_at"), balance_due_at__gt=F("arrival_at")),
            ),
        )

    def __str__(self) -> str:
        return self.folio

    def get_absolute_url(self) -> str:
        """The guest's own page: whoever has this address may see and pay the booking."""
        return reverse("booking", args=[self.access_token])

    @property
    def folio(self) -> str:
        """The short reference people say on the telephone; it grants no access."""
        return f"RE-{self.public_id.hex[:8].upper()}"

    @property
    def home(self) -> Property:
        return self.quote.home

    @property
    def access_token(self) -> str:
        """The unguessable part of the guest's link: derived from the secret key, so it is stored nowhere."""
        return signing.Signer(salt=_ACCESS_SALT, sep=".").sign(self.public_id.hex)

    @staticmethod
    def public_id_from(access_token: str) -> uuid.UUID:
        """Return the booking an access token opens.

        Raises:
            django.core.signing.BadSignature: the token was not made by this site.
        """
        return uuid.UUID(hex=signing.Signer(salt=_ACCESS_SALT, sep=".").unsign(access_token))


class NightBlock(models.Model):
    """Nights of a property that one booking keeps from all others; ``nights`` is half-open, ``[)``."""

    home = models.ForeignKey(
        Property, models.PROTECT, related_name="night_blocks", verbose_name=_("property")
    )
    booking = models.ForeignKey(
        Booking, models.PROTECT, related_name="night_blocks", verbose_name=_("booking")
    )
    nights = DateRangeField(_("nights"))
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"))
    released_at = models.DateTimeField(_("released"), null=True, blank=True)
    release_proof = models.CharField(_("why they could be released"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("blocked nights")
        verbose_name_plural = _("blocked nights")
        constraints = (
            ExclusionConstraint(
                name=NIGHT_BLOCKS_NEVER_OVERLAP,
                expressions=(
                    ("home", RangeOperators.EQUAL),
                    ("nights", RangeOperators.OVERLAPS),
                    ("booking", RangeOperators.NOT_EQUAL),
                ),
                condition=Q(active=True),
            ),
            models.CheckConstraint(
                name="bookings_released_nights_have_a_proof",
                condition=Q(active=True, released_at__isnull=True)
                | (Q(active=False, released_at__isnull=False) & ~Q(release_proof="")),
            ),
            models.CheckConstraint(
                name="bookings_night_block_is_not_empty",
                condition=Q(nights__isempty=False, nights__lower_inf=False, nights__upper_inf=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.home} {self.nights.lower} – {self.nights.upper}"


class BookingChangeLog(models.Model):
    """A change of dates that was applied: which quote took the place of which."""

    booking = models.ForeignKey(Booking, models.PROTECT, related_name="changes", verbose_name=_("booking"))
    old_quote = models.OneToOneField(
        Quote, models.PROTECT, related_name="replaced_by", verbose_name=_("before")
    )
    new_quote = models.OneToOneField(Quote, models.PROTECT, related_name="replaces", verbose_name=_("after"))
    applied_at = models.DateTimeField(_("applied"))

    class Meta:
        verbose_name = _("change of dates")
        verbose_name_plural = _("changes of dates")
        ordering = ("-applied_at",)

    def __str__(self) -> str:
        return f"{self.old_quote.check_in} → {self.new_quote.check_in}"


def nights_between(check_in: date, check_out: date) -> DateRange:
    """Return the half-open range of nights of a stay."""
    return DateRange(check_in, check_out, "[)")
