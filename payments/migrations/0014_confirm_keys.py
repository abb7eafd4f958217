"""Which idempotency key an attempt's confirmation is asked under, and since when."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0013_dispute_guards"),
    ]

    operations = [
        migrations.AddField(
            model_name="paymentattempt",
            name="confirm_asked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="paymentattempt",
            name="confirm_n",
            field=models.PositiveSmallIntegerField(db_default=1, default=1),
        ),
    ]
