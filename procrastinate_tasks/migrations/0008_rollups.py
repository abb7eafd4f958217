"""The roll-up of what ended by five minutes and task, how far it has come, and the releases seen."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate_tasks", "0007_unsuccessful_jobs"),
    ]

    operations = [
        migrations.CreateModel(
            name="Release",
            fields=[
                (
                    "name",
                    models.CharField(
                        max_length=100, primary_key=True, serialize=False, verbose_name="release"
                    ),
                ),
                ("first_seen_at", models.DateTimeField(verbose_name="first seen at")),
            ],
            options={
                "verbose_name": "release",
                "verbose_name_plural": "releases",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RollupProgress",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("rolled_up_to", models.DateTimeField(null=True, verbose_name="summed up to")),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="ptasks_rollup_one_row")
                ],
            },
        ),
        migrations.CreateModel(
            name="TaskRollup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slot_at", models.DateTimeField(verbose_name="from")),
                ("task_name", models.CharField(max_length=128, verbose_name="task")),
                ("queue_name", models.CharField(max_length=128, verbose_name="queue")),
                ("succeeded", models.PositiveIntegerField(verbose_name="succeeded")),
                ("failed", models.PositiveIntegerField(verbose_name="failed")),
                ("retried", models.PositiveIntegerField(verbose_name="retried")),
                ("wait_p50", models.DurationField(null=True, verbose_name="median wait")),
                ("wait_p95", models.DurationField(null=True, verbose_name="95th percentile of the wait")),
                ("run_p50", models.DurationField(null=True, verbose_name="median run")),
                ("run_p95", models.DurationField(null=True, verbose_name="95th percentile of the run")),
            ],
            options={
                "verbose_name": "five minutes of a task",
                "verbose_name_plural": "five minutes of tasks",
                "default_permissions": (),
                "indexes": [models.Index(fields=["task_name", "slot_at"], name="ptasks_rollup_task")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("slot_at", "task_name", "queue_name"), name="ptasks_rollup_slot"
                    )
                ],
            },
        ),
    ]
