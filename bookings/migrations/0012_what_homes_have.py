"""What a home has, where it is, and who receives its guests."""

from __future__ import annotations

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bookings", "0011_legal_texts"),
    ]

    operations = [
        migrations.AddField(
            model_name="property",
            name="address",
            field=models.CharField(blank=True, db_default="", max_length=200, verbose_name="address"),
        ),
        migrations.AddField(
            model_name="property",
            name="amenities",
            field=models.TextField(
                blank=True,
                db_default="",
                help_text="One a line, such as: Wi-Fi of 100 Mbps",
                verbose_name="amenities",
            ),
        ),
        migrations.AddField(
            model_name="property",
            name="arrival_instructions",
            field=models.TextField(
                blank=True,
                db_default="",
                help_text="Keys, codes, how to get in: never on the site, only for guests who are about to come.",
                verbose_name="arrival instructions",
            ),
        ),
        migrations.AddField(
            model_name="property",
            name="bathrooms",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="bathrooms"),
        ),
        migrations.AddField(
            model_name="property",
            name="bedrooms",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="bedrooms"),
        ),
        migrations.AddField(
            model_name="property",
            name="beds",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name="beds"),
        ),
        migrations.AddField(
            model_name="property",
            name="host_name",
            field=models.CharField(
                blank=True, db_default="", max_length=120, verbose_name="who receives guests"
            ),
        ),
        migrations.AddField(
            model_name="property",
            name="host_phone",
            field=models.CharField(
                blank=True, db_default="", max_length=40, verbose_name="telephone for guests"
            ),
        ),
        migrations.AddField(
            model_name="property",
            name="house_rules",
            field=models.TextField(
                blank=True,
                db_default="",
                help_text="One a line, such as: No smoking",
                verbose_name="rules of this house",
            ),
        ),
        migrations.AddField(
            model_name="property",
            name="map_url",
            field=models.CharField(
                max_length=200,
                blank=True,
                db_default="",
                validators=[django.core.validators.URLValidator(schemes=["https"])],
                verbose_name="link to a map",
            ),
        ),
    ]
