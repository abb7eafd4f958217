"""Homes, their photos and prices, quotes, bookings and the nights they block, what guests agree to."""

from __future__ import annotations

import uuid

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.text
import django.db.models.lookups
from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations, models

import bookings.models.homes
import bookings.models.photos


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        # No two bookings block the same night of a home.
        BtreeGistExtension(),
        migrations.CreateModel(
            name="Booking",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("confirmed", "confirmed"),
                            ("completed", "completed"),
                            ("cancelled", "cancelled"),
                            ("expired", "expired"),
                        ],
                        default="pending",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("guest_name", models.CharField(max_length=200, verbose_name="guest")),
                ("guest_email", models.EmailField(max_length=254, verbose_name="e-mail")),
                ("guest_phone", models.CharField(blank=True, max_length=40, verbose_name="telephone")),
                (
                    "language",
                    models.CharField(
                        db_default="es-mx", default="es-mx", max_length=10, verbose_name="language"
                    ),
                ),
                ("arrival_at", models.DateTimeField(verbose_name="arrival")),
                ("departure_at", models.DateTimeField(verbose_name="departure")),
                ("balance_due_at", models.DateTimeField(verbose_name="balance due")),
                ("hold_expires_at", models.DateTimeField(verbose_name="held until")),
                ("hold_extended_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("wanted_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "held_by",
                    models.CharField(blank=True, db_default="", default="", editable=False, max_length=32),
                ),
                ("checkout_open", models.BooleanField(default=False, verbose_name="being paid")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("confirmed_at", models.DateTimeField(blank=True, null=True, verbose_name="confirmed")),
                (
                    "cancel_requested_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="cancellation requested"),
                ),
                ("cancelled_at", models.DateTimeField(blank=True, null=True, verbose_name="cancelled")),
                ("settled_at", models.DateTimeField(blank=True, null=True, verbose_name="settled")),
            ],
            options={
                "verbose_name": "booking",
                "verbose_name_plural": "bookings",
                "ordering": ("-created_at",),
            },
        ),
        migrations.CreateModel(
            name="Consent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("terms_version", models.PositiveIntegerField(verbose_name="terms")),
                ("privacy_version", models.PositiveIntegerField(verbose_name="privacy notice")),
                ("accepted_at", models.DateTimeField(verbose_name="accepted")),
                (
                    "booking",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="consent",
                        to="bookings.booking",
                        verbose_name="booking",
                    ),
                ),
            ],
            options={
                "verbose_name": "consent",
                "verbose_name_plural": "consents",
            },
        ),
        migrations.CreateModel(
            name="LegalText",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("terms", "terms and conditions"),
                            ("privacy", "privacy notice"),
                            ("cookies", "cookies"),
                        ],
                        max_length=10,
                        verbose_name="text",
                    ),
                ),
                ("version", models.PositiveIntegerField(verbose_name="version")),
                ("spanish", models.TextField(max_length=50000, verbose_name="in Spanish")),
                ("english", models.TextField(max_length=50000, verbose_name="in English")),
                ("published_at", models.DateTimeField(verbose_name="published")),
            ],
            options={
                "verbose_name": "legal text",
                "verbose_name_plural": "legal texts",
                "ordering": ("kind", "-version"),
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "version"), name="bookings_one_text_per_version"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["terms", "privacy", "cookies"]), ("version__gte", 1)
                        ),
                        name="bookings_legal_text_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Property",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("slug", models.SlugField(unique=True, verbose_name="address on the site")),
                ("town", models.CharField(max_length=120, verbose_name="town")),
                ("summary", models.TextField(verbose_name="description")),
                (
                    "timezone",
                    models.CharField(
                        default="America/Mexico_City",
                        max_length=64,
                        validators=[bookings.models.homes.validate_timezone],
                        verbose_name="time zone",
                    ),
                ),
                ("currency", models.CharField(default="mxn", max_length=3, verbose_name="currency")),
                (
                    "nightly_rate_minor",
                    models.BigIntegerField(
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="price per night (centavos)",
                    ),
                ),
                (
                    "cleaning_fee_minor",
                    models.BigIntegerField(
                        default=10000,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="cleaning fee (centavos)",
                    ),
                ),
                (
                    "tax_bps",
                    models.PositiveIntegerField(default=1600, verbose_name="tax (hundredths of a percent)"),
                ),
                (
                    "lodging_tax_bps",
                    models.PositiveIntegerField(
                        db_default=0,
                        default=0,
                        help_text="On the nights alone; 300 is 3 %. Each state has its own.",
                        validators=[django.core.validators.MaxValueValidator(10000)],
                        verbose_name="state's tax on lodging (hundredths of a percent)",
                    ),
                ),
                ("min_nights", models.PositiveSmallIntegerField(default=2, verbose_name="fewest nights")),
                ("max_nights", models.PositiveSmallIntegerField(default=365, verbose_name="most nights")),
                ("capacity", models.PositiveSmallIntegerField(verbose_name="most guests")),
                ("is_listed", models.BooleanField(default=True, verbose_name="shown on the site")),
                (
                    "bedrooms",
                    models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="bedrooms"),
                ),
                ("beds", models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="beds")),
                (
                    "bathrooms",
                    models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="bathrooms"),
                ),
                (
                    "amenities",
                    models.TextField(
                        blank=True,
                        db_default="",
                        help_text="One a line, such as: Wi-Fi of 100 Mbps",
                        verbose_name="amenities",
                    ),
                ),
                (
                    "address",
                    models.CharField(blank=True, db_default="", max_length=200, verbose_name="address"),
                ),
                (
                    "map_url",
                    models.CharField(
                        blank=True,
                        db_default="",
                        max_length=200,
                        validators=[django.core.validators.URLValidator(schemes=["https"])],
                        verbose_name="link to a map",
                    ),
                ),
                (
                    "house_rules",
                    models.TextField(
                        blank=True,
                        db_default="",
                        help_text="One a line, such as: No smoking",
                        verbose_name="rules of this house",
                    ),
                ),
                (
                    "host_name",
                    models.CharField(
                        blank=True, db_default="", max_length=120, verbose_name="who receives guests"
                    ),
                ),
                (
                    "host_phone",
                    models.CharField(
                        blank=True, db_default="", max_length=40, verbose_name="telephone for guests"
                    ),
                ),
                (
                    "arrival_instructions",
                    models.TextField(
                        blank=True,
                        db_default="",
                        help_text="Keys, codes, how to get in: never on the site, only for guests who are about to come.",
                        verbose_name="arrival instructions",
                    ),
                ),
            ],
            options={
                "verbose_name": "property",
                "verbose_name_plural": "properties",
                "ordering": ("name",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cleaning_fee_minor__gte", 0),
                            ("nightly_rate_minor__gt", 0),
                            ("tax_bps__lte", 10000),
                        ),
                        name="bookings_property_amounts_make_sense",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("capacity__gte", 1),
                            ("max_nights__lte", 365),
                            ("min_nights__gte", 2),
                            ("min_nights__lte", models.F("max_nights")),
                        ),
                        name="bookings_property_rules_make_sense",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("lodging_tax_bps__lte", 10000)),
                        name="bookings_property_lodging_tax_makes_sense",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("currency", "mxn")), name="bookings_property_lets_in_pesos"
                    ),
                ],
            },
        ),
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
        migrations.CreateModel(
            name="Quote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("nights", django.contrib.postgres.fields.ranges.DateRangeField(verbose_name="nights")),
                ("guests", models.PositiveSmallIntegerField(verbose_name="guests")),
                ("nightly_rate_minor", models.BigIntegerField(verbose_name="price per night (centavos)")),
                ("tax_bps", models.PositiveIntegerField(verbose_name="tax (hundredths of a percent)")),
                ("lodging_minor", models.BigIntegerField(verbose_name="nights (centavos)")),
                ("discount_minor", models.BigIntegerField(verbose_name="discount (centavos)")),
                ("cleaning_minor", models.BigIntegerField(verbose_name="cleaning (centavos)")),
                ("tax_minor", models.BigIntegerField(verbose_name="tax (centavos)")),
                (
                    "lodging_tax_bps",
                    models.PositiveIntegerField(
                        db_default=0,
                        default=0,
                        verbose_name="state's tax on lodging (hundredths of a percent)",
                    ),
                ),
                (
                    "lodging_tax_minor",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="of which the state's tax on lodging (centavos)"
                    ),
                ),
                ("total_minor", models.BigIntegerField(verbose_name="total (centavos)")),
                ("deposit_minor", models.BigIntegerField(verbose_name="deposit (centavos)")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("created_at", models.DateTimeField(verbose_name="made at")),
                (
                    "home",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quotes",
                        to="bookings.property",
                        verbose_name="property",
                    ),
                ),
            ],
            options={
                "verbose_name": "quote",
                "verbose_name_plural": "quotes",
            },
        ),
        migrations.CreateModel(
            name="DateChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "waits for its payment"),
                            ("applied", "applied"),
                            ("abandoned", "abandoned"),
                        ],
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("charge_minor", models.BigIntegerField(verbose_name="to be paid first (centavos)")),
                (
                    "kept_minor",
                    models.BigIntegerField(default=0, verbose_name="kept for nights given up (centavos)"),
                ),
                ("expires_at", models.DateTimeField(verbose_name="held until")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                (
                    "booking",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="date_changes",
                        to="bookings.booking",
                        verbose_name="booking",
                    ),
                ),
                (
                    "quote",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="date_change",
                        to="bookings.quote",
                        verbose_name="new dates",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of dates under way",
                "verbose_name_plural": "changes of dates under way",
                "ordering": ("-created_at",),
            },
        ),
        migrations.CreateModel(
            name="BookingChangeLog",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kept_minor",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="kept for nights given up (centavos)"
                    ),
                ),
                ("applied_at", models.DateTimeField(verbose_name="applied")),
                (
                    "booking",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="bookings.booking",
                        verbose_name="booking",
                    ),
                ),
                (
                    "new_quote",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaces",
                        to="bookings.quote",
                        verbose_name="after",
                    ),
                ),
                (
                    "old_quote",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaced_by",
                        to="bookings.quote",
                        verbose_name="before",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of dates",
                "verbose_name_plural": "changes of dates",
                "ordering": ("-applied_at",),
            },
        ),
        migrations.AddField(
            model_name="booking",
            name="quote",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="booking",
                to="bookings.quote",
                verbose_name="quote",
            ),
        ),
        migrations.CreateModel(
            name="NightBlock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("stay", "stay"), ("change", "change of dates"), ("manual", "by hand")],
                        db_default="stay",
                        default="stay",
                        max_length=6,
                        verbose_name="kind",
                    ),
                ),
                ("nights", django.contrib.postgres.fields.ranges.DateRangeField(verbose_name="nights")),
                ("active", models.BooleanField(default=True, verbose_name="active")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("released_at", models.DateTimeField(blank=True, null=True, verbose_name="released")),
                (
                    "release_proof",
                    models.CharField(blank=True, max_length=200, verbose_name="why they could be released"),
                ),
                (
                    "note",
                    models.CharField(
                        blank=True, db_default="", max_length=200, verbose_name="why they are blocked"
                    ),
                ),
                (
                    "booking",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="night_blocks",
                        to="bookings.booking",
                        verbose_name="booking",
                    ),
                ),
                (
                    "home",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="night_blocks",
                        to="bookings.property",
                        verbose_name="property",
                    ),
                ),
            ],
            options={
                "verbose_name": "blocked nights",
                "verbose_name_plural": "blocked nights",
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("active", True)),
                        expressions=(
                            ("home", "="),
                            ("nights", "&&"),
                            (
                                django.db.models.functions.comparison.Coalesce(
                                    "booking",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("id"), "*", models.Value(-1)
                                    ),
                                ),
                                "<>",
                            ),
                        ),
                        name="bookings_night_blocks_never_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("active", True), ("released_at__isnull", True)),
                            models.Q(
                                ("active", False),
                                ("released_at__isnull", False),
                                models.Q(("release_proof", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="bookings_released_nights_have_a_proof",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("booking", None), ("kind", "manual")),
                            models.Q(("booking__isnull", False), ("kind__in", ("stay", "change"))),
                            _connector="OR",
                        ),
                        name="bookings_nights_are_blocked_for_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("nights__isempty", False),
                            ("nights__lower_inf", False),
                            ("nights__upper_inf", False),
                        ),
                        name="bookings_night_block_is_not_empty",
                    ),
                ],
            },
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
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cleaning_minor__gte", 0),
                    ("deposit_minor__gte", 0),
                    ("deposit_minor__lte", models.F("total_minor")),
                    ("discount_minor__gte", 0),
                    ("lodging_minor__gt", 0),
                    ("tax_minor__gte", 0),
                    (
                        "total_minor",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    models.F("lodging_minor"), "-", models.F("discount_minor")
                                ),
                                "+",
                                models.F("cleaning_minor"),
                            ),
                            "+",
                            models.F("tax_minor"),
                        ),
                    ),
                ),
                name="bookings_quote_adds_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("deposit_minor", 0), ("deposit_minor__range", (1000, 99999999)), _connector="OR"
                    ),
                    models.Q(
                        ("total_minor", models.F("deposit_minor")),
                        models.Q(
                            (
                                "total_minor__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("deposit_minor"), "+", models.Value(1000)
                                ),
                            ),
                            (
                                "total_minor__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("deposit_minor"), "+", models.Value(99999999)
                                ),
                            ),
                        ),
                        _connector="OR",
                    ),
                ),
                name="bookings_quote_can_be_charged",
            ),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("lodging_tax_minor__gte", 0), ("lodging_tax_minor__lte", models.F("tax_minor"))
                ),
                name="bookings_quote_lodging_tax_is_part_of_the_tax",
            ),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.CheckConstraint(
                condition=models.Q(("guests__gte", 1)), name="bookings_quote_has_guests"
            ),
        ),
        migrations.AddConstraint(
            model_name="datechange",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("booking",),
                name="bookings_one_open_change_per_booking",
            ),
        ),
        migrations.AddConstraint(
            model_name="datechange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("state", "open")),
                    models.Q(("ended_at__isnull", False), ("state__in", ("applied", "abandoned"))),
                    _connector="OR",
                ),
                name="bookings_change_state_makes_sense",
            ),
        ),
        migrations.AddConstraint(
            model_name="datechange",
            constraint=models.CheckConstraint(
                condition=models.Q(("charge_minor__gt", 0), ("kept_minor__gte", 0)),
                name="bookings_change_amounts_make_sense",
            ),
        ),
        migrations.AddConstraint(
            model_name="bookingchangelog",
            constraint=models.CheckConstraint(
                condition=models.Q(("kept_minor__gte", 0)), name="bookings_kept_for_a_change_is_not_negative"
            ),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(
                condition=models.Q(
                    ("cancel_requested_at", None), ("settled_at", None), ("status", "confirmed")
                ),
                fields=["balance_due_at"],
                name="bookings_due",
            ),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(
                condition=models.Q(
                    ("cancel_requested_at__isnull", False), ("status__in", ("pending", "confirmed"))
                ),
                fields=["cancel_requested_at"],
                name="bookings_to_settle",
            ),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(
                condition=models.Q(("status", "pending")), fields=["hold_expires_at"], name="bookings_holds"
            ),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(
                condition=models.Q(("status", "confirmed")),
                fields=["departure_at"],
                name="bookings_departures",
            ),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(fields=["created_at"], name="bookings_newest"),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(fields=["arrival_at"], name="bookings_arrivals"),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(fields=["balance_due_at"], name="bookings_balance_days"),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(
                django.db.models.functions.text.Upper("guest_email"), name="bookings_guest_email"
            ),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(
                condition=models.Q(("confirmed_at", None), models.Q(("held_by", ""), _negated=True)),
                fields=["held_by", "created_at"],
                name="bookings_unpaid_by_visitor",
            ),
        ),
        migrations.AddConstraint(
            model_name="booking",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["pending", "confirmed", "completed", "cancelled", "expired"])
                ),
                name="bookings_booking_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="booking",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("confirmed_at__isnull", False), ("status__in", ("confirmed", "completed"))),
                    models.Q(("status__in", ("confirmed", "completed")), _negated=True),
                    _connector="OR",
                ),
                name="bookings_confirmed_has_its_instant",
            ),
        ),
        migrations.AddConstraint(
            model_name="booking",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cancelled_at__isnull", False), ("status", "cancelled")),
                    models.Q(
                        models.Q(("status", "cancelled"), _negated=True), ("cancelled_at__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="bookings_cancelled_has_its_instant",
            ),
        ),
        migrations.AddConstraint(
            model_name="booking",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "completed"), _negated=True),
                    ("settled_at__isnull", False),
                    _connector="OR",
                ),
                name="bookings_completed_owes_nothing",
            ),
        ),
        migrations.AddConstraint(
            model_name="booking",
            constraint=models.CheckConstraint(
                condition=models.Q(("checkout_open", False), ("status", "pending"), _connector="OR"),
                name="bookings_only_a_hold_is_being_paid",
            ),
        ),
        migrations.AddConstraint(
            model_name="booking",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("hold_extended_at", None),
                    ("wanted_at", None),
                    ("wanted_at__gt", models.F("hold_extended_at")),
                    _connector="OR",
                ),
                name="bookings_no_wanted_hold_is_extended",
            ),
        ),
        migrations.AddConstraint(
            model_name="booking",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("balance_due_at__gt", models.F("arrival_at")),
                    ("departure_at__gt", models.F("arrival_at")),
                ),
                name="bookings_instants_in_order",
            ),
        ),
    ]
