"""Alerts that somebody silenced, and their words in other languages; old code goes on beside it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate_tasks", "0009_what_runs_say"),
    ]

    operations = [
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
                    ("silence_alert", "Can silence alerts"),
                    ("bulk_jobs", "Can act on more than a hundred jobs at once"),
                    ("view_audit", "Can see what everybody did"),
                ),
                "verbose_name": "job",
                "verbose_name_plural": "jobs",
            },
        ),
        migrations.AddField(
            model_name="alertnotice",
            name="is_silenced",
            field=models.BooleanField(db_default=False, verbose_name="is silenced"),
        ),
        migrations.AddField(
            model_name="alertstate",
            name="measure",
            field=models.FloatField(null=True, verbose_name="how bad it is"),
        ),
        migrations.AddField(
            model_name="alertstate",
            name="sentences",
            field=models.JSONField(db_default={}, verbose_name="in other languages"),
        ),
        migrations.AddField(
            model_name="alertstate",
            name="silence_is_told",
            field=models.BooleanField(db_default=False, verbose_name="silence is told"),
        ),
        migrations.AddField(
            model_name="alertstate",
            name="silence_note",
            field=models.TextField(db_default="", verbose_name="note"),
        ),
        migrations.AddField(
            model_name="alertstate",
            name="silenced_at",
            field=models.DateTimeField(null=True, verbose_name="silenced at"),
        ),
        migrations.AddField(
            model_name="alertstate",
            name="silenced_by",
            field=models.CharField(db_default="", max_length=150, verbose_name="silenced by"),
        ),
        migrations.AddField(
            model_name="alertstate",
            name="silenced_measure",
            field=models.FloatField(null=True, verbose_name="how bad it was when silenced"),
        ),
        migrations.AddField(
            model_name="alertstate",
            name="silenced_until",
            field=models.DateTimeField(null=True, verbose_name="silenced until"),
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
                    ("alert", "Alert"),
                    ("schedule", "Schedule"),
                    ("bulk", "Bulk operation"),
                ],
                max_length=10,
                verbose_name="target type",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertstate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("silence_note", ""), ("silenced_at__isnull", True), ("silenced_by", "")),
                    models.Q(("silenced_at__isnull", False), models.Q(("silenced_by", ""), _negated=True)),
                    _connector="OR",
                ),
                name="ptasks_alert_silence_has_an_author",
            ),
        ),
    ]
