"""The queue app's own tables, beside Procrastinate's."""

from __future__ import annotations

import datetime

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkOperation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token", models.UUIDField(unique=True, verbose_name="token")),
                ("action", models.CharField(max_length=32, verbose_name="action")),
                ("actor", models.CharField(max_length=150, verbose_name="who")),
                ("user_id", models.CharField(blank=True, max_length=64, verbose_name="user")),
                (
                    "channel",
                    models.CharField(
                        choices=[("admin", "Admin"), ("cli", "Command line")],
                        max_length=10,
                        verbose_name="channel",
                    ),
                ),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("filters", models.JSONField(default=dict, verbose_name="filter")),
                ("pace_per_minute", models.PositiveIntegerField(null=True, verbose_name="jobs a minute")),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("stopped", "Stopped"), ("finished", "Finished")],
                        default="running",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("requested", models.PositiveIntegerField(default=0, verbose_name="jobs requested")),
                ("applied", models.PositiveIntegerField(default=0, verbose_name="jobs applied")),
                ("refused", models.PositiveIntegerField(default=0, verbose_name="jobs refused")),
                ("failed", models.PositiveIntegerField(default=0, verbose_name="jobs failed")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="created at",
                    ),
                ),
                ("last_batch_at", models.DateTimeField(null=True, verbose_name="last batch at")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended at")),
                ("stopped_by", models.CharField(blank=True, max_length=150, verbose_name="stopped by")),
            ],
            options={
                "verbose_name": "bulk operation",
                "verbose_name_plural": "bulk operations",
                "default_permissions": (),
            },
        ),
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
        migrations.CreateModel(
            name="LiveWorker",
            fields=[
                (
                    "worker_id",
                    models.BigIntegerField(primary_key=True, serialize=False, verbose_name="worker"),
                ),
                ("host", models.CharField(max_length=255, verbose_name="host")),
                ("pid", models.PositiveIntegerField(verbose_name="process id")),
                ("release", models.CharField(blank=True, max_length=100, verbose_name="release")),
                (
                    "project",
                    models.CharField(blank=True, db_default="", max_length=100, verbose_name="project"),
                ),
                ("code", models.CharField(blank=True, db_default="", max_length=16, verbose_name="code")),
                ("limits", models.JSONField(null=True, verbose_name="declared limits")),
                ("queues", models.JSONField(null=True, verbose_name="queues")),
                ("tasks", models.JSONField(null=True, verbose_name="tasks")),
                ("capacity", models.PositiveIntegerField(verbose_name="capacity")),
                ("running", models.PositiveIntegerField(default=0, verbose_name="running jobs")),
                ("memory_bytes", models.BigIntegerField(default=0, verbose_name="memory")),
                (
                    "refusal",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        max_length=300,
                        verbose_name="refused connections",
                    ),
                ),
                (
                    "unrecorded",
                    models.PositiveIntegerField(db_default=0, default=0, verbose_name="unrecorded ends"),
                ),
                ("unrecorded_since", models.DateTimeField(null=True, verbose_name="unrecorded since")),
                ("claims_fail_since", models.DateTimeField(null=True, verbose_name="claims fail since")),
                ("max_memory_bytes", models.BigIntegerField(null=True, verbose_name="memory limit")),
                ("orphaned_after", models.DurationField(verbose_name="orphaned after")),
                ("clock_skew", models.DurationField(null=True, verbose_name="clock skew")),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="started at",
                    ),
                ),
            ],
            options={
                "verbose_name": "worker",
                "verbose_name_plural": "workers",
                "default_permissions": ("view",),
            },
        ),
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
                ("last_seen_at", models.DateTimeField(null=True, verbose_name="last seen at")),
                ("tasks", models.JSONField(null=True, verbose_name="tasks")),
            ],
            options={
                "verbose_name": "release",
                "verbose_name_plural": "releases",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[],
            options={
                "verbose_name": "job",
                "verbose_name_plural": "jobs",
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
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("procrastinate.procrastinatejob",),
        ),
        migrations.CreateModel(
            name="AlertNotice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("channel", models.CharField(max_length=20, verbose_name="channel")),
                ("rule", models.CharField(max_length=100, verbose_name="rule")),
                ("subjects", models.JSONField(default=list, verbose_name="concerns")),
                ("has_recovered", models.BooleanField(verbose_name="is over")),
                ("is_silenced", models.BooleanField(db_default=False, verbose_name="is silenced")),
                ("title", models.CharField(max_length=300, verbose_name="title")),
                ("text", models.TextField(verbose_name="text")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("next_try_at", models.DateTimeField(verbose_name="next try")),
                ("tries", models.PositiveSmallIntegerField(default=0, verbose_name="tries")),
                ("is_sent", models.BooleanField(default=False, verbose_name="sent")),
            ],
            options={
                "verbose_name": "alert message",
                "verbose_name_plural": "alert messages",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_sent", False)), fields=["id"], name="ptasks_notice_unsent"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertRound",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("evaluated_at", models.DateTimeField(verbose_name="evaluated at")),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="ptasks_alert_one_round")
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertState",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule", models.CharField(max_length=100, verbose_name="rule")),
                ("subject", models.CharField(blank=True, max_length=300, verbose_name="concerns")),
                ("sentence", models.TextField(verbose_name="what is wrong")),
                ("seen_at", models.DateTimeField(verbose_name="seen at")),
                ("fired_at", models.DateTimeField(null=True, verbose_name="told at")),
                ("calm_since", models.DateTimeField(null=True, verbose_name="calm since")),
                ("sentences", models.JSONField(db_default={}, verbose_name="in other languages")),
                ("measure", models.FloatField(null=True, verbose_name="how bad it is")),
                ("silenced_at", models.DateTimeField(null=True, verbose_name="silenced at")),
                ("silenced_by", models.CharField(db_default="", max_length=150, verbose_name="silenced by")),
                ("silence_note", models.TextField(db_default="", verbose_name="note")),
                ("silenced_until", models.DateTimeField(null=True, verbose_name="silenced until")),
                (
                    "silenced_measure",
                    models.FloatField(null=True, verbose_name="how bad it was when silenced"),
                ),
                ("silence_is_told", models.BooleanField(db_default=False, verbose_name="silence is told")),
            ],
            options={
                "verbose_name": "alert",
                "verbose_name_plural": "alerts",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(fields=("rule", "subject"), name="ptasks_alert_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("silence_note", ""), ("silenced_at__isnull", True), ("silenced_by", "")
                            ),
                            models.Q(
                                ("silenced_at__isnull", False), models.Q(("silenced_by", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="ptasks_alert_silence_has_an_author",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="at",
                    ),
                ),
                ("group", models.UUIDField(verbose_name="group")),
                ("actor", models.CharField(max_length=150, verbose_name="who")),
                ("user_id", models.CharField(blank=True, max_length=64, verbose_name="user")),
                (
                    "channel",
                    models.CharField(
                        choices=[("admin", "Admin"), ("cli", "Command line")],
                        max_length=10,
                        verbose_name="channel",
                    ),
                ),
                ("action", models.CharField(max_length=32, verbose_name="action")),
                (
                    "target_type",
                    models.CharField(
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
                ("target_id", models.CharField(max_length=255, verbose_name="target")),
                ("task_name", models.CharField(blank=True, max_length=128, verbose_name="task")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                (
                    "outcome",
                    models.CharField(
                        choices=[("applied", "Applied"), ("refused", "Refused"), ("failed", "Failed")],
                        max_length=10,
                        verbose_name="outcome",
                    ),
                ),
                ("refusal", models.CharField(blank=True, max_length=40, verbose_name="why not")),
                ("detail", models.JSONField(default=dict, verbose_name="detail")),
                ("request_id", models.CharField(blank=True, max_length=200, verbose_name="request")),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["at", "id"], name="ptasks_audit_at"),
                    models.Index(fields=["target_type", "target_id", "id"], name="ptasks_audit_target"),
                    models.Index(fields=["user_id", "id"], name="ptasks_audit_user"),
                    models.Index(fields=["group"], name="ptasks_audit_group"),
                ],
            },
        ),
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
        migrations.CreateModel(
            name="JobAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("job_id", models.BigIntegerField(verbose_name="job")),
                ("attempt", models.PositiveIntegerField(verbose_name="attempt")),
                ("task_name", models.CharField(max_length=128, verbose_name="task")),
                ("queue_name", models.CharField(max_length=128, verbose_name="queue")),
                ("worker_id", models.BigIntegerField(null=True, verbose_name="worker")),
                ("host", models.CharField(max_length=255, verbose_name="host")),
                ("release", models.CharField(blank=True, max_length=100, verbose_name="release")),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("finished_at", models.DateTimeField(verbose_name="finished at")),
                (
                    "outcome",
                    models.CharField(
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
                ("result", models.JSONField(null=True, verbose_name="result")),
                ("exception_class", models.CharField(blank=True, max_length=200, verbose_name="exception")),
                ("message", models.TextField(blank=True, verbose_name="message")),
                ("traceback", models.TextField(blank=True, verbose_name="traceback")),
                ("fingerprint", models.CharField(blank=True, max_length=16, verbose_name="fingerprint")),
            ],
            options={
                "verbose_name": "attempt",
                "verbose_name_plural": "attempts",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["job_id", "id"], name="ptasks_attempt_job"),
                    models.Index(fields=["outcome", "finished_at"], name="ptasks_attempt_outcome"),
                    models.Index(
                        condition=models.Q(("exception_class__gt", "")),
                        fields=["task_name", "fingerprint", "exception_class", "finished_at"],
                        include=["job_id"],
                        name="ptasks_attempt_failure",
                    ),
                ],
            },
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
        migrations.CreateModel(
            name="QueueRule",
            fields=[
                (
                    "queue_name",
                    models.CharField(max_length=128, primary_key=True, serialize=False, verbose_name="queue"),
                ),
                ("paused_at", models.DateTimeField(null=True, verbose_name="paused at")),
                ("paused_by", models.CharField(blank=True, max_length=150, verbose_name="paused by")),
                ("pause_reason", models.TextField(blank=True, verbose_name="reason")),
                ("paused_until", models.DateTimeField(null=True, verbose_name="paused until")),
                ("rate_limit", models.PositiveIntegerField(null=True, verbose_name="starts per period")),
                ("rate_period", models.DurationField(null=True, verbose_name="period")),
                ("concurrency_limit", models.PositiveIntegerField(null=True, verbose_name="jobs at a time")),
                ("limits_by_hand", models.BooleanField(default=False, verbose_name="limited by hand")),
                (
                    "declared_by",
                    models.CharField(blank=True, db_default="", max_length=100, verbose_name="declared by"),
                ),
                ("recent_starts", models.JSONField(default=dict, verbose_name="recent starts")),
                (
                    "updated_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="updated at",
                    ),
                ),
            ],
            options={
                "verbose_name": "queue rule",
                "verbose_name_plural": "queue rules",
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("pause_reason", ""), ("paused_at__isnull", True), ("paused_by", "")),
                            models.Q(
                                ("paused_at__isnull", False), models.Q(("paused_by", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="ptasks_rule_pause_has_an_author",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("paused_until__isnull", True), ("paused_at__isnull", False), _connector="OR"
                        ),
                        name="ptasks_rule_only_a_pause_ends",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("rate_limit__isnull", True), ("rate_period__isnull", True)),
                            models.Q(
                                ("rate_limit__isnull", False),
                                ("rate_period__isnull", False),
                                ("rate_limit__gte", 1),
                                ("rate_period__gt", datetime.timedelta(0)),
                            ),
                            _connector="OR",
                        ),
                        name="ptasks_rule_rate_is_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("concurrency_limit__isnull", True),
                            ("concurrency_limit__gte", 1),
                            _connector="OR",
                        ),
                        name="ptasks_rule_concurrency",
                    ),
                ],
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
            name="ScheduleState",
            fields=[
                (
                    "name",
                    models.CharField(max_length=255, primary_key=True, serialize=False, verbose_name="name"),
                ),
                ("known_since", models.JSONField(default=dict, verbose_name="known since")),
                ("last_tick_at", models.DateTimeField(null=True, verbose_name="last tick")),
                ("last_deferred_tick_at", models.DateTimeField(null=True, verbose_name="last deferred tick")),
                ("last_deferred_at", models.DateTimeField(null=True, verbose_name="last deferred at")),
                ("last_job_id", models.BigIntegerField(null=True, verbose_name="last job")),
                ("missed_count", models.BigIntegerField(default=0, verbose_name="missed ticks")),
                ("disabled_at", models.DateTimeField(null=True, verbose_name="disabled at")),
                (
                    "disabled_by",
                    models.CharField(blank=True, db_default="", max_length=150, verbose_name="disabled by"),
                ),
                ("disable_reason", models.TextField(blank=True, db_default="", verbose_name="reason")),
            ],
            options={
                "verbose_name": "schedule",
                "verbose_name_plural": "schedules",
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("disable_reason", ""), ("disabled_at__isnull", True), ("disabled_by", "")
                            ),
                            models.Q(
                                ("disabled_at__isnull", False), models.Q(("disabled_by", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="ptasks_schedule_disabling_has_an_author",
                    )
                ],
            },
        ),
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
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("paused_by", ""), _negated=True),
                        name="ptasks_pause_has_an_author",
                    )
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
                ("figures", models.JSONField(null=True, verbose_name="figures")),
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
        migrations.CreateModel(
            name="BulkItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("job_id", models.BigIntegerField(verbose_name="job")),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("applied", "Applied"), ("refused", "Refused"), ("failed", "Failed")],
                        max_length=10,
                        verbose_name="outcome",
                    ),
                ),
                ("refusal", models.CharField(blank=True, max_length=40, verbose_name="why not")),
                ("detail", models.JSONField(default=dict, verbose_name="detail")),
                ("done_at", models.DateTimeField(null=True, verbose_name="done at")),
                (
                    "operation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="procrastinate_tasks.bulkoperation",
                    ),
                ),
            ],
            options={
                "verbose_name": "job of a bulk operation",
                "verbose_name_plural": "jobs of a bulk operation",
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        condition=models.Q(("outcome", "")),
                        fields=["operation", "id"],
                        name="ptasks_bulk_item_waiting",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("operation", "job_id"), name="ptasks_bulk_item_once")
                ],
            },
        ),
    ]
