"""What running jobs log, and where they stand when somebody asks."""

from __future__ import annotations

from importlib import import_module

from django.db import migrations, models

goes_with_its_job = import_module("procrastinate_tasks.migrations.0004_what_jobs_wait_for").goes_with_its_job


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate_tasks", "0008_task_totals"),
    ]

    operations = [
        migrations.CreateModel(
            name="JobStack",
            fields=[
                ("job_id", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="job")),
                ("asked_at", models.DateTimeField(verbose_name="asked at")),
                ("answered_at", models.DateTimeField(null=True, verbose_name="answered at")),
                ("stack", models.TextField(blank=True, verbose_name="stack")),
            ],
            options={
                "verbose_name": "stack of a job",
                "verbose_name_plural": "stacks of jobs",
                "default_permissions": (),
            },
        ),
        migrations.AlterModelOptions(
            name="job",
            options={
                "default_permissions": ("view",),
                "permissions": (
                    ("view_job_arguments", "Can see the arguments of jobs"),
                    ("view_job_traceback", "Can see the tracebacks of failed jobs"),
                    ("view_job_stack", "Can see where running jobs stand"),
                    ("retry_job", "Can retry and release jobs"),
                    ("retry_money_job", "Can retry, release and run at once jobs that move money"),
                    ("run_job", "Can run waiting jobs at once"),
                    ("cancel_job", "Can cancel waiting jobs"),
                    ("abort_job", "Can stop running jobs"),
                    ("rescue_job", "Can rescue orphaned jobs"),
                    ("pause_queue", "Can pause and resume queues"),
                    ("limit_queue", "Can limit queues"),
                    ("run_schedule", "Can run periodic tasks at once"),
                    ("disable_schedule", "Can disable and enable periodic tasks"),
                    ("bulk_jobs", "Can act on more than a hundred jobs at once"),
                    ("view_audit", "Can see what everybody did"),
                ),
                "verbose_name": "job",
                "verbose_name_plural": "jobs",
            },
        ),
        migrations.CreateModel(
            name="JobLog",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("job_id", models.BigIntegerField(verbose_name="job")),
                ("run", models.BigIntegerField(verbose_name="run")),
                ("attempt", models.PositiveIntegerField(verbose_name="attempt")),
                ("lines", models.JSONField(verbose_name="lines")),
                ("left_out", models.PositiveBigIntegerField(verbose_name="left out")),
                ("at", models.DateTimeField(verbose_name="at")),
            ],
            options={
                "verbose_name": "log of a run",
                "verbose_name_plural": "logs of runs",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("job_id", "run"), name="ptasks_log_of_run")],
            },
        ),
        goes_with_its_job("joblog"),
        goes_with_its_job("jobstack"),
    ]
