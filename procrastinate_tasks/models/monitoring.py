"""What alerts remember, and what the roll-up sums up."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


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
    ``sentences`` are other languages' words for it, ``measure`` how bad it is, when that can be counted.

    While it is silenced nobody is told anew: until ``silenced_until``, or until it is much worse than
    ``silenced_measure``. ``silence_is_told`` when the channels have been.
    """

    rule = models.CharField(_("rule"), max_length=100)
    subject = models.CharField(_("concerns"), max_length=300, blank=True)
    sentence = models.TextField(_("what is wrong"))
    seen_at = models.DateTimeField(_("seen at"))
    fired_at = models.DateTimeField(_("told at"), null=True)
    calm_since = models.DateTimeField(_("calm since"), null=True)
    sentences = models.JSONField(_("in other languages"), db_default={})
    measure = models.FloatField(_("how bad it is"), null=True)
    silenced_at = models.DateTimeField(_("silenced at"), null=True)
    silenced_by = models.CharField(_("silenced by"), max_length=150, db_default="")
    silence_note = models.TextField(_("note"), db_default="")
    silenced_until = models.DateTimeField(_("silenced until"), null=True)
    silenced_measure = models.FloatField(_("how bad it was when silenced"), null=True)
    silence_is_told = models.BooleanField(_("silence is told"), db_default=False)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=["rule", "subject"], name="ptasks_alert_once"),
            models.CheckConstraint(
                name="ptasks_alert_silence_has_an_author",
                condition=models.Q(silenced_at__isnull=True, silenced_by="", silence_note="")
                | (models.Q(silenced_at__isnull=False) & ~models.Q(silenced_by="")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}".rstrip()


class AlertNotice(models.Model):
    """What is to be told through one channel, and whether it was; kept for a month."""

    channel = models.CharField(_("channel"), max_length=20)
    rule = models.CharField(_("rule"), max_length=100)
    subjects = models.JSONField(_("concerns"), default=list)
    has_recovered = models.BooleanField(_("is over"))
    is_silenced = models.BooleanField(_("is silenced"), db_default=False)
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


SLOT = timedelta(minutes=5)

# How long a wait or a run took, at most, in each bucket of the histograms; one more holds the rest.
TIME_BOUNDS = tuple(
    timedelta(seconds=seconds) for seconds in (0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
)


class TaskRollup(models.Model):
    """What came of the attempts of one task on one queue that ended within five minutes from ``slot_at``.

    The percentiles are those of its attempts: what half of them, and nineteen of twenty, stayed within.
    ``failed`` ended the job, ``retried`` did not. Of a wait or a run that nobody knows there is none.
    ``figures`` is what the slot has added to the ``TaskTotal`` of its task.
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
    figures = models.JSONField(_("figures"), null=True)

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


class TaskTotal(models.Model):
    """A number of one task that only grows: what the slots have added to it, each run once.

    ``figure`` is ``succeeded``, ``failed`` or ``retried``; ``wait:N`` and ``run:N`` count the runs whose time
    fell into bucket N of ``TIME_BOUNDS``, ``wait`` and ``run`` are their microseconds. The tasks that came
    after the first hundred are one, without a name.
    """

    task_name = models.CharField(_("task"), max_length=128, blank=True)
    figure = models.CharField(_("figure"), max_length=20)
    total = models.BigIntegerField(_("total"))
    grown_at = models.DateTimeField(_("grown at"))

    class Meta:
        verbose_name = _("total of a task")
        verbose_name_plural = _("totals of tasks")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["task_name", "figure"], name="ptasks_total_once"),)

    def __str__(self) -> str:
        return f"{self.task_name} {self.figure}"


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

    ``tasks`` are the names that it knows; they stay known when its last worker is gone. ``last_seen_at`` is
    when it was announced, or when a worker of it began or ended, whichever came last.
    """

    name = models.CharField(_("release"), max_length=100, primary_key=True)
    first_seen_at = models.DateTimeField(_("first seen at"))
    last_seen_at = models.DateTimeField(_("last seen at"), null=True)
    tasks = models.JSONField(_("tasks"), null=True)

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
