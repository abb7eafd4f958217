"""One process at a time reads Stripe's list of events: until when the turn of the one that does lasts."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("payments", "0023_guest_data"),)

    operations = (
        migrations.AddField(
            model_name="stripememory",
            name="reading_until",
            field=models.DateTimeField(blank=True, null=True, verbose_name="events are being read until"),
        ),
    )
