"""Quotes and the bookings that carry them."""

from __future__ import annotations

import uuid
from datetime import date
from typing import cast

from django.contrib.postgres.fields import DateRangeField
from django.core import signing
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from bookings import policies
from bookings.models.homes import Property

_ACCESS_SALT = "bookings.access"


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
    lodging_tax_bps = models.PositiveIntegerField(
        _("state's tax on lodging (hundredths of a percent)"), default=0, db_default=0
    )
    lodging_tax_minor = models.BigIntegerField(
        _("of which the state's tax on lodging (centavos)"), default=0, db_default=0
    )
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
            models.CheckConstraint(
                name="bookings_quote_lodging_tax_is_part_of_the_tax",
                condition=Q(lodging_tax_minor__gte=0, lodging_tax_minor__lte=F("tax_minor")),
            ),
            models.CheckConstraint(name="bookings_quote_has_guests", condition=Q(guests__gte=1)),
        )

    def __str__(self) -> str:
        return f"{self.home} {self.check_in} – {self.check_out}"

    @property
    def iva_minor(self) -> int:
        return self.tax_minor - self.lodging_tax_minor

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
    while the settlement runs in a worker. ``link_number`` counts the guest's links: another address has
    another link, and whoever got the one before reads nothing any more.
    """

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    quote = models.OneToOneField(Quote, models.PROTECT, related_name="booking", verbose_name=_("quote"))
    status = models.CharField(
        _("status"), max_length=10, choices=BookingStatus, default=BookingStatus.PENDING
    )
    guest_name = models.CharField(_("guest"), max_length=200)
    guest_email = models.EmailField(_("e-mail"))
    guest_phone = models.CharField(_("telephone"), max_length=40, blank=True)
    link_number = models.PositiveIntegerField(default=0, db_default=0, editable=False)
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
        named = f"{self.public_id.hex}-{self.link_number}" if self.link_number else self.public_id.hex
        return signing.Signer(salt=_ACCESS_SALT, sep=".").sign(named)

    @staticmethod
    def read_access_token(access_token: str) -> tuple[uuid.UUID, int]:
        """Return the booking that an access token names, and the number of its link.

        Raises:
            django.core.signing.BadSignature: the token was not made by this site.
        """
        named = signing.Signer(salt=_ACCESS_SALT, sep=".").unsign(access_token)
        public_id, _, number = named.partition("-")
        return uuid.UUID(hex=public_id), int(number or 0)
