"""In which state of the database Stripe and we told the same story."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("payments", "0018_email_facts"),)

    operations = (
        migrations.AddField(
            model_name="stripememory",
            name="epoch",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=200, verbose_name="state of the database"
            ),
        ),
    )
