"""A worker says how many ends it could not record and since when, and since when its claims fail."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("procrastinate_tasks", "0016_clock_skew")]
    operations = [
        migrations.AddField(
            model_name="liveworker",
            name="unrecorded",
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name="unrecorded ends"),
        ),
        migrations.AddField(
            model_name="liveworker",
            name="unrecorded_since",
            field=models.DateTimeField(null=True, verbose_name="unrecorded since"),
        ),
        migrations.AddField(
            model_name="liveworker",
            name="claims_fail_since",
            field=models.DateTimeField(null=True, verbose_name="claims fail since"),
        ),
    ]
