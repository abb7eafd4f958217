"""Lets a worker say that its job processes cannot connect to the database."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("procrastinate_tasks", "0013_readable_instants")]
    operations = [
        migrations.AddField(
            model_name="liveworker",
            name="refusal",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=300, verbose_name="refused connections"
            ),
        ),
    ]
