"""What the queue stores beside Procrastinate's own tables."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.action_models import ActionOutcome as ActionOutcome
from procrastinate_tasks.action_models import AuditEntry as AuditEntry
from procrastinate_tasks.action_models import BulkItem as BulkItem
from procrastinate_tasks.action_models import BulkOperation as BulkOperation
from procrastinate_tasks.action_models import BulkState as BulkState
from procrastinate_tasks.action_models import Channel as Channel
from procrastinate_tasks.action_models import TargetType as TargetType
from procrastinate_tasks.results import Outcome
from procrastinate_tasks.rollup_models import Release as Release
from procrastinate_tasks.rollup_models import RollupProgress as RollupProgress
from procrastinate_tasks.rollup_models import TaskRollup as TaskRollup


class JobAttempt(models.Model):
    """One run of a job. It names the job by id, without a foreign key: it outlives the job.

    ``attempt`` counts from 1; a run that cost the job no attempt shares its number with the next.
    """

    job_id = models.BigIntegerField(_("job"))
    attempt = models.PositiveIntegerField(_("attempt"))
    task_name = models.CharField(_("task"), max_length=128)
    queue_name = models.CharField(_("queue"), max_length=128)
    worker_id = models.BigIntegerField(_("worker"), null=True)
    host = models.CharField(_("host"), max_length=255)
    release = models.CharField(_("release"), max_length=100, blank=True)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"))
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome.choices)
    result = models.JSONField(_("result"), null=True)
    exception_class = models.CharField(_("exception"), max_length=200, blank=True)
    message = models.TextField(_("message"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)
    fingerprint = models.CharField(_("fingerprint"), max_length=16, blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=["job_id", "id"], name="ptasks_attempt_job"),
            models.Index(fields=["outcome", "finished_at"], name="ptasks_attempt_outcome"),
            models.Index(
                fields=["task_name", "fingerprint", "exception_class", "finished_at"],
                name="ptasks_attempt_failure",
                condition=models.Q(exception_class__gt=""),
            ),
        )

    def __str__(self) -> str:
        return f"{self.task_name}[{self.job_id}] #{self.attempt}: {self.outcome}"


class ScheduleState(models.Model):
    """How far a schedule has come: one row a schedule, whose lock makes each tick one job.

    ``last_tick_at`` is the latest tick that was deferred or missed; ``known_since`` tells when each of its
    definitions was first seen. A schedule that is disabled defers nothing until it is enabled.
    """

    name = models.CharField(_("name"), max_length=255, primary_key=True)
    known_since = models.JSONField(_("known since"), default=dict)
    last_tick_at = models.DateTimeField(_("last tick"), null=True)
    last_deferred_tick_at = models.DateTimeField(_("last deferred tick"), null=True)
    last_deferred_at = models.DateTimeField(_("last deferred at"), null=True)
    last_job_id = models.BigIntegerField(_("last job"), null=True)
    missed_count = models.BigIntegerField(_("missed ticks"), default=0)
    disabled_at = models.DateTimeField(_("disabled at"), null=True)
    disabled_by = models.CharField(_("disabled by"), max_length=150, blank=True, db_default="")
    disable_reason = models.TextField(_("reason"), blank=True, db_default="")

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        default_permissions = ("view",)
        constraints = (
            models.CheckConstraint(
                name="ptasks_schedule_disabling_has_an_author",
                condition=models.Q(disabled_at__isnull=True, disabled_by="", disable_reason="")
                | (models.Q(disabled_at__isnull=False) & ~models.Q(disabled_by="")),
            ),
        )

    def __str__(self) -> str:
        return self.name


class LiveWorker(models.Model):
    """What a worker says about itself with each beat; the row goes with the worker's own.

    ``orphaned_after`` is how long it may be silent before others rescue its jobs; ``memory_bytes`` is that of
    the biggest child, which is replaced above ``max_memory_bytes``; ``refusal`` is why its job processes
    cannot connect to the database. Without ``queues`` it serves all, ``tasks`` are the names its release
    knows, ``code`` tells one release's tasks and signatures from another's where ``release`` is not set,
    ``limits`` are the queues that its settings limit. ``clock_skew`` is how far its host's clock is ahead of
    the database's. Of its jobs ``unrecorded`` have ended and could not be recorded, the oldest since
    ``unrecorded_since``.
    """

    worker_id = models.BigIntegerField(_("worker"), primary_key=True)
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process id"))
    release = models.CharField(_("release"), max_length=100, blank=True)
    project = models.CharField(_("project"), max_length=100, blank=True, db_default="")
    code = models.CharField(_("code"), max_length=16, blank=True, db_default="")
    limits = models.JSONField(_("declared limits"), null=True)
    queues = models.JSONField(_("queues"), null=True)
    tasks = models.JSONField(_("tasks"), null=True)
    capacity = models.PositiveIntegerField(_("capacity"))
    running = models.PositiveIntegerField(_("running jobs"), default=0)
    memory_bytes = models.BigIntegerField(_("memory"), default=0)
    refusal = models.CharField(
        _("refused connections"), max_length=300, blank=True, default="", db_default=""
    )
    unrecorded = models.PositiveIntegerField(_("unrecorded ends"), default=0, db_default=0)
    unrecorded_since = models.DateTimeField(_("unrecorded since"), null=True)
    claims_fail_since = models.DateTimeField(_("claims fail since"), null=True)
    max_memory_bytes = models.BigIntegerField(_("memory limit"), null=True)
    orphaned_after = models.DurationField(_("orphaned after"))
    clock_skew = models.DurationField(_("clock skew"), null=True)
    started_at = models.DateTimeField(_("started at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class QueueRule(models.Model):
    """What holds a queue back: a pause, a rate, a number of running jobs. Without a row, nothing does.

    ``limits_by_hand`` tells that staff set the limits; the settings' are not written over them.
    ``declared_by`` is the project whose settings declare them: a worker of another lifts nothing.
    ``recent_starts`` counts the jobs that were started lately: the end of a twentieth of the period, in
    seconds since 1970, with the starts in it.
    """

    queue_name = models.CharField(_("queue"), max_length=128, primary_key=True)
    paused_at = models.DateTimeField(_("paused at"), null=True)
    paused_by = models.CharField(_("paused by"), max_length=150, blank=True)
    pause_reason = models.TextField(_("reason"), blank=True)
    rate_limit = models.PositiveIntegerField(_("starts per period"), null=True)
    rate_period = models.DurationField(_("period"), null=True)
    concurrency_limit = models.PositiveIntegerField(_("jobs at a time"), null=True)
    limits_by_hand = models.BooleanField(_("limited by hand"), default=False)
    declared_by = models.CharField(_("declared by"), max_length=100, blank=True, db_default="")
    recent_starts = models.JSONField(_("recent starts"), default=dict)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("queue rule")
        verbose_name_plural = _("queue rules")
        default_permissions = ("view",)
        constraints = (
            models.CheckConstraint(
                name="ptasks_rule_pause_has_an_author",
                condition=models.Q(paused_at__isnull=True, paused_by="", pause_reason="")
                | (models.Q(paused_at__isnull=False) & ~models.Q(paused_by="")),
            ),
            models.CheckConstraint(
                name="ptasks_rule_rate_is_whole",
                condition=models.Q(rate_limit__isnull=True, rate_period__isnull=True)
                | (
                    models.Q(rate_limit__isnull=False, rate_period__isnull=False)
                    & models.Q(rate_limit__gte=1, rate_period__gt=timedelta(0))
                ),
            ),
            models.CheckConstraint(
                name="ptasks_rule_concurrency",
                condition=models.Q(concurrency_limit__isnull=True) | models.Q(concurrency_limit__gte=1),
            ),
        )

    def __str__(self) -> str:
        return self.queue_name


class AlertRound(models.Model):
    """When the alerts were last looked after: one row, which a process moves on to take the next round."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    evaluated_at = models.DateTimeField(_("evaluated at"))

    class Meta:
        default_permissions = ()
        constraints = (models.CheckConstraint(name="ptasks_alert_one_round", condition=models.Q(id=1)),)

    def __str__(self) -> str:
        return str(self.evaluated_at)


