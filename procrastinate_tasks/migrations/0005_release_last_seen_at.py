"""When each release was announced, or a worker of it began or ended, last."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate_tasks", "0004_what_jobs_wait_for"),
    ]

    operations = [
        migrations.AddField(
            model_name="release",
            name="last_seen_at",
            field=models.DateTimeField(null=True, verbose_name="last seen at"),
        ),
    ]
