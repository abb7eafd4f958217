"""The photos of homes, each at up to three widths."""

from __future__ import annotations

import uuid

import django.core.validators
import django.db.models.deletion
import django.db.models.lookups
from django.db import migrations, models

import bookings.models.photos


class Migration(migrations.Migration):
    dependencies = [
        ("bookings", "0012_what_homes_have"),
    ]

    operations = [
        migrations.CreateModel(
            name="PropertyPhoto",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, unique=True, verbose_name="public id"
                    ),
                ),
                (
                    "alt",
                    models.CharField(
                        help_text="For guests who cannot see it, such as: The terrace with its view of the lake",
                        max_length=160,
                        validators=[django.core.validators.MinLengthValidator(5)],
                        verbose_name="what it shows",
                    ),
                ),
                (
                    "position",
                    models.PositiveSmallIntegerField(
                        db_default=0,
                        default=0,
                        help_text="The lowest comes first, and stands for the home.",
                        verbose_name="order",
                    ),
                ),
                ("width", models.PositiveIntegerField(editable=False, verbose_name="width")),
                ("height", models.PositiveIntegerField(editable=False, verbose_name="height")),
                (
                    "home",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="photos",
                        to="bookings.property",
                        verbose_name="property",
                    ),
                ),
            ],
            options={
                "verbose_name": "photo",
                "verbose_name_plural": "photos",
                "ordering": ("home", "position", "id"),
            },
        ),
        migrations.CreateModel(
            name="PhotoVariant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("width", models.PositiveIntegerField()),
                ("webp", models.BinaryField()),
                (
                    "photo",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="variants",
                        to="bookings.propertyphoto",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="propertyphoto",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("alt", ""), _negated=True), ("height__gte", 1), ("width__gte", 960)
                ),
                name="bookings_photo_says_what_it_shows",
            ),
        ),
        migrations.AddConstraint(
            model_name="photovariant",
            constraint=models.UniqueConstraint(
                fields=("photo", "width"), name="bookings_one_variant_per_width"
            ),
        ),
        migrations.AddConstraint(
            model_name="photovariant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    django.db.models.lookups.LessThanOrEqual(
                        bookings.models.photos.OctetLength("webp"), 131072
                    ),
                    ("width__in", [480, 960, 1600]),
                ),
                name="bookings_variant_is_small",
            ),
        ),
    ]
