"""What Stripe told us, kept as it came: what nobody can read yet is parked for a person with the rest."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class StripeEvent(models.Model):
    """Something Stripe told us, once: its id is the key, so a repetition is a conflict and only counted."""

    class State(models.TextChoices):
        RECEIVED = "received", _("received")
        APPLIED = "applied", _("applied")
        IGNORED = "ignored", _("ignored")
        PARKED = "parked", _("for a person")

    event_id = models.CharField(max_length=255, primary_key=True)
    type = models.CharField(_("type"), max_length=100)
    object_id = models.CharField(_("object"), max_length=255, db_index=True)
    api_version = models.CharField(max_length=40, blank=True)
    payload = models.JSONField()
    # Of an event that JSON in a column cannot hold, or that could not be read when it came.
    body = models.BinaryField(null=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.RECEIVED)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("received"))
    applied_at = models.DateTimeField(_("applied"), null=True, blank=True)
    repetitions = models.PositiveIntegerField(_("repetitions"), db_default=0, default=0)

    class Meta:
        verbose_name = _("Stripe event")
        verbose_name_plural = _("Stripe events")
        ordering = ("-received_at",)
        indexes = (
            models.Index(name="payments_events_newest", fields=("received_at",)),
            models.Index(
                name="payments_events_to_apply", fields=("received_at",), condition=Q(state="received")
            ),
            models.Index(name="payments_events_parked", fields=("received_at",), condition=Q(state="parked")),
        )
        constraints = (
            models.CheckConstraint(
                name="payments_event_state_known",
                condition=Q(state__in=["received", "applied", "ignored", "parked"]),
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
