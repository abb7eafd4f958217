"""Totals of each task that only grow, for the counters and histograms of monitoring."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate_tasks", "0007_jobs_by_due_time"),
    ]

    operations = [
        migrations.AddField(
            model_name="taskrollup",
            name="figures",
            field=models.JSONField(null=True, verbose_name="figures"),
        ),
        migrations.CreateModel(
            name="TaskTotal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("task_name", models.CharField(blank=True, max_length=128, verbose_name="task")),
                ("figure", models.CharField(max_length=20, verbose_name="figure")),
                ("total", models.BigIntegerField(verbose_name="total")),
                ("grown_at", models.DateTimeField(verbose_name="grown at")),
            ],
            options={
                "verbose_name": "total of a task",
                "verbose_name_plural": "totals of tasks",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("task_name", "figure"), name="ptasks_total_once")
                ],
            },
        ),
    ]
