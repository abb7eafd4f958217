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
                name="ptasks_attempt_failure",
                condition=models.Q(exception_class__gt=""),
            ),
        )

    def __str__(self) -> str:
        return f"{self.task_name}[{self.job_id}] #{self.attempt}: {self.outcome}"


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
