"""What is remembered of faults for longer than the attempts that they ended."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Fault(models.Model):
    """An error of one task from one place of its code, from when it was first seen; its attempts are pruned.

    ``muted_at`` is since when it is known and told of no more: until it is seen in a release that was first
    seen later.
    """

    task_name = models.CharField(_("task"), max_length=128)
    fingerprint = models.CharField(_("fingerprint"), max_length=16, blank=True)
    exception_class = models.CharField(_("exception"), max_length=200)
    first_seen_at = models.DateTimeField(_("first seen at"))
    first_release = models.CharField(_("release"), max_length=100, blank=True)
    muted_at = models.DateTimeField(_("muted at"), null=True)
    muted_by = models.CharField(_("muted by"), max_length=150, blank=True)
    mute_reason = models.TextField(_("reason"), blank=True)

    class Meta:
        verbose_name = _("fault")
        verbose_name_plural = _("faults")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["task_name", "fingerprint", "exception_class"], name="ptasks_fault_once"
            ),
            models.CheckConstraint(
                name="ptasks_fault_mute_has_an_author",
                condition=models.Q(muted_at__isnull=True, muted_by="", mute_reason="")
                | (models.Q(muted_at__isnull=False) & ~models.Q(muted_by="")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.task_name}: {self.exception_class}"
