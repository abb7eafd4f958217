"""What the roll-up stores; ``models`` has these too."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class TaskRollup(models.Model):
    """What came of the attempts of one task on one queue that ended within five minutes from ``slot_at``.

    The percentiles are those of its attempts: what half of them, and nineteen of twenty, stayed within.
    ``failed`` ended the job, ``retried`` did not. Of a wait or a run that nobody knows there is none.
    """

    slot_at = models.DateTimeField(_("from"))
    task_name = models.CharField(_("task"), max_length=128)
    queue_name = models.CharField(_("queue"), max_length=128)
    succeeded = models.PositiveIntegerField(pgettext_lazy("several jobs", "succeeded"))
    failed = models.PositiveIntegerField(pgettext_lazy("several jobs", "failed"))
    retried = models.PositiveIntegerField(pgettext_lazy("several jobs", "retried"))
    wait_p50 = models.DurationField(_("median wait"), null=True)
    wait_p95 = models.DurationField(_("95th percentile of the wait"), null=True)
    run_p50 = models.DurationField(_("median run"), null=True)
    run_p95 = models.DurationField(_("95th percentile of the run"), null=True)

    class Meta:
        verbose_name = _("five minutes of a task")
        verbose_name_plural = _("five minutes of tasks")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["slot_at", "task_name", "queue_name"], name="ptasks_rollup_slot"),
        )
        indexes = (models.Index(fields=["task_name", "slot_at"], name="ptasks_rollup_task"),)

    def __str__(self) -> str:
        return f"{self.task_name} {self.slot_at:%Y-%m-%d %H:%M}"


class RollupProgress(models.Model):
    """How far the roll-up has come: one row, whose lock lets one process sum up at a time."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    rolled_up_to = models.DateTimeField(_("summed up to"), null=True)

    class Meta:
        default_permissions = ()
        constraints = (models.CheckConstraint(name="ptasks_rollup_one_row", condition=models.Q(id=1)),)

    def __str__(self) -> str:
        return str(self.rolled_up_to)


class Release(models.Model):
    """A release of the project, and when a worker of it was first seen: a mark in the charts.

    ``tasks`` are the names that it knows; they stay known when its last worker is gone.
    """

    name = models.CharField(_("release"), max_length=100, primary_key=True)
    first_seen_at = models.DateTimeField(_("first seen at"))
    tasks = models.JSONField(_("tasks"), null=True)

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
