"""Jobs, and what each of their attempts came to, beside Procrastinate's own tables."""

from __future__ import annotations

from django.db import models
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from procrastinate.contrib.django.models import ProcrastinateJob


class Outcome(TextChoices):
    """How an attempt ended."""

    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    RETRYING = "retrying", _("Failed, will be retried")
    SUPERSEDED = "superseded", _("Failed, left to the waiting job with its queueing lock")
    ABORTED = "aborted", _("Aborted")
    SNOOZED = "snoozed", _("Put off by the job itself, runs again")
    INTERRUPTED = "interrupted", _("Interrupted by a shutdown, runs again")
    CRASHED = "crashed", _("Its worker was lost, runs again")
    PARKED = "parked", _("Parked: its worker was lost too often")


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
                include=["job_id"],  # a fault's jobs are counted from the index alone
                name="ptasks_attempt_failure",
                condition=models.Q(exception_class__gt=""),
            ),
        )

    def __str__(self) -> str:
        return f"{self.task_name}[{self.job_id}] #{self.attempt}: {self.outcome}"


class JobExpiry(models.Model):
    """Until when a run of a job may begin; ``expired_at`` tells that it was ended for that, and when."""

    job_id = models.BigIntegerField(_("job"), primary_key=True)
    expires_at = models.DateTimeField(_("expires at"))
    expired_at = models.DateTimeField(_("expired at"), null=True)

    class Meta:
        verbose_name = _("expiry")
        verbose_name_plural = _("expiries")
        default_permissions = ()
        indexes = (
            models.Index(
                fields=["expires_at"],
                name="ptasks_expiry_open",
                condition=models.Q(expired_at__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return f"{self.job_id}: {self.expires_at}"


class JobProgress(models.Model):
    """How far a job said it has come, in which attempt, and when."""

    job_id = models.BigIntegerField(_("job"), primary_key=True)
    attempt = models.PositiveIntegerField(_("attempt"))
    done = models.FloatField(_("done"))
    total = models.FloatField(_("total"), null=True)
    text = models.CharField(_("text"), max_length=200, blank=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("progress")
        verbose_name_plural = _("progress")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.job_id}: {self.done}/{self.total}"


class JobLog(models.Model):
    """The last log lines of one run of a job, without what must not leave it.

    ``run`` tells runs of one attempt apart: one that was interrupted has not used its attempt up. Of the
    ``lines``, objects with ``at``, ``level``, ``logger`` and ``text``, those before are ``left_out``.
    """

    job_id = models.BigIntegerField(_("job"))
    run = models.BigIntegerField(_("run"))
    attempt = models.PositiveIntegerField(_("attempt"))
    lines = models.JSONField(_("lines"))
    left_out = models.PositiveBigIntegerField(_("left out"))
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("log of a run")
        verbose_name_plural = _("logs of runs")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["job_id", "run"], name="ptasks_log_of_run"),)

    def __str__(self) -> str:
        return f"{self.job_id} #{self.attempt}"


class JobStack(models.Model):
    """Where a running job stood when somebody asked; while ``answered_at`` is empty its worker is to say."""

    job_id = models.BigIntegerField(_("job"), primary_key=True)
    asked_at = models.DateTimeField(_("asked at"))
    answered_at = models.DateTimeField(_("answered at"), null=True)
    stack = models.TextField(_("stack"), blank=True)

    class Meta:
        verbose_name = _("stack of a job")
        verbose_name_plural = _("stacks of jobs")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.job_id)


class UniqueJob(models.Model):
    """What no other job is deferred with until an instant."""

    key = models.CharField(_("key"), max_length=64, primary_key=True)
    job_id = models.BigIntegerField(_("job"))
    until = models.DateTimeField(_("until"))

    class Meta:
        verbose_name = _("unique job")
        verbose_name_plural = _("unique jobs")
        default_permissions = ()
        indexes = (models.Index(fields=["until"], name="ptasks_unique_until"),)

    def __str__(self) -> str:
        return f"{self.key}: {self.until}"


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
            ("view_job_stack", _("Can see where running jobs stand")),
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
            ("silence_alert", _("Can silence alerts")),
            ("bulk_jobs", _("Can act on more than a hundred jobs at once")),
            ("view_audit", _("Can see what everybody did")),
        )

    def __str__(self) -> str:
        return f"{self.task_name}[{self.pk}]"
