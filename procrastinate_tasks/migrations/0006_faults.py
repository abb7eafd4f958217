"""What is remembered of faults for longer than their runs are kept."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate_tasks", "0005_release_last_seen_at"),
    ]

    operations = [
        migrations.CreateModel(
            name="Fault",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("task_name", models.CharField(max_length=128, verbose_name="task")),
                ("fingerprint", models.CharField(blank=True, max_length=16, verbose_name="fingerprint")),
                ("exception_class", models.CharField(max_length=200, verbose_name="exception")),
                ("first_seen_at", models.DateTimeField(verbose_name="first seen at")),
                ("first_release", models.CharField(blank=True, max_length=100, verbose_name="release")),
                ("muted_at", models.DateTimeField(null=True, verbose_name="muted at")),
                ("muted_by", models.CharField(blank=True, max_length=150, verbose_name="muted by")),
                ("mute_reason", models.TextField(blank=True, verbose_name="reason")),
            ],
            options={
                "verbose_name": "fault",
                "verbose_name_plural": "faults",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("task_name", "fingerprint", "exception_class"), name="ptasks_fault_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("mute_reason", ""), ("muted_at__isnull", True), ("muted_by", "")),
                            models.Q(("muted_at__isnull", False), models.Q(("muted_by", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="ptasks_fault_mute_has_an_author",
                    ),
                ],
            },
        ),
    ]
