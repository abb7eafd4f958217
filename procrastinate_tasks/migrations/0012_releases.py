"""Says which release knows which tasks, and whose settings limit a queue."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate_tasks", "0011_held_locks"),
    ]

    operations = [
        migrations.AddField(
            model_name="liveworker",
            name="code",
            field=models.CharField(blank=True, db_default="", max_length=16, verbose_name="code"),
        ),
        migrations.AddField(
            model_name="liveworker",
            name="limits",
            field=models.JSONField(null=True, verbose_name="declared limits"),
        ),
        migrations.AddField(
            model_name="liveworker",
            name="project",
            field=models.CharField(blank=True, db_default="", max_length=100, verbose_name="project"),
        ),
        migrations.AddField(
            model_name="queuerule",
            name="declared_by",
            field=models.CharField(blank=True, db_default="", max_length=100, verbose_name="declared by"),
        ),
        migrations.AddField(
            model_name="release",
            name="tasks",
            field=models.JSONField(null=True, verbose_name="tasks"),
        ),
    ]
