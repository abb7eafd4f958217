"""The photos of a home: rows of the database, because a platform's disks are forgotten at each release."""

from __future__ import annotations

import uuid

from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Q
from django.db.models.lookups import LessThanOrEqual
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from bookings.models.homes import Property

# How wide each variant is, and how many bytes it may have: no page of ours is over 300 KB.
MOST_BYTES = {480: 24 * 1024, 960: 72 * 1024, 1600: 128 * 1024}
LEAST_WIDTH = 960


class PropertyPhoto(models.Model):
    """A photo of a home. Its picture never changes: another picture is another photo, at another address."""

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    home = models.ForeignKey(Property, models.CASCADE, related_name="photos", verbose_name=_("property"))
    alt = models.CharField(
        _("what it shows"),
        max_length=160,
        validators=[MinLengthValidator(5)],
        help_text=_("For guests who cannot see it, such as: The terrace with its view of the lake"),
    )
    position = models.PositiveSmallIntegerField(
        _("order"), default=0, db_default=0, help_text=_("The lowest comes first, and stands for the home.")
    )
    width = models.PositiveIntegerField(_("width"), editable=False)
    height = models.PositiveIntegerField(_("height"), editable=False)

    class Meta:
        verbose_name = _("photo")
        verbose_name_plural = _("photos")
        ordering = ("home", "position", "id")
        constraints = (
            models.CheckConstraint(
                name="bookings_photo_says_what_it_shows",
                condition=~Q(alt="") & Q(width__gte=LEAST_WIDTH, height__gte=1),
            ),
        )

    def __str__(self) -> str:
        return self.alt

    @property
    def widths(self) -> list[int]:
        return [width for width in MOST_BYTES if width <= self.width]

    @property
    def height_at_960(self) -> int:
        return round(self.height * 960 / self.width)

    @property
    def srcset(self) -> str:
        return ", ".join(f"{self.address(width)} {width}w" for width in self.widths)

    @property
    def largest(self) -> str:
        return self.address(self.widths[-1])

    def address(self, width: int) -> str:
        return reverse("photo", args=[self.public_id, width])


class OctetLength(models.Func):
    """How many bytes a value has."""

    function = "octet_length"
    output_field = models.IntegerField()


class PhotoVariant(models.Model):
    """A photo at one width, as WebP that we have written ourselves."""

    photo = models.ForeignKey(PropertyPhoto, models.CASCADE, related_name="variants")
    width = models.PositiveIntegerField()
    webp = models.BinaryField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("photo", "width"), name="bookings_one_variant_per_width"),
            models.CheckConstraint(
                name="bookings_variant_is_small",
                condition=Q(LessThanOrEqual(OctetLength("webp"), max(MOST_BYTES.values())))
                & Q(width__in=list(MOST_BYTES)),
            ),
        )

    def __str__(self) -> str:
        return f"{self.photo_id} at {self.width}"
