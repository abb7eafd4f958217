"""The state's tax on lodging: a rate by home, and the part of a quote's tax that it is."""

from __future__ import annotations

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bookings", "0013_photos"),
    ]

    operations = [
        migrations.AddField(
            model_name="property",
            name="lodging_tax_bps",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="On the nights alone; 300 is 3 %. Each state has its own.",
                validators=[django.core.validators.MaxValueValidator(10000)],
                verbose_name="state's tax on lodging (hundredths of a percent)",
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="lodging_tax_bps",
            field=models.PositiveIntegerField(
                db_default=0, default=0, verbose_name="state's tax on lodging (hundredths of a percent)"
            ),
        ),
        migrations.AddField(
            model_name="quote",
            name="lodging_tax_minor",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which the state's tax on lodging (centavos)"
            ),
        ),
        migrations.AddConstraint(
            model_name="property",
            constraint=models.CheckConstraint(
                condition=models.Q(("lodging_tax_bps__lte", 10000)),
                name="bookings_property_lodging_tax_makes_sense",
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
    ]
