"""Queues, schedules and living workers, beside Procrastinate's own tables."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


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

    A pause ends at ``paused_until``, by the first worker that sees it, or never by itself.

    ``limits_by_hand`` tells that staff set the limits; the settings' are not written over them.
    ``declared_by`` is the project whose settings declare them: a worker of another lifts nothing.
    ``recent_starts`` counts the jobs that were started lately: the end of a twentieth of the period, in
    seconds since 1970, with the starts in it.
    """

    queue_name = models.CharField(_("queue"), max_length=128, primary_key=True)
    paused_at = models.DateTimeField(_("paused at"), null=True)
    paused_by = models.CharField(_("paused by"), max_length=150, blank=True)
    pause_reason = models.TextField(_("reason"), blank=True)
    paused_until = models.DateTimeField(_("paused until"), null=True)
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
                name="ptasks_rule_only_a_pause_ends",
                condition=models.Q(paused_until__isnull=True) | models.Q(paused_at__isnull=False),
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


class TaskPause(models.Model):
    """A task whose jobs no worker starts, whatever their queue, until the row is gone: see ``QueueRule``."""

    task_name = models.CharField(_("task"), max_length=128, primary_key=True)
    paused_at = models.DateTimeField(_("paused at"), db_default=Now())
    paused_by = models.CharField(_("paused by"), max_length=150)
    pause_reason = models.TextField(_("reason"), blank=True)
    paused_until = models.DateTimeField(_("paused until"), null=True)

    class Meta:
        verbose_name = _("pause of a task")
        verbose_name_plural = _("pauses of tasks")
        default_permissions = ()
        constraints = (
            models.CheckConstraint(name="ptasks_pause_has_an_author", condition=~models.Q(paused_by="")),
        )

    def __str__(self) -> str:
        return self.task_name
