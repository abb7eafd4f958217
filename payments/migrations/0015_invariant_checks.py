"""What was found when each invariant was checked last."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models.functions import Length


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0014_confirm_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="InvariantCheck",
            fields=[
                (
                    "name",
                    models.CharField(
                        max_length=10, primary_key=True, serialize=False, verbose_name="invariant"
                    ),
                ),
                ("checked_at", models.DateTimeField(verbose_name="checked")),
                ("broken_since", models.DateTimeField(null=True, verbose_name="broken since")),
                ("count", models.PositiveIntegerField(default=0, verbose_name="rows")),
                ("rows", models.JSONField(default=list, verbose_name="which")),
                (
                    "problem",
                    models.CharField(blank=True, max_length=200, verbose_name="why it could not be checked"),
                ),
                ("seconds", models.FloatField(default=0, verbose_name="seconds")),
            ],
            options={
                "verbose_name": "invariant",
                "verbose_name_plural": "invariants",
                "ordering": (Length("name"), "name"),
                "default_permissions": ("view",),
            },
        ),
    ]
