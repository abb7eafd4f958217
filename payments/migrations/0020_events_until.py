"""Until when every event of Stripe's is in the inbox, and which of them no webhook brought."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("payments", "0019_memory_epoch"),)

    operations = (
        migrations.AddField(
            model_name="stripememory",
            name="events_until",
            field=models.DateTimeField(blank=True, null=True, verbose_name="events known until"),
        ),
        migrations.AddField(
            model_name="stripeevent",
            name="is_fetched",
            field=models.BooleanField(db_default=False, default=False, verbose_name="fetched by ourselves"),
        ),
    )