class AlertState(models.Model):
    """A fault that is seen: watched at first, told at ``fired_at``, gone when its row is.

    ``calm_since`` is since when it is not seen any more. ``subject`` is the queue, worker or the like.
    """

    rule = models.CharField(_("rule"), max_length=100)
    subject = models.CharField(_("concerns"), max_length=300, blank=True)
    sentence = models.TextField(_("what is wrong"))
    seen_at = models.DateTimeField(_("seen at"))
    fired_at = models.DateTimeField(_("told at"), null=True)
    calm_since = models.DateTimeField(_("calm since"), null=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        default_permissions = ("view",)
        constraints = (models.UniqueConstraint(fields=["rule", "subject"], name="ptasks_alert_once"),)

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}".rstrip()


class AlertNotice(models.Model):
    """What is to be told through one channel, and whether it was; kept for a month."""

    channel = models.CharField(_("channel"), max_length=20)
    rule = models.CharField(_("rule"), max_length=100)
    subjects = models.JSONField(_("concerns"), default=list)
    has_recovered = models.BooleanField(_("is over"))
    title = models.CharField(_("title"), max_length=300)
    text = models.TextField(_("text"))
    created_at = models.DateTimeField(_("created at"))
    next_try_at = models.DateTimeField(_("next try"))
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    is_sent = models.BooleanField(_("sent"), default=False)

    class Meta:
        verbose_name = _("alert message")
        verbose_name_plural = _("alert messages")
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=["id"], name="ptasks_notice_unsent", condition=models.Q(is_sent=False)),
        )

    def __str__(self) -> str:
        return f"{self.channel}: {self.title}"


class Job(ProcrastinateJob):
    """Procrastinate's job as the job viewer shows it."""

    class Meta:
        proxy = True
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        default_permissions = ("view",)
        permissions = (
            ("view_job_arguments", _("Can see the arguments of jobs")),
            ("view_job_traceback", _("Can see the tracebacks of failed jobs")),
            ("retry_job", _("Can retry and release jobs")),
            ("retry_money_job", _("Can retry, release and run at once jobs that move money")),
            ("run_job", _("Can run waiting jobs at once")),
            ("cancel_job", _("Can cancel waiting jobs")),
            ("abort_job", _("Can stop running jobs")),
            ("rescue_job", _("Can rescue orphaned jobs")),
            ("pause_queue", _("Can pause and resume queues")),
            ("limit_queue", _("Can limit queues")),
            ("run_schedule", _("Can run periodic tasks at once")),
            ("disable_schedule", _("Can disable and enable periodic tasks")),
            ("bulk_jobs", _("Can act on more than a hundred jobs at once")),
            ("view_audit", _("Can see what everybody did")),
        )

    def __str__(self) -> str:
        return f"{self.task_name}[{self.pk}]"
