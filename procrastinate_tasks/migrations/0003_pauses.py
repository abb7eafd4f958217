"""Pauses of single tasks, and pauses that end by themselves."""

from __future__ import annotations

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate_tasks", "0002_functions_and_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="TaskPause",
            fields=[
                (
                    "task_name",
                    models.CharField(max_length=128, primary_key=True, serialize=False, verbose_name="task"),
                ),
                (
                    "paused_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="paused at"
                    ),
                ),
                ("paused_by", models.CharField(max_length=150, verbose_name="paused by")),
                ("pause_reason", models.TextField(blank=True, verbose_name="reason")),
                ("paused_until", models.DateTimeField(null=True, verbose_name="paused until")),
            ],
            options={
                "verbose_name": "pause of a task",
                "verbose_name_plural": "pauses of tasks",
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="queuerule",
            name="paused_until",
            field=models.DateTimeField(null=True, verbose_name="paused until"),
        ),
        migrations.AlterField(
            model_name="auditentry",
            name="target_type",
            field=models.CharField(
                choices=[
                    ("job", "Job"),
                    ("queue", "Queue"),
                    ("task", "Task"),
                    ("fault", "Fault"),
                    ("schedule", "Schedule"),
                    ("bulk", "Bulk operation"),
                ],
                max_length=10,
                verbose_name="target type",
            ),
        ),
        migrations.AddConstraint(
            model_name="queuerule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("paused_until__isnull", True), ("paused_at__isnull", False), _connector="OR"
                ),
                name="ptasks_rule_only_a_pause_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="taskpause",
            constraint=models.CheckConstraint(
                condition=models.Q(("paused_by", ""), _negated=True), name="ptasks_pause_has_an_author"
            ),
        ),
    ]
