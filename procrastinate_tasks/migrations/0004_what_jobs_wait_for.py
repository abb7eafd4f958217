"""Until when jobs may start, how far they have come, and what none is deferred with for a while."""

from __future__ import annotations

from django.db import migrations, models


def goes_with_its_job(table: str) -> migrations.RunSQL:
    """However a job's row goes, by Procrastinate's own commands too, what is kept of it here goes with it."""
    return migrations.RunSQL(
        sql=f"""
            ALTER TABLE procrastinate_tasks_{table} ADD CONSTRAINT ptasks_{table}_job
            FOREIGN KEY (job_id) REFERENCES procrastinate_jobs (id) ON DELETE CASCADE
        """,
        reverse_sql=f"ALTER TABLE procrastinate_tasks_{table} DROP CONSTRAINT ptasks_{table}_job",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate_tasks", "0003_pauses"),
    ]

    operations = [
        migrations.CreateModel(
            name="JobProgress",
            fields=[
                ("job_id", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="job")),
                ("attempt", models.PositiveIntegerField(verbose_name="attempt")),
                ("done", models.FloatField(verbose_name="done")),
                ("total", models.FloatField(null=True, verbose_name="total")),
                ("text", models.CharField(blank=True, max_length=200, verbose_name="text")),
                ("at", models.DateTimeField(verbose_name="at")),
            ],
            options={
                "verbose_name": "progress",
                "verbose_name_plural": "progress",
                "default_permissions": (),
            },
        ),
        migrations.AlterField(
            model_name="jobattempt",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("succeeded", "Succeeded"),
                    ("failed", "Failed"),
                    ("retrying", "Failed, will be retried"),
                    ("superseded", "Failed, left to the waiting job with its queueing lock"),
                    ("aborted", "Aborted"),
                    ("snoozed", "Put off by the job itself, runs again"),
                    ("interrupted", "Interrupted by a shutdown, runs again"),
                    ("crashed", "Its worker was lost, runs again"),
                    ("parked", "Parked: its worker was lost too often"),
                ],
                max_length=20,
                verbose_name="outcome",
            ),
        ),
        migrations.CreateModel(
            name="JobExpiry",
            fields=[
                ("job_id", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="job")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("expired_at", models.DateTimeField(null=True, verbose_name="expired at")),
            ],
            options={
                "verbose_name": "expiry",
                "verbose_name_plural": "expiries",
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        condition=models.Q(("expired_at__isnull", True)),
                        fields=["expires_at"],
                        name="ptasks_expiry_open",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UniqueJob",
            fields=[
                (
                    "key",
                    models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name="key"),
                ),
                ("job_id", models.BigIntegerField(verbose_name="job")),
                ("until", models.DateTimeField(verbose_name="until")),
            ],
            options={
                "verbose_name": "unique job",
                "verbose_name_plural": "unique jobs",
                "default_permissions": (),
                "indexes": [models.Index(fields=["until"], name="ptasks_unique_until")],
            },
        ),
        goes_with_its_job("jobexpiry"),
        goes_with_its_job("jobprogress"),
    ]
