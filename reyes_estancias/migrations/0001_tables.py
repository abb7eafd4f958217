"""How many forms a visitor has sent."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="FormCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=50, verbose_name="kind")),
                ("visitor", models.CharField(max_length=32, verbose_name="visitor")),
                ("ends_at", models.DateTimeField(verbose_name="until")),
                ("count", models.PositiveIntegerField(default=1, verbose_name="forms")),
            ],
            options={
                "verbose_name": "count of forms",
                "verbose_name_plural": "counts of forms",
                "default_permissions": (),
                "indexes": [models.Index(fields=["ends_at"], name="site_form_counts_by_end")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "visitor", "ends_at"), name="site_one_count_per_span"
                    )
                ],
            },
        ),
    ]
