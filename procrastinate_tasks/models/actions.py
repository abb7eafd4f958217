"""What is stored of people's actions: the audit, and the bulk operations."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Channel(models.TextChoices):
    """Through what somebody acted."""

    ADMIN = "admin", _("Admin")
    CLI = "cli", _("Command line")


class ActionOutcome(models.TextChoices):
    """What became of an action on one target."""

    APPLIED = "applied", _("Applied")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")


class TargetType(models.TextChoices):
    """What somebody acted on."""

    JOB = "job", _("Job")
    QUEUE = "queue", _("Queue")
    TASK = "task", _("Task")
    FAULT = "fault", _("Fault")
    ALERT = "alert", _("Alert")
    SCHEDULE = "schedule", _("Schedule")
    BULK = "bulk", _("Bulk operation")


class AuditEntry(models.Model):
    """What somebody did, or tried to do, to one target; written with the deed, never changed or deleted.

    Entries of one click share their ``group``. ``refusal`` is a code whose words depend on the reader's
    language, ``detail`` its values, and the target's state before and after.
    """

    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)
    group = models.UUIDField(_("group"))
    actor = models.CharField(_("who"), max_length=150)
    user_id = models.CharField(_("user"), max_length=64, blank=True)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    action = models.CharField(_("action"), max_length=32)
    target_type = models.CharField(_("target type"), max_length=10, choices=TargetType.choices)
    target_id = models.CharField(_("target"), max_length=255)
    task_name = models.CharField(_("task"), max_length=128, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    outcome = models.CharField(_("outcome"), max_length=10, choices=ActionOutcome.choices)
    refusal = models.CharField(_("why not"), max_length=40, blank=True)
    detail = models.JSONField(_("detail"), default=dict)
    request_id = models.CharField(_("request"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        default_permissions = ()
        indexes = (
            models.Index(fields=["at", "id"], name="ptasks_audit_at"),
            models.Index(fields=["target_type", "target_id", "id"], name="ptasks_audit_target"),
            models.Index(fields=["user_id", "id"], name="ptasks_audit_user"),
            models.Index(fields=["group"], name="ptasks_audit_group"),
        )

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.target_type} {self.target_id}: {self.outcome}"


class BulkState(models.TextChoices):
    """How far a bulk operation is."""

    RUNNING = "running", pgettext_lazy("bulk operation", "Running")
    STOPPED = "stopped", pgettext_lazy("bulk operation", "Stopped")
    FINISHED = "finished", pgettext_lazy("bulk operation", "Finished")


class BulkOperation(models.Model):
    """One action on all jobs that matched a filter at one moment, carried out in batches.

    ``filters`` is the filter as it was, ``pace_per_minute`` the most jobs a minute, None for as fast as it
    goes. ``requested`` jobs matched; the other counts are of its items so far.
    """

    token = models.UUIDField(_("token"), unique=True)
    action = models.CharField(_("action"), max_length=32)
    actor = models.CharField(_("who"), max_length=150)
    user_id = models.CharField(_("user"), max_length=64, blank=True)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    reason = models.TextField(_("reason"), blank=True)
    filters = models.JSONField(_("filter"), default=dict)
    pace_per_minute = models.PositiveIntegerField(_("jobs a minute"), null=True)
    state = models.CharField(_("state"), max_length=10, choices=BulkState.choices, default=BulkState.RUNNING)
    requested = models.PositiveIntegerField(_("jobs requested"), default=0)
    applied = models.PositiveIntegerField(_("jobs applied"), default=0)
    refused = models.PositiveIntegerField(_("jobs refused"), default=0)
    failed = models.PositiveIntegerField(_("jobs failed"), default=0)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    last_batch_at = models.DateTimeField(_("last batch at"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    stopped_by = models.CharField(_("stopped by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("bulk operation")
        verbose_name_plural = _("bulk operations")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.action} of {self.requested} jobs by {self.actor}: {self.state}"

    @property
    def remaining(self) -> int:
        """How many jobs have not had their turn."""
        return self.requested - self.applied - self.refused - self.failed


class BulkItem(models.Model):
    """One job of a bulk operation, and what became of it; without an outcome its turn has not come."""

    operation = models.ForeignKey(BulkOperation, models.CASCADE, related_name="items", db_index=False)
    job_id = models.BigIntegerField(_("job"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=ActionOutcome.choices, blank=True)
    refusal = models.CharField(_("why not"), max_length=40, blank=True)
    detail = models.JSONField(_("detail"), default=dict)
    done_at = models.DateTimeField(_("done at"), null=True)

    class Meta:
        verbose_name = _("job of a bulk operation")
        verbose_name_plural = _("jobs of a bulk operation")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["operation", "job_id"], name="ptasks_bulk_item_once"),)
        indexes = (
            models.Index(
                fields=["operation", "id"], name="ptasks_bulk_item_waiting", condition=models.Q(outcome="")
            ),
        )

    def __str__(self) -> str:
        return f"{self.job_id}: {self.outcome or 'waits'}"
